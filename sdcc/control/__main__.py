"""`python -m sdcc.control` is `sdccctl`."""

from __future__ import annotations

import sys

from sdcc.control import main

sys.exit(main())
