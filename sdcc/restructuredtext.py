"""Tables of reStructuredText, from values that may hold anything printable."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

#: Columns that a table's last column is wrapped to keep within, and the fewest that it keeps.
WIDTH = 100
LEAST_WIDTH = 30


def literal(text: str) -> str:
    """Text that stands for itself: one line of printable characters, with no space around it."""
    return f"``{text}``" if "`" not in text else re.sub(r"([^\w\s]|_)", r"\\\1", text)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A simple table. No cell is empty; the last column is wrapped."""
    table_rows = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*table_rows, strict=True)]
    widths[-1] = min(widths[-1], max(LEAST_WIDTH, WIDTH - sum(widths[:-1]) - 2 * (len(widths) - 1)))
    border = "  ".join("=" * width for width in widths)
    top, *lines = (line for row in table_rows for line in _lines(row, widths))
    return "\n".join([border, top, border, *lines, border])


def _lines(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    begin = "".join(f"{cell:{width}}  " for cell, width in zip(row[:-1], widths[:-1], strict=True))
    for line in textwrap.wrap(row[-1], widths[-1], break_long_words=False, break_on_hyphens=False):
        yield begin + line
        begin = " " * len(begin)
