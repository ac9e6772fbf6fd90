"""A Python prompt in the running server, over SSH.

`server` listens, `connection` bounds what a client may cost, `login` takes keys and nothing else,
`session` gives a client that has logged in its terminal or its one expression, and `commands` are the
names that are known there. None of it is imported where there is no `[manhole]`: conch costs memory.
"""

#: The one user name at its login: which account a person has elsewhere says nothing here.
USER = "sdcc"
#: The host key, in the storage directory, as `ssh-keygen` writes and reads it.
HOST_KEY = "manhole_host_key"
