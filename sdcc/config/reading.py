"""Reads TOML tables into dataclasses, and notes everything that is wrong with them.

Each field of such a dataclass is ``Annotated`` with the :class:`Kind` of its values; reading,
checking, defaults and error texts all come from there. This module knows no key of SDCC.
"""

from __future__ import annotations

import difflib
import functools
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
#: In a URL: between the user and the last "@", for one may stand in it, or a parameter.
_PASSWORD = re.compile(r"(?<=://)(?P<user>[^:/@]*):.*@|(?P<key>[?&]\w*password=)[^&]*")
_SIZE = re.compile(r"([0-9]+) ?(B|KiB|MiB|GiB|TiB)")
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


class Dataclass(Protocol):
    """A dataclass whose fields are annotated with their kinds."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=Dataclass)


class NotAllowed(Exception):
    """A value is not of its kind. The text, where there is one, says what `Kind.allowed` does not."""


def _unplaced(value: object, directory: Path) -> object:
    return value


@dataclass(frozen=True, slots=True)
class Kind:
    """What the values of a key may be."""

    #: In words, for the error.
    allowed: str
    #: From the value as TOML gives it; raises :class:`NotAllowed`.
    read: Callable[[object], object]
    #: Makes what `read` gave, or a default, absolute from a directory.
    place: Callable[[Any, Path], object] = _unplaced


# --- kinds ---------------------------------------------------------------------------------


def text(value: object) -> str:
    """The value, if it is text."""
    if not isinstance(value, str):
        raise NotAllowed
    return value


def whole(low: int, high: int, note: str = "") -> Kind:
    """A whole number within both bounds."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise NotAllowed
        return value

    return Kind(f"a whole number from {low} to {high}" + (f" ({note})" if note else ""), read)


def seconds(low: float, high: float, note: str = "") -> Kind:
    """A time within both bounds."""

    def read(value: object) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
            raise NotAllowed
        return float(value)

    return Kind(f"seconds from {low:g} to {high:g}" + (f" ({note})" if note else ""), read)


def size(low: str, high: str, note: str = "") -> Kind:
    """A number of bytes within both bounds, each given as the file would."""
    lowest, highest = _bytes(low), _bytes(high)

    def read(value: object) -> int:
        if not lowest <= (number := _bytes(value)) <= highest:
            raise NotAllowed
        return number

    allowed = f'a number of bytes or a text such as "512 KiB" (B, KiB, MiB, GiB, TiB), from {low} to {high}'
    return Kind(allowed + (f" ({note})" if note else ""), read)


