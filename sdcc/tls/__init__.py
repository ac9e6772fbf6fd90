"""TLS as `[tls]` configures it: files, what is made of them, and what OpenSSL says against a peer.

No transport is seen here. OpenSSL costs a process 14 MB: whoever imports the modules of this package does so
where TLS is configured, and not before.
"""


class NotUsable(Exception):
    """TLS cannot be provided with these files; the text has a line for each thing wrong with them."""
