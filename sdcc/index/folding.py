"""Person names as they are compared: without regard to case, and by component group (PS3.5 6.2.1).

Kept beside the names in columns of their own, as no database folds all of Unicode as another does.
Pure functions.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache

#: The component groups' places in a name, and what the patient's columns for them are called.
GROUPS = ("alphabetic", "ideographic", "phonetic")
#: Of the patient's name, by which most ask, each group has a column, for an index.
PATIENT_NAME_GROUPS = tuple(f"patient_name_{group}" for group in GROUPS)
#: Other names, by the column that holds all their values and groups folded.
FOLDED_NAMES: Mapping[str, str] = {
    "referring_physician_name": "referring_physician_name_folded",
    "name_of_physicians_reading_study": "name_of_physicians_reading_study_folded",
    "performing_physician_name": "performing_physician_name_folded",
    "operators_name": "operators_name_folded",
}


def folded(text: str) -> str:
    """Text as it is compared where case does not count: Unicode's simple case folding of its composed form.

    Simple: a character stays one, as `?` in a pattern is. So the letter ß is no ss.
    """
    if text.isascii():
        return text.lower()
    return "".join(map(_folded_character, unicodedata.normalize("NFC", text)))


def _folded_character(character: str) -> str:
    for candidate in (character.casefold(), character.lower()):
        if len(candidate) == 1:
            return candidate
    return character


def folded_group(text: str) -> str:
    """A component group as it is compared: trailing empty components do not count (PS3.5 6.2.1.1)."""
    return folded(text).strip(" ").rstrip("^ ")


# The next objects of a series hold the same names again.
@lru_cache(maxsize=1024)
def folded_patient_name(name: str | None) -> tuple[str, str, str] | tuple[None, None, None]:
    """The groups, in the order of :data:`GROUPS`; empty where the name has no such group, so that it
    takes the place of an earlier name's.

    :raises TypeError: it is no text.
    """
    if name is None:
        return None, None, None
    alphabetic, ideographic, phonetic = (*map(folded_group, str.split(name, "=", 2)), "", "")[:3]
    return alphabetic, ideographic, phonetic


@lru_cache(maxsize=1024)
def folded_names(names: str | None) -> str | None:
    """All groups of all values, with the delimiters between them.

    :raises TypeError: it is no text.
    """
    if names is None:
        return None
    return "\\".join(["=".join(map(folded_group, name.split("="))) for name in str.split(names, "\\")])
