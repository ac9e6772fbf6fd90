"""To be imported before anything else by processes that are to stay lean: the server, and `sdccctl`.

pydicom takes along what it finds of numpy, Pillow and decoders. These processes use nothing of it, and would
pay with 13 MB, a thread and half a second for numpy, and with 20 MB for Pillow and GDCM where they are: it is
for those that decode (:mod:`sdcc.conversion`). Twisted takes OpenSSL along, for 14 MB: who has a use for it
calls :func:`let_in`. What is there already stays.
"""

from __future__ import annotations

import sys


def _keep_away(name: str) -> None:
    sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # so importing it fails


def let_in(name: str) -> None:
    """Let a package be imported from now on that was kept away. What was imported without it stays so."""
    if sys.modules.get(name, sys) is None:
        del sys.modules[name]


if "pydicom" not in sys.modules:
    for _name in ("numpy", "PIL", "gdcm", "jpeg_ls"):
        _keep_away(_name)
_keep_away("OpenSSL")
