"""Text from strangers and figures, made fit for a log line or a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with everything escaped that is no printable character: line breaks, terminal
    controls, marks that turn the writing direction."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def byte_count(count: int) -> str:
    """Bytes to three digits, in decimal units: `525 KB`."""
    size = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 999.5 or unit == "GB":
            break
        size /= 1000
    return f"{count} B" if unit == "B" else f"{size:.3g} {unit}"
