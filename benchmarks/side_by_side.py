"""What SDCC and other receivers cost, side by side.

    python -m benchmarks.side_by_side [--quick] [--receivers …] [--work …] [--sdcc NAME=PYTHON]

Run it from the clone's directory, with the packages for the tests installed.
Rounds are interleaved: in each, every receiver has its turn at a cell before the next cell begins.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

from .receivers import RECEIVERS, sdcc_of
from .report import as_text, faults, table
from .work import WORKS, measure


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
    return name, sdcc_of(python)


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
    parser.add_argument("--json", type=Path, help="a file to keep the raw results in")
    return parser.parse_args()


def receivers(chosen):
    found = {name: RECEIVERS[name] for name in chosen.receivers} | dict(chosen.sdcc)
    for name in [name for name, receiver in found.items() if not receiver.is_installed()]:
        print(f"{name} is left out: it is not installed", file=sys.stderr)
        del found[name]
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
    results = []
    rounds = chosen.rounds or (1 if chosen.quick else 5)
    for number in range(rounds):
        for letter, associations, count in cells(chosen):
            turn = number % len(found)
            order = list(found)[turn:] + list(found)[:turn]
            for name in order:
                print(
                    f"round {number + 1} of {rounds}: ({letter}) over {associations}: {name}", file=sys.stderr
                )
                results.append(
                    {"receiver": name, "work": letter, "associations": associations, "round": number + 1}
                    | attempt(partial(measure, found[name], letter, associations, count))
                )
    return results


def attempt(measured):
    """A receiver that fails is shown as such, and does not end the others' rounds."""
    try:
        return measured()
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}


def main():
    chosen = arguments()
    found = receivers(chosen)
    results = run(chosen, found)
    results.sort(key=lambda result: list(found).index(result["receiver"]))
    if chosen.json:
        chosen.json.write_text(json.dumps(results))
    for title, rows in table(results, next(iter(found))):
        print(f"\n{title}", *as_text(rows), sep="\n")
    print()
    for fault in faults(results):
        print(fault)


if __name__ == "__main__":
    main()
