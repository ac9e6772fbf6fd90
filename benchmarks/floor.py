"""What durability alone costs on this machine, whatever a receiver is written in.

    python -m benchmarks.floor [--directory DIRECTORY] [--rounds 5] [--against storescp] [--json FILE]

A plain loop makes the system calls of SDCC's way to durability, and no others: nothing is received, parsed or
answered. It takes as many objects at a time as associations could have brought, with one sync of the
directory and one COMMIT for all of them. What it is compared with has its turns in the same rounds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from .bare_loop import Loop
from .choices import names
from .figures import by_cell, faults
from .machine import description
from .page import fill_in, simple_table
from .receivers import OTHERS
from .report import as_text
from .rounds import cells, run
from .targets import TARGETS
from .work import WORKS

#: How the objects that are there at a time are stored, by the columns' titles.
WAYS = {
    "no sync": {"durable": False},
    "in turn": {},
    "4 threads": {"fewest_associations": 4, "threads": 4},
    "8 threads": {"fewest_associations": 8, "threads": 8},
    "4 loops": {"fewest_associations": 16, "loops": 4},
}
DURABLE = [way for way, values in WAYS.items() if values.get("durable", True)]
HASHED = ", SHA-256"
#: Of the rates of SDCC on SQLite, for what the loop stores.
COMPARABLE = [
    target
    for target in TARGETS
    if target.work in "ab" and target.receiver == "sdcc-sqlite" and target.figure == "rate"
]


def receivers(against):
    """The loop in all ways, and what it is compared with."""
    found = {
        way + HASHED * hashed: type("Loop", (Loop,), {**values, "hashed": hashed})
        for hashed in (False, True)
        for way, values in WAYS.items()
    }
    return found | {name: OTHERS[name] for name in against if OTHERS[name].is_installed()}


def loop_table(results):
    """Objects a second."""
    rows = [["work", "at a time", "SHA-256", *WAYS, "CPU ms in turn"]]
    for (letter, group), found in by_cell(results).items():
        for hashed in (suffix for suffix in ("", HASHED) if f"in turn{suffix}" in found):
            rates = [f"{found[way + hashed]['rate']:,.0f}" if way + hashed in found else "-" for way in WAYS]
            which = f"({letter}) {WORKS[letter].title}", f"{group}", "yes" if hashed else "no"
            rows.append([*which, *rates, f"{found['in turn' + hashed]['processor']:.2f}"])
    return rows


def reach_table(results):
    """What is asked of SDCC against others, beside what the loop has against them in its best way.

    Who writes a large object while it comes has no more to wait for than with a small one: what the loop does
    not reach even with small ones is out of reach.
    """
    rows = [
        ["work", "over", "against", "a second", "loop", "ratio", "SHA-256", "at least", "left ms", "and so"]
    ]
    measured = by_cell(results)
    for target in COMPARABLE:
        for associations in target.associations:
            cell = measured.get((target.work, associations), {})
            if target.against in cell:
                small = best(measured["b", associations])
                rows.append(_reach(target, associations, cell, small))
    return rows


def tables(results):
    """By the names of their places in the page."""
    return {"loop": loop_table(results), "reach": reach_table(results)}


def best(found, suffixes=("", HASHED)):
    """The rate of the durable way that is the fastest; without its hash, one would be no slower."""
    ways = (way + suffix for way in DURABLE for suffix in suffixes)
    return max(found[way]["rate"] for way in ways if way in found)


def _reach(target, associations, found, small):
    theirs, ours = found[target.against]["rate"], best(found)
    asked = target.at_least * theirs
    if ours > asked:
        verdict = "not ruled out"
    else:
        verdict = "only if written before" if small > asked else "OUT OF REACH"
    return [
        f"({target.work}) {WORKS[target.work].title}",
        f"{associations}",
        target.against,
        f"{theirs:,.0f}",
        f"{ours:,.0f}",
        f"{ours / theirs:.2f}",
        f"{best(found, [HASHED]) / theirs:.2f}",
        f"{target.at_least:g}",
        f"{1e3 / asked - 1e3 / ours:.2f}" if ours > asked else "-",
        verdict,
    ]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--directory", help="on the disk that is measured; default: that of temporary files")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    known = dict.fromkeys(target.against for target in COMPARABLE)
    parser.add_argument(
        "--against", type=names(known), default=["storescp"], help=f"of {','.join(known)}; default: storescp"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="to keep the raw results in")
    parser.add_argument(
        "--from", type=Path, nargs="+", metavar="FILE", dest="earlier", help="show those of earlier runs"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIRECTORY", help="where performance.rst is to be filled in: docs"
    )
    parser.set_defaults(work=["a", "b"], associations=[1, 4, 16], quick=False)
    return parser.parse_args()


def measured(chosen):
    """A run, as JSON has it."""
    tempfile.tempdir = chosen.directory
    results, versions = run(receivers(chosen.against), list(cells(chosen)), chosen.rounds)
    return {"machine": description(), "versions": versions, "rounds": chosen.rounds, "results": results}


def main():
    chosen = arguments()
    runs = [json.loads(file.read_text()) for file in chosen.earlier or ()] or [measured(chosen)]
    if chosen.json:
        chosen.json.write_text(json.dumps(runs[0], indent=1))
    results = [result for each in runs for result in each["results"]]
    shown = tables(results)
    for rows in shown.values():
        print("", *as_text(rows), sep="\n")
    print("", *faults(results), sep="\n")
    if chosen.output:
        fill_in(chosen.output, {name: simple_table(rows) for name, rows in shown.items()})


if __name__ == "__main__":
    main()
