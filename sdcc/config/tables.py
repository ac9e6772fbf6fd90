"""The tables of `sdcc.toml` as frozen dataclasses, and all of them together.

The dataclasses are the contract: a table each, a field a key, with its default and, in its
annotation, what is allowed. `etc/sdcc.toml` shows every key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from sdcc import conformance
from sdcc.config.kinds import (
    ADDITIONAL_CLASSES,
    AUDIT_DESTINATION,
    AUDIT_SOURCE_ID,
    COMMAND,
    INDEX_URL,
    LEVELS_OF_LOGGERS,
    LOG_FILE,
    LOG_FORMATS,
    POSTGRESQL,
    PRIVATE_ENDPOINT,
    PUBLIC_ENDPOINT,
    SQLITE,
    WEB_URL,
)
from sdcc.config.reading import (
    AE_TITLE,
    BOOLEAN,
    HOST,
    IP_ADDRESS,
    PATH,
    one_of,
    seconds,
    size,
    some_of,
    whole,
)

#: The database within `[storage]` directory where `[index]` url is empty.
INDEX_FILE_NAME = "index.sqlite"


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
    #: Whether SDCC calls it over TLS.
    tls: Annotated[bool, BOOLEAN] = False
    #: What its certificate must be for; None: `address`.
    tls_name: Annotated[str | None, HOST] = None


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
class LogSettings:
    """``[log]``"""

    #: None: where twistd writes.
    file: Annotated[Path | None, LOG_FILE] = None
    format: Annotated[str, one_of(*LOG_FORMATS)] = "text"
    #: Bytes.
    rotate_size: Annotated[int, size("0 B", "1024 TiB", "0: never")] = 100 << 20
    rotate_every: Annotated[str, one_of("day", "hour", "never")] = "day"
    keep: Annotated[int, whole(1, 100_000)] = 30
    #: Logger and level.
    levels: Annotated[tuple[tuple[str, str], ...], LEVELS_OF_LOGGERS] = (("sdcc", "info"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySettings:
    """``[study]``: what becomes of a study that no object has come of for a while; times are seconds."""

    stable_after: Annotated[float, seconds(0, 86400, "0: off")] = 60.0
    #: Empty: none.
    command: Annotated[tuple[str, ...], COMMAND] = ()
    #: Empty: nowhere. Not in the `repr`: there may be a secret in it.
    post: Annotated[str, WEB_URL] = field(default="", repr=False)
    #: For each attempt.
    timeout: Annotated[float, seconds(1, 86400)] = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """``[tls]``: PEM files."""

    certificate: Annotated[Path, PATH]
    private_key: Annotated[Path, PATH]
    #: None: a peer that calls is asked for no certificate.
    client_authorities: Annotated[Path | None, PATH] = None
    #: Of the peers that SDCC calls. None: `client_authorities`, or without these the system's.
    server_authorities: Annotated[Path | None, PATH] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manhole:
    """``[manhole]``: a Python prompt over SSH."""

    #: An :class:`~sdcc.config.endpoints.Endpoint` in writing.
    endpoint: Annotated[str, PRIVATE_ENDPOINT]
    authorized_keys: Annotated[Path, PATH]


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTP:
    """``[http]``: /metrics and /health."""

    #: An :class:`~sdcc.config.endpoints.Endpoint` in writing.
    endpoint: Annotated[str, PUBLIC_ENDPOINT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """``[audit]``: the audit trail."""

    #: A file's path, or `udp:host:port`, `tcp:host:port`, `unix:path`.
    destination: Annotated[str, AUDIT_DESTINATION]
    #: The Audit Source ID; empty: the name of the host.
    source_id: Annotated[str, AUDIT_SOURCE_ID] = ""


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
    study: StudySettings = StudySettings()
    association: AssociationSettings = AssociationSettings()
    log: LogSettings = LogSettings()
    tls: TLS | None = None
    manhole: Manhole | None = None
    http: HTTP | None = None
    audit: Audit | None = None
    #: The file; None: there is none.
    source: Path | None = None

    @property
    def sop_classes(self) -> Mapping[str, conformance.SOPClass]:
        """Abstract Syntax UID to SOP Class, of all that may be negotiated."""
        return conformance.sop_classes(self.storage.additional_sop_classes)

    @property
    def uses_tls(self) -> bool:
        """Whether any connection is over TLS. There is a `[tls]` then, unless a reload has taken it away and
        ports keep TLS until the restart."""
        return any(local.tls for local in self.locals) or any(remote.tls for remote in self.remotes)

    @property
    def index_path(self) -> Path | None:
        """The file of SQLite; None: the index is PostgreSQL."""
        if not self.index.url:
            return self.storage.directory / INDEX_FILE_NAME
        return Path(self.index.url.removeprefix(SQLITE)) if self.index.url.startswith(SQLITE) else None

    @property
    def index_name(self) -> str:
        """The index in words, without a password."""
        if (path := self.index_path) is not None:
            return f"SQLite, in {path}"
        parts = POSTGRESQL.fullmatch(self.index.url)
        assert parts is not None, "config.load has read it"
        user = f"{parts['user'][:-1].partition(':')[0]}@" if parts["user"] else ""
        return f"PostgreSQL, postgresql://{user}{parts['hosts']}{parts['database'] or ''}"
