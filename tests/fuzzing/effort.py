"""How long the streams come: enough for CI, and as long as somebody wants to wait.

`SDCC_FUZZ_EXAMPLES` multiplies the number of examples of each test; `SDCC_FUZZ_SECONDS` is how long
a live server is under attack.
"""

from __future__ import annotations

import os

from hypothesis import settings

FACTOR = int(os.environ.get("SDCC_FUZZ_EXAMPLES", "1"))
SECONDS = float(os.environ.get("SDCC_FUZZ_SECONDS", "0"))


def examples(count: int) -> settings:
    """In CI the same ones in every run, so that a red run is this change's fault; in a longer run new ones.

    No deadline and no database: how long an example takes is the machine's affair, and what another
    run found is a regression test.
    """
    return settings(max_examples=count * FACTOR, derandomize=FACTOR == 1, deadline=None, database=None)
