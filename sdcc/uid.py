"""What a UID looks like."""

from __future__ import annotations

import re

_UID = re.compile(r"(?=.{1,64}\Z)[0-9]+(\.[0-9]+)*")


def is_uid(text: str) -> bool:
    """Whether a text is a UID: 1 to 64 characters, components of digits between dots (PS3.5 9.1).

    A component may begin with zeros. The standard forbids it, but devices that do so are many, and
    such a UID identifies its object as well as any other. As a part of a path it is safe.
    """
    return _UID.fullmatch(text) is not None
