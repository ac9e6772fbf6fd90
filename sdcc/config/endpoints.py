"""Server endpoints as the configuration names them, in Twisted's notation: `tcp:11122:interface=127.0.0.1`.

What is left out has the careful default: loopback alone, and of a socket file whom the key's kind lets in.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from pathlib import Path

#: Kind to what may follow its first word, each with its default; None: there is none.
OPTIONS: dict[str, dict[str, str | None]] = {
    "tcp": {"interface": "127.0.0.1", "backlog": None},
    "tcp6": {"interface": "::1", "backlog": None},
    "unix": {"mode": None, "backlog": None},
    "systemd": {"domain": "INET", "index": None, "name": None},
}
#: What a value may be, where Twisted would say at the start alone, and in no words of ours, that it is none.
VALUES = {
    "backlog": re.compile(r"[1-9][0-9]{0,8}"),
    "domain": re.compile(r"INET6?|UNIX"),
    "index": re.compile(r"[0-9]{1,4}"),
    "mode": re.compile(r"0?[0-7]{3}"),
}
#: Of a socket file: for its owner alone, or for all of this host.
PRIVATE, PUBLIC = "600", "666"
#: Where the first part is no word, but an option already.
NAMELESS = frozenset({"systemd"})
_SEPARATOR = re.compile(r"(?<!\\):")
_ASSIGNMENT = re.compile(r"(?<!\\)=")
_ESCAPED = re.compile(r"\\(.)")
_SPECIAL = re.compile(r"([\\:=])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a server listens."""

    kind: str
    #: A port's number, a path, or nothing.
    place: str
    options: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, text: str, mode: str = PRIVATE) -> Endpoint:
        """
        :param mode: of a socket file that says none.
        :raises ValueError: it is none that SDCC can listen on; the text may say more.
        """
        kind, *parts = _SEPARATOR.split(text)
        if kind not in OPTIONS:
            raise ValueError
        place = "" if kind in NAMELESS or not parts else _ESCAPED.sub(r"\1", parts.pop(0))
        if kind.startswith("tcp") and not (place.isascii() and place.isdigit() and int(place) <= 65535):
            raise ValueError("a port is from 0 to 65535")
        if kind == "unix" and (not place or "\0" in place):
            raise ValueError
        defaults = {**OPTIONS[kind], **({"mode": mode} if kind == "unix" else {})}
        options = {name: default for name, default in defaults.items() if default is not None}
        for part in parts:
            name, *values = _ASSIGNMENT.split(part)
            if name not in OPTIONS[kind] or len(values) != 1:
                raise ValueError(f"{kind} takes {', '.join(OPTIONS[kind])}, as name=value")
            options[name] = _ESCAPED.sub(r"\1", values[0])
            if name in VALUES and not VALUES[name].fullmatch(options[name]):
                raise ValueError(f"{options[name]!r} is no {name}")
        return cls(kind=kind, place=place, options=tuple(options.items()))

    def below(self, directory: Path) -> Endpoint:
        """With the path absolute, from a directory."""
        return replace(self, place=str(directory / self.place)) if self.kind == "unix" else self

    @property
    def interface(self) -> str:
        """Where a port listens; "" for what is none."""
        return dict(self.options).get("interface", "")

    @property
    def is_private(self) -> bool:
        """Whether this host alone can reach it, as far as the endpoint itself says."""
        try:
            return not self.kind.startswith("tcp") or ipaddress.ip_address(self.interface).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        """In Twisted's notation again."""
        words = [self.kind, *([] if self.kind in NAMELESS else [_escaped(self.place)])]
        return ":".join([*words, *(f"{name}={_escaped(value)}" for name, value in self.options)])


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
