"""What values SDCC's own keys may have, beyond the kinds of :mod:`sdcc.config.reading`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sdcc import conformance
from sdcc.config.endpoints import PRIVATE, PUBLIC, Endpoint
from sdcc.config.reading import HOST, PATH, Kind, NotAllowed, shown, text
from sdcc.standard_classes import other_name, private_storage_class, standard_storage_classes
from sdcc.uid import is_uid

SQLITE = "sqlite:///"
POSTGRESQL = re.compile(r"postgresql://(?P<user>[^@/?]*@)?(?P<hosts>[^/?#]*)(?P<database>/[^/@?]*)?(\?.*)?")
_PLACE = re.compile(r"(\[[^]@]*\]|[^:@]*)(:(?P<port>[0-9]*))?")
_LOGGER = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
#: From the least to the most that an event can matter, by Twisted's names.
LOG_LEVELS = ("debug", "info", "warn", "error", "critical")
LOG_FORMATS = ("text", "json")
#: What of a study an argument of a command may have, in braces.
PLACEHOLDERS = (
    *("study_instance_uid", "patient_id", "accession_number", "series", "instances", "bytes"),
    *("calling_ae", "called_ae", "last_received_at", "stable_at"),
)
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


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


def _log_file(value: object) -> object:
    return PATH.read(value) if text(value) else None


def _log_file_below(value: Path | None, directory: Path) -> Path | None:
    return None if value is None else directory / value


def _log_levels(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise NotAllowed
    for name, level in value.items():
        if not _LOGGER.fullmatch(name):
            raise NotAllowed(f"{shown(name)} is no logger's name")
        if level not in LOG_LEVELS:
            raise NotAllowed(f"{shown(level)} is no level")
    return tuple(value.items())


def _endpoint(mode: str) -> Kind:
    """A server endpoint, that this host alone can reach unless it says otherwise.

    :param mode: of a socket file that says none.
    """

    def read(value: object) -> str:
        try:
            return str(Endpoint.read(text(value), mode))
        except ValueError as error:
            raise NotAllowed(str(error)) from None

    allowed = 'a server endpoint such as "tcp:11122" (127.0.0.1 unless interface= is another) or "unix:path"'
    return Kind(allowed, read, _endpoint_below)


def _endpoint_below(endpoint: str, directory: Path) -> str:
    return str(Endpoint.read(endpoint).below(directory))


def _command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise NotAllowed
    arguments = tuple(map(text, value))
    if any("\0" in argument for argument in arguments):
        raise NotAllowed
    if arguments and (not arguments[0] or ("/" in arguments[0] and not arguments[0].startswith("/"))):
        raise NotAllowed(f"{shown(arguments[0])} is neither an absolute path nor a name")
    for name in _PLACEHOLDER.findall(" ".join(arguments)):
        if name not in PLACEHOLDERS:
            raise NotAllowed(f"{shown(f'{{{name}}}')} is unknown; there are {', '.join(PLACEHOLDERS)}")
    return arguments


def _web_url(value: object) -> str:
    url = text(value)
    if url and (not url.isascii() or not url.isprintable() or " " in url or not _is_web_url(url)):
        raise NotAllowed
    return url


def _is_web_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and "@" not in parts.netloc
            and not parts.fragment
            and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        return False


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


COMMAND = Kind(
    "an array of texts: a command, as an absolute path or a name in PATH, and its arguments",
    _command,
)
WEB_URL = Kind('"", or a URL such as "https://host:8443/path" without user and fragment', _web_url)
ADDITIONAL_CLASSES = Kind(
    'an array of Storage SOP Class UIDs, or "standard" for all that PS3.4 Annex B defines',
    _additional_classes,
)
INDEX_URL = Kind(
    '"", "sqlite:///path" or "postgresql://user@host:5432/database"', _index_url, _index_url_below
)
#: For what whoever is on this host may read, at a port or in a file.
PUBLIC_ENDPOINT = _endpoint(PUBLIC)
#: For what the owner of the server alone may do.
PRIVATE_ENDPOINT = _endpoint(PRIVATE)
LOG_FILE = Kind('a path, or "" for where twistd writes', _log_file, _log_file_below)
LEVELS_OF_LOGGERS = Kind(
    'a table of loggers\' names and levels, such as { sdcc = "info", "sdcc.association" = "debug" }; '
    f"levels: {', '.join(LOG_LEVELS)}",
    _log_levels,
)
AUDIT_DESTINATION = Kind(
    'the path of a file, "udp:host:port", "tcp:host:port" or "unix:/dev/log"',
    _audit_destination,
    _audit_destination_below,
)
AUDIT_SOURCE_ID = Kind("a text without control characters", _audit_source_id)
