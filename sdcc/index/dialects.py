"""Where the SQL of finding differs between the databases; all else of it is the same. Knows no table."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a database writes in its own way; `{text}` stands for an expression."""

    #: A parameter.
    mark: str
    #: The collation that compares code points.
    binary: str
    #: A column of text as an index has it that is in the order of code points.
    in_order: str
    #: Whether a text matches a pattern, which is a parameter.
    like: str
    #: The pattern of one in which `*` is any sequence of characters and `?` any one.
    pattern: Callable[[str], str]
    #: Whether a text or integer is one of a parameter's, and the parameter.
    one_of: str
    listed: Callable[[Sequence[str] | Sequence[int]], object]
    #: Whether it is one of those that a SELECT, `{rows}`, gives.
    one_of_rows: str
    #: A table of the parts between the backslashes of a text; their column is `value`.
    parts: str
    #: A table of the items of a sequence, which are its column `value`, their `field`, and all of them again.
    items: str
    of_item: str
    sequence: str
    #: The component group of a name at a place; NULL or empty where it has none.
    group: Callable[[str, int], str]
    #: The aggregate of texts, with a delimiter between them.
    joined: str
    #: A value as a parameter.
    parameter: Callable[[Any], object]
    #: Values by their types, from what the database gives.
    decoders: Mapping[type, Callable[[Any], object]] = field(default_factory=dict)


# --- SQLite --------------------------------------------------------------------------------


def _glob(pattern: str) -> str:
    return pattern.replace("[", "[[]")


def _json(values: Sequence[str] | Sequence[int]) -> str:
    return json.dumps(values, ensure_ascii=False)


def _iso(value: object) -> object:
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else value


#: An array of what stands between a delimiter: as JSON has them, a backslash is two.
_SQLITE_ARRAY = "'[' || replace(json_quote({text}), '{delimiter}', '\",\"') || ']'"


def _sqlite_group(text: str, place: int) -> str:
    return f"json_extract({_SQLITE_ARRAY.format(text=text, delimiter='=')}, '$[{place}]')"


SQLITE = Dialect(
    mark="?",
    binary="BINARY",
    # which is every column's; said of a part of a row, it would keep SQLite from seeing where a page begins
    in_order="{text}",
    like="{text} GLOB ?",
    pattern=_glob,
    one_of="{text} IN (SELECT value FROM json_each(?))",
    listed=_json,
    one_of_rows="{text} IN ({rows})",
    parts=f"json_each({_SQLITE_ARRAY.format(text='{text}', delimiter=chr(92) * 2)})",
    items="json_each({text})",
    of_item="json_extract(value, '$.{field}')",
    sequence="json_group_array(json(value))",
    group=_sqlite_group,
    joined="group_concat",
    parameter=_iso,
    decoders={
        datetime.date: datetime.date.fromisoformat,
        datetime.time: datetime.time.fromisoformat,
        datetime.datetime: datetime.datetime.fromisoformat,
    },
)


# --- PostgreSQL ----------------------------------------------------------------------------

_LIKE = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_", "*": "%", "?": "_"})

POSTGRESQL = Dialect(
    mark="%s",
    binary='"C"',
    in_order='{text} COLLATE "C"',
    like="{text} LIKE %s",
    pattern=lambda pattern: pattern.translate(_LIKE),
    one_of="{text} = ANY (%s)",
    listed=list,
    one_of_rows="{text} = ANY (ARRAY({rows}))",
    parts="unnest(string_to_array({text}, '\\')) AS parts (value)",
    items="jsonb_array_elements({text}::jsonb) WITH ORDINALITY AS items (value, place)",
    of_item="(value ->> '{field}')",
    sequence="jsonb_agg(value ORDER BY place)::text",
    group=lambda text, place: f"split_part({text}, '=', {place + 1})",
    joined="string_agg",
    parameter=lambda value: value,
)
