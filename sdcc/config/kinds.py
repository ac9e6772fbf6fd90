"""What values SDCC's own keys may have, beyond the kinds of :mod:`sdcc.config.reading`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sdcc import conformance
from sdcc.config.reading import HOST, PATH, Kind, NotAllowed, shown, text
from sdcc.standard_classes import other_name, private_storage_class, standard_storage_classes
from sdcc.uid import is_uid

SQLITE = "sqlite:///"
POSTGRESQL = re.compile(r"postgresql://(?P<user>[^@/?]*@)?(?P<hosts>[^/?#]*)(?P<database>/[^/@?]*)?(\?.*)?")
_PLACE = re.compile(r"(\[[^]@]*\]|[^:@]*)(:(?P<port>[0-9]*))?")
_ENDPOINT = re.compile(r"(tcp6?|ssl):[0-9]{1,5}(:.+)?|(unix|systemd):.+")


def _additional_classes(value: object) -> tuple[conformance.SOPClass, ...]:
    words = [value] if value == "standard" else value
    if not isinstance(words, list):
        raise NotAllowed
    found: dict[str, conformance.SOPClass] = {}
    for word in words:
        found.update(standard_storage_classes() if word == "standard" else _additional_class(text(word)))
    return tuple(c for uid, c in found.items() if uid not in conformance.sop_classes())


def _additional_class(uid: str) -> Mapping[str, conformance.SOPClass]:
    if not is_uid(uid):
        raise NotAllowed(f"{shown(uid)} is no UID")
    if (name := other_name(uid)) is not None:
        raise NotAllowed(f"{shown(uid)} is {name}")
    return {uid: standard_storage_classes().get(uid) or private_storage_class(uid)}


def _index_url(value: object) -> str:
    url = text(value)
    if not url:
        return url
    if url.startswith(SQLITE):
        PATH.read(url.removeprefix(SQLITE))
        return url
    if (parts := POSTGRESQL.fullmatch(url)) is None:
        raise NotAllowed
    for place in parts["hosts"].split(","):
        if (found := _PLACE.fullmatch(place)) is None or int(found["port"] or 1) not in range(1, 65536):
            raise NotAllowed("a port is from 1 to 65535; in a password, / : @ ? % are %2F %3A %40 %3F %25")
    return url


def _index_url_below(url: str, directory: Path) -> str:
    return f"{SQLITE}{directory / url.removeprefix(SQLITE)}" if url.startswith(SQLITE) else url


def _endpoint(value: object) -> str:
    if not _ENDPOINT.fullmatch(text(value)):
        raise NotAllowed
    return text(value)


def _audit_destination(value: object) -> str:
    where = text(value)
    kind, _, rest = where.partition(":")
    if kind in ("udp", "tcp"):
        host, _, port = rest.rpartition(":")
        HOST.read(host.removeprefix("[").removesuffix("]"))
        if not (port.isdecimal() and port.isascii() and int(port) in range(1, 65536)):
            raise NotAllowed("a port is from 1 to 65535")
    else:
        PATH.read(rest if kind == "unix" else where)
    return where


def _audit_destination_below(where: str, directory: Path) -> str:
    kind, _, rest = where.partition(":")
    if kind in ("udp", "tcp"):
        return where
    return f"unix:{directory / rest}" if kind == "unix" else str(directory / where)


def _audit_source_id(value: object) -> str:
    if not text(value).isprintable():
        raise NotAllowed
    return text(value)


ADDITIONAL_CLASSES = Kind(
    'an array of Storage SOP Class UIDs, or "standard" for all that PS3.4 Annex B defines',
    _additional_classes,
)
INDEX_URL = Kind(
    '"", "sqlite:///path" or "postgresql://user@host:5432/database"', _index_url, _index_url_below
)
ENDPOINT = Kind('a server endpoint such as "tcp:11122:interface=127.0.0.1" or "unix:path"', _endpoint)
AUDIT_DESTINATION = Kind(
    'the path of a file, "udp:host:port", "tcp:host:port" or "unix:/dev/log"',
    _audit_destination,
    _audit_destination_below,
)
AUDIT_SOURCE_ID = Kind("a text without control characters", _audit_source_id)
