"""Commands as a page of the documentation prints them: what is run is what an administrator types."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import docutils.core
import docutils.nodes

DOCS = Path(__file__).parent.parent / "docs"


@cache
def _page(name):
    settings = {"halt_level": 2, "report_level": 2, "syntax_highlight": "none"}
    return docutils.core.publish_doctree((DOCS / name).read_text("utf-8"), settings_overrides=settings)


def section(page, title):
    (found,) = [each for each in _page(page).findall(docutils.nodes.section) if each[0].astext() == title]
    return found


def commands(page, title=None):
    """The shell blocks right in a section, or before the first one."""
    within = _page(page) if title is None else section(page, title)
    return [
        block.astext()
        for block in within.children
        if isinstance(block, docutils.nodes.literal_block) and "sh" in block["classes"]
    ]


def first_column(page, title):
    """Of the table in a section."""
    (body,) = section(page, title).findall(docutils.nodes.tbody)
    return [row[0].astext() for row in body]
