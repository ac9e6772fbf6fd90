"""Tables of what was measured, as rows of text with the titles first."""

from __future__ import annotations

from .figures import by_cell
from .targets import TARGETS
from .work import WORKS

COLUMNS = (
    ("a second", "rate", "{:,.1f}"),
    ("MB/s", "megabytes", "{:,.1f}"),
    ("p50 ms", "p50", "{:.2f}"),
    ("p99 ms", "p99", "{:.2f}"),
    ("CPU ms", "processor", "{:.2f}"),
    ("CPU ms/MB", "processor_megabyte", "{:.2f}"),
    ("peak MB", "memory", "{:.0f}"),
    ("sender %", "sender", "{:.0f}"),
    ("lost", "lost", "{:d}"),
)


def over(associations):
    return "one association" if associations == 1 else f"{associations} associations"


def cell_tables(results, reference):
    """A title and rows, for each cell.

    :param reference: the receiver that all are compared with.
    """
    for (letter, associations), receivers in by_cell(results).items():
        rows = _rows(receivers, receivers.get(reference))
        yield f"({letter}) {WORKS[letter].title}, over {over(associations)}", rows


def _rows(receivers, compared):
    rows = [["receiver", "ratio", *(title for title, _, _ in COLUMNS)]]
    for name, found in receivers.items():
        ratio = f"{found['rate'] / compared['rate']:.2f}" if compared and compared["rate"] else "-"
        shown = ("-" if found[key] is None else form.format(found[key]) for _, key, form in COLUMNS)
        rows.append([name, ratio, *shown])
    return rows


def target_table(results):
    cells = by_cell(results)
    rows = [["work", "associations", "SDCC on", "against", "ratio", "at least", "aim", "and so"]]
    for target in TARGETS:
        ratios = target.ratios(cells)
        rows.append(
            [
                f"({target.work}) {WORKS[target.work].title}",
                ", ".join(map(str, target.associations)),
                {"sdcc-sqlite": "SQLite", "sdcc-postgresql": "PostgreSQL"}[target.receiver],
                target.against,
                ", ".join(
                    f"{ratios[number]:.2f}" if number in ratios else "-" for number in target.associations
                ),
                f"{target.at_least:g}",
                f"{target.aim:g}",
                target.verdict(cells),
            ]
        )
    return rows


def aligned(rows):
    """The same, with columns of one width each; figures to the right."""
    columns = [
        [cell.rjust(width) if _is_figure(column[-1]) else cell.ljust(width) for cell in column]
        for column in zip(*rows, strict=True)
        for width in [max(map(len, column))]
    ]
    return list(zip(*columns, strict=True))


def as_text(rows):
    """Lines."""
    return ["  ".join(cells).rstrip() for cells in aligned(rows)]


def _is_figure(cell):
    return cell == "-" or cell[:1].isdigit()