def _bytes(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if (match := _SIZE.fullmatch(text(value))) is None:
        raise NotAllowed
    return int(match[1]) * _UNITS[match[2]]


def one_of(*words: str) -> Kind:
    """One of a few words."""

    def read(value: object) -> str:
        if value not in words:
            raise NotAllowed
        return text(value)

    return Kind(_either(words), read)


def some_of(*words: str) -> Kind:
    """An array of any of a few words, read as a set."""

    def read(value: object) -> frozenset[str]:
        if not isinstance(value, list) or not all(word in words for word in value):
            raise NotAllowed
        return frozenset(value)

    return Kind(f"an array of {_either(words)}", read)


def _either(words: Iterable[str]) -> str:
    return " or ".join(f'"{word}"' for word in words)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise NotAllowed
    return value


def _ae_title(value: object) -> str:
    title = text(value).strip(" ")
    if not _AE_TITLE.fullmatch(title):
        raise NotAllowed
    return title


def _ip_address(value: object) -> str:
    try:
        return str(ipaddress.ip_address(text(value)))
    except ValueError:
        raise NotAllowed from None


def _host(value: object) -> str:
    name = text(value)
    labels = name.removesuffix(".").split(".")
    # RFC 3696 2: a last label of digits alone is an address gone wrong.
    if len(name) > 253 or labels[-1].isdigit() or not all(_LABEL.fullmatch(label) for label in labels):
        return _ip_address(value)
    return name


def _path(value: object) -> Path:
    if not text(value) or "\0" in text(value):
        raise NotAllowed
    return Path(text(value))


def _below(value: Path, directory: Path) -> Path:
    return directory / value


BOOLEAN = Kind("true or false", _boolean)
#: PS3.5 6.2, VR AE. Outer spaces do not count and are taken off.
AE_TITLE = Kind("1 to 16 printable ASCII characters, without a backslash, beside outer spaces", _ae_title)
IP_ADDRESS = Kind('an IP address, "0.0.0.0" or "::" for all', _ip_address)
HOST = Kind("an IP address or a host name", _host)
PATH = Kind("a path", _path, _below)


# --- tables --------------------------------------------------------------------------------


def shown(value: object) -> str:
    """A value as TOML would write it, in ASCII; the passwords of a URL are not shown."""
    return json.dumps(_PASSWORD.sub(_hidden, value) if isinstance(value, str) else value, default=str)


def _hidden(password: re.Match[str]) -> str:
    return f"{password['key']}***" if password["key"] else f"{password['user']}:***@"


class Reader:
    """Reads a document table by table.

    :param directory: where relative paths start; absolute.
    :ivar problems: what is wrong so far, a line each, without the file's name.
    """

    def __init__(self, document: Mapping[str, object], directory: Path) -> None:
        self.problems: list[str] = []
        self._document = document
        self._directory = directory
        #: Name of a table to the key that shows it.
        self._tables: dict[str, str] = {}

    def table(self, name: str, cls: type[T]) -> T | None:
        """``[name]`` as an object of `cls`; None where there is no such table, or a problem within it."""
        key = self._tables[name] = f"[{name}]"
        table = self._document.get(name, {})
        if not isinstance(table, dict):
            self.problems.append(f"{name}: must be a table; write {key}")
            return None
        return self._object(key, table, cls) if name in self._document else None

    def tables(self, name: str, cls: type[T]) -> dict[str, T]:
        """Each ``[[name]]`` without a problem, by a key that shows it; they count from 1."""
        key = self._tables[name] = f"[[{name}]]"
        tables = self._document.get(name, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self.problems.append(f"{name}: must be an array of tables; write {key}")
            return {}
        keys = [f"{key}[{number}]" for number in range(1, len(tables) + 1)]
        objects = {k: self._object(k, table, cls) for k, table in zip(keys, tables, strict=True)}
        return {k: found for k, found in objects.items() if found is not None}

    def default(self, cls: type[T]) -> T:
        """An object of `cls`, which must have a default for each field."""
        return cls(**self._defaults(cls))

    def end(self) -> None:
        """To be called when every table has been asked for: the others are unknown."""
        unknown = [name for name in self._document if name not in self._tables]
        self.problems += [_unknown(_key(name), name, self._tables) for name in unknown]

    def _object(self, key: str, table: Mapping[str, object], cls: type[T]) -> T | None:
        kinds = _kinds(cls)
        names = {name: name for name in kinds}
        values = self._defaults(cls)
        before = len(self.problems)
        for name, value in table.items():
            if name not in kinds:
                self.problems.append(_unknown(f"{key}.{_key(name)}", name, names))
                continue
            try:
                values[name] = kinds[name].place(kinds[name].read(value), self._directory)
            except NotAllowed as error:
                reason = f"{error}; " if str(error) else ""
                self.problems.append(f"{key}.{name} = {shown(value)}: {reason}allowed: {kinds[name].allowed}")
        missing = [name for name in kinds if name not in table and name not in values]
        self.problems += [f"{key}.{name}: missing; allowed: {kinds[name].allowed}" for name in missing]
        return cls(**values) if len(self.problems) == before else None

    def _defaults(self, cls: type[T]) -> dict[str, Any]:
        kinds = _kinds(cls)
        defaults = {field.name: field.default for field in fields(cls) if field.default is not MISSING}
        return {
            name: None if default is None else kinds[name].place(default, self._directory)
            for name, default in defaults.items()
        }


@functools.cache
def _kinds(cls: type[T]) -> dict[str, Kind]:
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name].__metadata__[0] for field in fields(cls)}


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else shown(name)


def _unknown(key: str, name: str, allowed: Mapping[str, str]) -> str:
    """:param allowed: name to the text that shows it."""
    near = difflib.get_close_matches(name, allowed, n=1)
    hint = f"did you mean {allowed[near[0]]}? " if near else ""
    return f"{key}: unknown; {hint}allowed: {', '.join(allowed.values())}"
