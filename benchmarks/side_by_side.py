"""What SDCC and other receivers cost, side by side.

    python -m benchmarks.side_by_side [--quick] [--receivers …] [--work …] [--sdcc NAME=PYTHON]

Run it from the clone's directory, with the packages for the tests installed.
Rounds are interleaved: in each, every receiver has its turn at a cell before the next cell begins.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .choices import names, numbers
from .figures import faults
from .machine import description
from .page import fill_in, side_by_side_parts
from .receivers import OTHERS
from .report import as_text, cell_tables, target_table
from .rounds import cells, run
from .sdcc_receivers import OURS, SDCCOnPostgreSQL, of_interpreter
from .targets import NOT_MEASURED
from .work import WORKS

RECEIVERS = OURS | OTHERS


def named(text):
    name, _, python = text.partition("=")
    if not Path(python).is_file():
        raise argparse.ArgumentTypeError(f"{text}: not NAME=PYTHON")
    return name, python


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--receivers", type=names(RECEIVERS), default=list(RECEIVERS), help="default: all")
    parser.add_argument(
        "--sdcc",
        type=named,
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help="one more: the SDCC of another interpreter",
    )
    parser.add_argument("--work", type=names(WORKS), default=list(WORKS), help="default: all")
    parser.add_argument(
        "--associations",
        type=numbers,
        help="default: 1,4,16; with --quick, 1,16",
    )
    parser.add_argument("--rounds", type=int, help="default: 5; with --quick, 1")
    parser.add_argument("--quick", action="store_true", help="less of everything, within two minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="to keep the raw results in")
    parser.add_argument(
        "--from", type=Path, metavar="FILE", dest="earlier", help="show the raw results of an earlier run"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIRECTORY", help="where performance.rst is to be filled in: docs"
    )
    chosen = parser.parse_args()
    chosen.associations = chosen.associations or ([1, 16] if chosen.quick else [1, 4, 16])
    chosen.rounds = chosen.rounds or (1 if chosen.quick else 5)
    return chosen


def receivers(chosen):
    """By name, in the order of :data:`RECEIVERS`; those that are not installed are said to be left out."""
    found = {name: receiver for name, receiver in RECEIVERS.items() if name in chosen.receivers}
    for name in [name for name, receiver in found.items() if not receiver.is_installed()]:
        print(f"{name} is left out: it is not installed")
        del found[name]
    for name, python in chosen.sdcc:
        found[name] = of_interpreter(python)
        if "sdcc-postgresql" in found:
            found[f"{name}-postgresql"] = of_interpreter(python, SDCCOnPostgreSQL)
    if not found:
        sys.exit("no receiver is left")
    return found


def measured(chosen):
    """A run, as JSON has it."""
    results, versions = run(receivers(chosen), list(cells(chosen)), chosen.rounds)
    return {
        "machine": description(),
        "versions": versions,
        "rounds": chosen.rounds,
        "quick": chosen.quick,
        "results": results,
    }


def show(results, reference):
    for title, rows in cell_tables(results, reference):
        print(f"\n{title}", *as_text(rows), sep="\n")
    titles, *targets = target_table(results)
    if measured := [row for row in targets if row[-1] != NOT_MEASURED]:
        print("\nRatios of SDCC to others, and what they should be", *as_text([titles, *measured]), sep="\n")
    if found := list(faults(results)):
        print("\nNot as asked for or acknowledged", *found, sep="\n")


def main():
    chosen = arguments()
    found = json.loads(chosen.earlier.read_text()) if chosen.earlier else measured(chosen)
    reference = found["results"][0]["receiver"]
    show(found["results"], reference)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))
    if chosen.output:
        from .plot import draw  # noqa: PLC0415  # only who asks for it needs matplotlib

        fill_in(chosen.output, side_by_side_parts(found, reference))
        draw(found["results"], reference, chosen.output / "performance.png")


if __name__ == "__main__":
    main()
