"""What each part of a C-STORE costs: SDCC as it is, and with one part after the other left out.

    python -m benchmarks.parts [--work a,b] [--associations 1,4,16] [--rounds 3]

Each line leaves out all that those above it do, and one more: the difference is what that part takes where
it runs, with the waiting for it. Objects answered without it are lost, which is no fault here.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from . import without
from .choices import names, numbers
from .report import as_text, cell_tables
from .rounds import cells, run
from .sdcc_receivers import SDCC
from .work import WORKS


def receivers():
    found, left_out = {"all": SDCC}, []
    for part in without.PARTS:
        left_out.append(part)
        runner = (str(Path(without.__file__)), ",".join(left_out))
        found[f"- {part}"] = type(SDCC.__name__, (SDCC,), {"runner": runner})
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=names(WORKS), default=["a", "b"], help="default: a,b")
    parser.add_argument("--associations", type=numbers, default=[1, 4, 16], help="default: 1,4,16")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.set_defaults(quick=False)
    chosen = parser.parse_args()
    results, _ = run(receivers(), list(cells(chosen)), chosen.rounds)
    for title, rows in cell_tables(results, "all"):
        print(f"\n{title}", *as_text(rows), sep="\n")


if __name__ == "__main__":
    main()
