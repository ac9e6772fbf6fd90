"""The measured parts of docs/performance.rst.

They stand between comments; what is around them is written by hand.
"""

from __future__ import annotations

import re

from sdcc.restructuredtext import table

from .figures import faults
from .report import aligned, cell_tables, target_table


def filled_in(page, parts):
    """The page with other lines in the parts that are given by name.

    :raises LookupError: it does not have one of them.
    """
    for name, lines in parts.items():
        pattern = rf"(?<=^\.\. measured: {name}\n).*?(?=^\.\. end of {name}$)"
        text = "\n" + "".join(f"{line}\n" for line in lines) + "\n"
        page, count = re.subn(pattern, lambda _, text=text: text, page, flags=re.MULTILINE | re.DOTALL)
        if count != 1:
            raise LookupError(f"{name} stands {count} times in the page")
    return page


def fill_in(directory, parts):
    """The page that is kept there."""
    page = directory / "performance.rst"
    page.write_text(filled_in(page.read_text("utf-8"), parts), "utf-8")


def side_by_side_parts(run, reference):
    """Of a run as JSON has it."""
    results = run["results"]
    return {
        "machine": list(machine(run)),
        "targets": simple_table(target_table(results)),
        "work": list(_tables(results, reference)),
        "faults": [f"- {fault}" for fault in faults(results)] or ["None."],
    }


def machine(run):
    """A definition list's lines."""
    how = f"{run['rounds']} round{'s' if run['rounds'] > 1 else ''}" + (
        ", quick: to be taken as no more than a sign of life" if run["quick"] else ""
    )
    versions = "; ".join(dict.fromkeys(run["versions"].values()))
    for name, value in {**run["machine"], "Programs": versions, "Run": how}.items():
        yield name
        yield f"    {value}"


def _tables(results, reference):
    for title, rows in cell_tables(results, reference):
        yield from (title, "-" * len(title), "", *simple_table(rows), "")


def simple_table(rows):
    """Its lines."""
    titles, *others = aligned(rows)
    return table(titles, others).splitlines()
