"""Every page is sound reStructuredText, and its links to other files and their sections lead somewhere."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from docutils import nodes
from docutils.core import publish_doctree
from docutils.utils import Reporter, SystemMessage

TREE = Path(__file__).parent.parent
SETTINGS = {"report_level": Reporter.WARNING_LEVEL, "halt_level": Reporter.WARNING_LEVEL}


@cache
def read(page: Path) -> nodes.document:
    """:raises SystemMessage: the page is not sound."""
    return publish_doctree(page.read_text("utf-8"), str(page), settings_overrides=SETTINGS)


def dead_links(page: Path) -> list[str]:
    """Links to files of the project, or to sections of pages, that are not there.

    :raises SystemMessage: the page is not sound, or one that it leads to.
    """
    links = [urlsplit(reference.get("refuri", "")) for reference in read(page).findall(nodes.reference)]
    return [link.geturl() for link in links if not (link.scheme or leads_somewhere(page, link))]


def leads_somewhere(page: Path, link: SplitResult) -> bool:
    file = (page.parent / unquote(link.path)).resolve() if link.path else page
    return file.exists() and (not link.fragment or link.fragment in read(file).ids)


def main() -> int:
    faults = 0
    for page in (TREE / "README.rst", *sorted((TREE / "docs").glob("*.rst"))):
        try:
            dead = dead_links(page)
        except SystemMessage:  # docutils has said what is wrong
            dead = []
            faults += 1
        for file in dead:
            print(f"{page}: there is no {file}", file=sys.stderr)
        faults += len(dead)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
