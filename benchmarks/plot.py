"""Objects a second of every receiver, against SDCC on SQLite, as a picture."""

from __future__ import annotations

import matplotlib as mpl

from .figures import by_cell
from .work import WORKS

mpl.use("Agg")  # no display is needed
from matplotlib import pyplot

#: Of a cell, the part that all bars take.
FULL = 0.84


def draw(results, reference, path):
    """:param path: of the PNG."""
    cells = by_cell(results)
    cells = {cell: found for cell, found in cells.items() if found.get(reference, {}).get("rate")}
    receivers = list(dict.fromkeys(name for found in cells.values() for name in found if name != reference))
    width = FULL / max(1, len(receivers))
    figure, axes = pyplot.subplots(figsize=(14, 6), layout="constrained")
    for number, receiver in enumerate(receivers):
        bars = {
            place + width * (number - (len(receivers) - 1) / 2): found[receiver]["rate"]
            / found[reference]["rate"]
            for place, found in enumerate(cells.values())
            if receiver in found
        }
        # Bars grow from 1: what is slower hangs down.
        heights = [ratio - 1 for ratio in bars.values()]
        axes.bar(list(bars), heights, width, bottom=1, label=receiver)
    axes.set_yscale("log")
    axes.axhline(1, color="black", linewidth=1, label=reference)
    axes.set_xticks(range(len(cells)), [_label(*cell) for cell in cells], fontsize=8)
    axes.set_ylabel(f"objects, round trips or cycles a second, {reference} being 1")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(ncols=4, fontsize=9)
    # Metadata without a version or a date: the same figures make the same file.
    figure.savefig(path, dpi=100, metadata={"Software": None})
    pyplot.close(figure)


def _label(letter, associations):
    return f"({letter}) {WORKS[letter].title}\nover {associations}".replace(", ", "\n", 1)
