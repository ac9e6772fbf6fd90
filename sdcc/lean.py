"""To be imported before anything else by a process that is to stay lean: the server.

pydicom takes numpy along where it finds it, and the decoders. The server uses nothing of them, and would pay
with 13 MB and a thread: they are for the processes that decode (:mod:`sdcc.conversion`). Where pydicom is
there already, nothing can be done any more, and nothing is.
"""

from __future__ import annotations

import sys

if "pydicom" not in sys.modules:
    sys.modules.setdefault("numpy", None)  # type: ignore[arg-type]  # so importing it fails
