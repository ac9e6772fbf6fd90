"""Every page is sound reStructuredText, and its links to other files lead somewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from docutils import nodes
from docutils.core import publish_doctree
from docutils.utils import Reporter, SystemMessage

TREE = Path(__file__).parent.parent
SETTINGS = {"report_level": Reporter.WARNING_LEVEL, "halt_level": Reporter.WARNING_LEVEL}


def dead_links(page: Path) -> list[str]:
    """Links to files of the project that are not there.

    :raises SystemMessage: the page is not sound.
    """
    document = publish_doctree(page.read_text("utf-8"), str(page), settings_overrides=SETTINGS)
    links = [urlsplit(reference.get("refuri", "")) for reference in document.findall(nodes.reference)]
    files = [unquote(link.path) for link in links if not link.scheme]
    return [file for file in files if not (page.parent / file).exists()]


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
