"""The configuration: `sdcc.toml` as frozen dataclasses.

The dataclasses are the contract: a table each, a field a key, with its default and, in its
annotation, what is allowed. `etc/sdcc.toml` shows every key. This module reads that one file and
touches nothing else: whether a directory can be written or an address bound is for others.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from sdcc import conformance
from sdcc.config_reading import (
    AE_TITLE,
    BOOLEAN,
    HOST,
    IP_ADDRESS,
    PATH,
    Kind,
    NotAllowed,
    Reader,
    one_of,
    seconds,
    shown,
    size,
    some_of,
    text,
    whole,
)
from sdcc.standard_classes import other_name, private_storage_class, standard_storage_classes
from sdcc.uid import is_uid

#: The database within `[storage]` directory where `[index]` url is empty.
INDEX_FILE_NAME = "index.sqlite"

_SQLITE = "sqlite:///"
_POSTGRESQL = re.compile(r"postgresql://(?P<user>[^@/?]*@)?(?P<hosts>[^/?#]*)(?P<database>/[^/@?]*)?(\?.*)?")
_PLACE = re.compile(r"(\[[^]@]*\]|[^:@]*)(:(?P<port>[0-9]*))?")
_ENDPOINT = re.compile(r"(tcp6?|ssl):[0-9]{1,5}(:.+)?|(unix|systemd):.+")


class ConfigurationError(Exception):
    """A configuration that cannot be used; the text has a line for each thing wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


# --- kinds of this configuration alone -----------------------------------------------------


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
    if url.startswith(_SQLITE):
        PATH.read(url.removeprefix(_SQLITE))
        return url
    if (parts := _POSTGRESQL.fullmatch(url)) is None:
        raise NotAllowed
    for place in parts["hosts"].split(","):
        if (found := _PLACE.fullmatch(place)) is None or int(found["port"] or 1) not in range(1, 65536):
            raise NotAllowed("a port is from 1 to 65535; in a password, / : @ ? % are %2F %3A %40 %3F %25")
    return url


def _index_url_below(url: str, directory: Path) -> str:
    return f"{_SQLITE}{directory / url.removeprefix(_SQLITE)}" if url.startswith(_SQLITE) else url


def _endpoint(value: object) -> str:
    if not _ENDPOINT.fullmatch(text(value)):
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


