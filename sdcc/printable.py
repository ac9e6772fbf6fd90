"""Text from strangers and figures, made fit for a log line, a terminal, a file or a row."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping


def printable(text: str) -> str:
    """The text with everything escaped that is no printable character: line breaks, terminal
    controls, marks that turn the writing direction."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def ascii_json(values: Mapping[str, object]) -> str:
    """A JSON object in a line for programs: pure ASCII, without a control character."""
    return json.dumps(values).replace("\x7f", r"\u007f")


#: What no AE value holds (PS3.5 6.2): control characters, the backslash, all that is not ISO 646.
_NOT_IN_AE = re.compile(r"[^ -\[\]-~]")
AE_LENGTH = 16


def ae_value(title: str) -> str:
    """A stranger's AE title as an AE value: at most 16 characters, "?" for what none may hold."""
    return _NOT_IN_AE.sub("?", title).strip()[:AE_LENGTH].rstrip()


def byte_count(count: int) -> str:
    """Bytes to three digits, in decimal units: `525 KB`."""
    size = float(count)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            break
        size /= 1000
    return f"{count} B" if unit == "B" else f"{size:.3g} {unit}"
