"""Cells in rounds: all receivers have their turns at one before the next begins, another first each time."""

from __future__ import annotations

import contextlib
import sys

from .work import WORKS, measure


def cells(chosen):
    """(work, associations, how many requests), as the command's arguments have chosen them."""
    for letter in chosen.work:
        work = WORKS[letter]
        if not work.can_be_done:
            print(f"({letter}) is left out: {work.program} is not installed")
            continue
        for associations in work.associations:
            if associations in chosen.associations:
                count = work.quick_count if chosen.quick else work.count
                yield letter, associations, max(count, associations)


def run(receivers, cells, rounds):
    """All results, a receiver's together, and the receivers' versions by their names."""
    names, results = list(receivers), []
    with contextlib.ExitStack() as needed:
        for receiver in receivers.values():
            needed.enter_context(receiver.prepared())
        versions = {name: receiver.version() for name, receiver in receivers.items()}
        for number in range(1, rounds + 1):
            for place, cell in enumerate(cells):
                first = (number + place) % len(names)
                for name in names[first:] + names[:first]:
                    results += _attempt(receivers[name], cell, {"receiver": name, "round": number})
    return sorted(results, key=lambda result: names.index(result["receiver"])), versions


def _attempt(receiver, cell, which):
    """A cell's result, if the receiver can have it; one that fails does not end the others' rounds."""
    letter, associations, count = cell
    if not receiver.fewest_associations <= associations <= receiver.most_associations:
        return
    which = {**which, "work": letter, "associations": associations}
    print("round {round}: ({work}) over {associations}: {receiver}".format_map(which), file=sys.stderr)
    try:
        yield which | measure(receiver, letter, associations, count)
    except Exception as error:
        yield which | {"failed": f"{type(error).__name__}: {error}"}