# --- the tables ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """``[[local]]``: an Application Entity that SDCC provides."""

    ae_title: Annotated[str, AE_TITLE] = "SDCC"
    port: Annotated[int, whole(0, 65535, "0: any free port")] = 11112
    interface: Annotated[str, IP_ADDRESS] = "127.0.0.1"
    max_associations: Annotated[int, whole(1, 100_000)] = 1
    tls: Annotated[bool, BOOLEAN] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """``[[remote]]``: an Application Entity that SDCC knows."""

    ae_title: Annotated[str, AE_TITLE]
    address: Annotated[str, HOST]
    #: None: SDCC never calls it.
    port: Annotated[int | None, whole(1, 65535)] = None
    #: 0: no limit of its own.
    max_associations: Annotated[int, whole(0, 100_000, "0: no limit of its own")] = 0
    services: Annotated[frozenset[str], some_of(*conformance.SERVICES)] = frozenset(conformance.SERVICES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """``[access]``: who may call."""

    unknown_callers: Annotated[str, one_of("accept", "loopback", "reject")] = "loopback"
    check_address: Annotated[bool, BOOLEAN] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """``[storage]``; sizes are bytes."""

    directory: Annotated[Path, PATH] = Path("sdcc-data")
    minimum_free: Annotated[int, size("0 B", "1024 TiB", "0: no floor")] = 1 << 30
    maximum_object_size: Annotated[int, size("1 KiB", "1024 TiB")] = 16 << 30
    #: None of them is of the statement's 31.
    additional_sop_classes: Annotated[tuple[conformance.SOPClass, ...], ADDITIONAL_CLASSES] = ()
    threads: Annotated[int, whole(1, 256)] = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """``[index]``; see :attr:`Configuration.index_path` for what `url` means."""

    #: Not in the `repr`: there may be a password in it.
    url: Annotated[str, INDEX_URL] = field(default="", repr=False)
    connections: Annotated[int, whole(1, 100)] = 4
    timeout: Annotated[float, seconds(0.1, 3600)] = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySettings:
    """``[query]``: C-FIND."""

    maximum_answers: Annotated[int, whole(0, 1_000_000_000, "0: no limit")] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationSettings:
    """``[association]``; times are seconds."""

    maximum_pdu_length: Annotated[int, whole(4096, 131072)] = 16384
    maximum_open: Annotated[int, whole(1, 100_000)] = 200
    artim_timeout: Annotated[float, seconds(0.1, 3600)] = 30.0
    idle_timeout: Annotated[float, seconds(0.1, 86400)] = 300.0
    drain_timeout: Annotated[float, seconds(0, 3600, "0: end at once")] = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """``[tls]``: PEM files."""

    certificate: Annotated[Path, PATH]
    private_key: Annotated[Path, PATH]
    #: None: a peer need not show a certificate.
    client_authorities: Annotated[Path | None, PATH] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manhole:
    """``[manhole]``: a Python prompt over SSH."""

    endpoint: Annotated[str, ENDPOINT]
    authorized_keys: Annotated[Path, PATH]


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTP:
    """``[http]``: /metrics and /health."""

    endpoint: Annotated[str, ENDPOINT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All of it. As :func:`load` gives it, every path is absolute."""

    #: At least one.
    locals: tuple[Local, ...] = (Local(),)
    remotes: tuple[Remote, ...] = ()
    access: Access = Access()
    storage: Storage = Storage()
    index: Index = Index()
    query: QuerySettings = QuerySettings()
    association: AssociationSettings = AssociationSettings()
    tls: TLS | None = None
    manhole: Manhole | None = None
    http: HTTP | None = None
    #: The file; None: there is none.
    source: Path | None = None

    @property
    def sop_classes(self) -> Mapping[str, conformance.SOPClass]:
        """Abstract Syntax UID to SOP Class, of all that may be negotiated."""
        return conformance.sop_classes(self.storage.additional_sop_classes)

    @property
    def index_path(self) -> Path | None:
        """The file of SQLite; None: the index is PostgreSQL."""
        if not self.index.url:
            return self.storage.directory / INDEX_FILE_NAME
        return Path(self.index.url.removeprefix(_SQLITE)) if self.index.url.startswith(_SQLITE) else None

    @property
    def index_name(self) -> str:
        """The index in words, without a password."""
        if (path := self.index_path) is not None:
            return f"SQLite, in {path}"
        parts = _POSTGRESQL.fullmatch(self.index.url)
        assert parts is not None, "config.load has read it"
        user = f"{parts['user'][:-1].partition(':')[0]}@" if parts["user"] else ""
        return f"PostgreSQL, postgresql://{user}{parts['hosts']}{parts['database'] or ''}"

    def unsupported(self) -> list[str]:
        """What this version cannot do yet, a sentence each. Ignoring it would be a guess."""
        asked = {
            "[tls]": self.tls is not None,
            "[[local]].tls = true": any(local.tls for local in self.locals),
            "[manhole]": self.manhole is not None,
            "[http]": self.http is not None,
        }
        return [f"{key}: this version does not provide it yet" for key, is_asked in asked.items() if is_asked]


# --- reading -------------------------------------------------------------------------------


def load(path: Path | None = None) -> Configuration:
    """The configuration of a file, or every default.

    Relative paths start at the file's directory; with no file, at the current directory.

    :raises ConfigurationError: with everything that is wrong with the file.
    """
    document = {} if path is None else _document(path)
    source = None if path is None else path.absolute()
    reader = Reader(document, Path.cwd() if source is None else source.parent)
    locals_ = reader.tables("local", Local)
    remotes = reader.tables("remote", Remote)
    configuration = Configuration(
        locals=tuple(locals_.values()) or (reader.default(Local),),
        remotes=tuple(remotes.values()),
        access=reader.table("access", Access) or reader.default(Access),
        storage=reader.table("storage", Storage) or reader.default(Storage),
        index=reader.table("index", Index) or reader.default(Index),
        query=reader.table("query", QuerySettings) or reader.default(QuerySettings),
        association=reader.table("association", AssociationSettings) or reader.default(AssociationSettings),
        tls=reader.table("tls", TLS),
        manhole=reader.table("manhole", Manhole),
        http=reader.table("http", HTTP),
        source=source,
    )
    reader.end()
    problems = [*reader.problems, *_clashes(locals_), *_repeated(remotes), *configuration.unsupported()]
    if problems:
        raise ConfigurationError([f"{path}: {problem}" for problem in problems])
    return configuration


def _document(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{path}: byte {error.start} is not UTF-8"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{path}: not TOML: {error}"]) from None


def _clashes(locals_: Mapping[str, Local]) -> Iterator[str]:
    """Local AEs that contradict one another; those of one port share its socket."""
    for (other_key, other), (key, local) in itertools.combinations(locals_.items(), 2):
        same_title = local.ae_title == other.ae_title
        same_port = local.port == other.port != 0
        same_socket = same_port and local.interface == other.interface
        if same_title and same_socket:
            yield f"{key}.ae_title = {shown(local.ae_title)}: {other_key}, on the same port, has it"
        if same_title and local.max_associations != other.max_associations:
            yield f"{key}.max_associations = {local.max_associations}: {other_key}, of its title, differs"
        if same_socket and local.tls != other.tls:
            yield f"{key}.tls = {shown(local.tls)}: {other_key}, on the same port, differs"
        if same_port and _overlap(local.interface, other.interface):
            yield (
                f"{key}.interface = {shown(local.interface)}: {other_key} has port {other.port} on "
                f"{other.interface} already; allowed: the same interface, or another port"
            )


def _overlap(interface: str, other: str) -> bool:
    """Whether two interfaces that differ cannot both have one port."""
    same_family = (":" in interface) == (":" in other)
    return interface != other and same_family and not {"0.0.0.0", "::"}.isdisjoint((interface, other))


def _repeated(remotes: Mapping[str, Remote]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for key, remote in remotes.items():
        if remote.ae_title in seen:
            other = seen[remote.ae_title]
            yield f"{key}.ae_title = {shown(remote.ae_title)}: {other} has it; allowed: each AE title once"
        seen.setdefault(remote.ae_title, key)
