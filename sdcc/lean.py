"""To be imported before anything else by a process that is to stay lean: the server.

pydicom takes numpy along where it finds it, and the decoders. The server uses nothing of them, and would pay
with 13 MB and a thread: they are for the processes that decode (:mod:`sdcc.conversion`). Twisted takes
OpenSSL along, for 14 MB: :mod:`sdcc.network.security` lets it in where TLS is configured. What is there
already stays.
"""

from __future__ import annotations

import sys


def _keep_away(name: str) -> None:
    sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # so importing it fails


if "pydicom" not in sys.modules:
    _keep_away("numpy")
_keep_away("OpenSSL")
