"""What SDCC and other receivers cost, side by side.

    python -m benchmarks.side_by_side [--quick] [--receivers …] [--work …] [--sdcc NAME=PYTHON]

Run it from the clone's directory, with the packages for the tests installed.
Rounds are interleaved: in each, every receiver has its turn at a cell before the next cell begins.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import sys
from pathlib import Path

from .figures import faults
from .machine import description
from .page import filled_in, side_by_side_parts
from .receivers import OTHERS
from .report import as_text, cell_tables, target_table
from .sdcc_receivers import OURS, SDCCOnPostgreSQL, of_interpreter
from .targets import NOT_MEASURED
from .work import WORKS, measure

RECEIVERS = OURS | OTHERS


def names(known):
    """A parser of names of these, between commas."""

    def parsed(text):
        chosen = text.split(",")
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not in {', '.join(known)}")
        return chosen

    return parsed


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
        type=lambda text: [int(number) for number in text.split(",")],
        default=[1, 4, 16],
        help="default: 1,4,16",
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
    return parser.parse_args()


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
    return found


def cells(chosen):
    """(work, associations, how many requests)."""
    for letter in chosen.work:
        work = WORKS[letter]
        for associations in work.associations:
            if associations in chosen.associations:
                count = work.quick_count if chosen.quick else work.count
                yield letter, associations, max(count, associations)


def run(chosen, found):
    """All rounds, as JSON has them."""
    rounds = chosen.rounds or (1 if chosen.quick else 5)
    results = []
    with contextlib.ExitStack() as needed:
        for receiver in found.values():
            needed.enter_context(receiver.prepared())
        versions = {name: receiver.version() for name, receiver in found.items()}
        turns = itertools.cycle(range(len(found)))
        for number in range(1, rounds + 1):
            for cell in cells(chosen):
                turn = next(turns)
                for name in (*list(found)[turn:], *list(found)[:turn]):
                    results += attempts(found[name], cell, {"receiver": name, "round": number})
    results.sort(key=lambda result: list(found).index(result["receiver"]))
    return {
        "machine": description(),
        "versions": versions,
        "rounds": rounds,
        "quick": chosen.quick,
        "results": results,
    }


def attempts(receiver, cell, which):
    """A cell's result, if the receiver can have it; one that fails does not end the others' rounds."""
    letter, associations, count = cell
    if associations > receiver.most_associations:
        return
    which = {**which, "work": letter, "associations": associations}
    print("round {round}: ({work}) over {associations}: {receiver}".format_map(which), file=sys.stderr)
    try:
        yield which | measure(receiver, letter, associations, count)
    except Exception as error:
        yield which | {"failed": f"{type(error).__name__}: {error}"}


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
    found = json.loads(chosen.earlier.read_text()) if chosen.earlier else run(chosen, receivers(chosen))
    reference = found["results"][0]["receiver"]
    show(found["results"], reference)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))
    if chosen.output:
        from .plot import draw  # noqa: PLC0415  # only who asks for it needs matplotlib

        page = chosen.output / "performance.rst"
        page.write_text(filled_in(page.read_text("utf-8"), side_by_side_parts(found, reference)), "utf-8")
        draw(found["results"], reference, page.with_suffix(".png"))


if __name__ == "__main__":
    main()
