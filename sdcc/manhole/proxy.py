"""`python -m sdcc.manhole.proxy PATH`: connects ssh, which calls ports alone, to a socket file.

For ssh's ProxyCommand with ProxyUseFdpass: the connected socket is handed over, and this ends.
It imports little: whoever opens the prompt waits for it.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Give the exit code."""
    [path] = arguments
    try:
        with socket.socket(socket.AF_UNIX) as connection, socket.socket(fileno=1) as ssh:
            connection.connect(path)
            socket.send_fds(ssh, [b"\0"], [connection.fileno()])
    except OSError as error:
        print(f"{path}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
