"""Medians over the rounds, and tables of them."""

from __future__ import annotations

from statistics import median

from .work import WORKS


def percentile(ascending, share):
    """The smallest value that so many of 100 do not exceed."""
    return ascending[max(0, -(-len(ascending) * share // 100) - 1)]


def figures(cell):
    """A cell's raw result by what is shown of it."""
    answers = cell["answers"]
    done = len(answers)
    return {
        "rate": done / cell["seconds"],
        "megabytes": cell["bytes"] / 1e6 / cell["seconds"],
        "p50": 1e3 * percentile(answers, 50),
        "p99": 1e3 * percentile(answers, 99),
        "processor": 1e3 * cell["processor_seconds"] / done,
        "processor_megabyte": 1e9 * cell["processor_seconds"] / cell["bytes"] if cell["bytes"] else None,
        "memory": cell["peak_memory"] / 1e6,
        "sender": 100 * cell["sender_processor_seconds"] / cell["seconds"],
    }


def medians(cells):
    """Of the figures of one cell's rounds."""
    rounds = [figures(cell) for cell in cells]
    return {
        name: None if value is None else median(each[name] for each in rounds)
        for name, value in rounds[0].items()
    }


def by_cell(results):
    """The rounds that did not fail, by (work, associations) and then by receiver."""
    found = {}
    for result in results:
        if "failed" not in result:
            cell = found.setdefault((result["work"], result["associations"]), {})
            cell.setdefault(result["receiver"], []).append(result)
    return found


def faults(results):
    """A sentence for everything that is not as acknowledged."""
    for result in results:
        where = (
            f"{result['receiver']}, {result['work']} over {result['associations']}, round {result['round']}"
        )
        if "failed" in result:
            yield f"{where}: failed: {result['failed']}"
            continue
        taken = result["statuses"].get("0000", 0)
        if taken != len(result["answers"]):
            yield f"{where}: statuses {result['statuses']}"
        for kept in ("files", "registered"):
            if result.get(kept) not in (None, taken):
                yield f"{where}: {taken} acknowledged, {result[kept]} {kept}"


COLUMNS = (
    ("a second", "rate", "{:,.1f}"),
    ("MB/s", "megabytes", "{:,.1f}"),
    ("p50 ms", "p50", "{:.2f}"),
    ("p99 ms", "p99", "{:.2f}"),
    ("CPU ms each", "processor", "{:.2f}"),
    ("CPU ms/MB", "processor_megabyte", "{:.2f}"),
    ("peak MB", "memory", "{:.0f}"),
    ("sender CPU %", "sender", "{:.0f}"),
)


def table(results, reference):
    """Rows of text, with a title's first, for each cell.

    :param reference: the receiver that all are compared with.
    """
    for (letter, associations), receivers in sorted(by_cell(results).items()):
        yield f"({letter}) {WORKS[letter].title}, over {associations}", _rows(receivers, reference)


def _rows(receivers, reference):
    found = {name: medians(cells) for name, cells in receivers.items()}
    compared = found.get(reference)
    rows = [["receiver", "ratio", *(title for title, _, _ in COLUMNS)]]
    for name, each in found.items():
        ratio = f"{each['rate'] / compared['rate']:.2f}" if compared else "-"
        shown = ("-" if each[key] is None else form.format(each[key]) for _, key, form in COLUMNS)
        rows.append([name, ratio, *shown])
    return rows


def as_text(rows):
    """Columns of one width each, the first to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *others = (
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join((first, *others))
