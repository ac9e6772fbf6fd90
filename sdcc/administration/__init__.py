"""What an administrator may ask of a running server, and how it is asked from another process.

`administration` answers from the live parts; `commands` are the same questions as they come in JSON, and
`control_socket` is where they come from. `tables` shows the answers to people.
"""
