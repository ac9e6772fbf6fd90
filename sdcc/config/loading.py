"""From the file to the tables, with everything that is wrong with it said at once.

This reads that one file and touches nothing else: whether a directory can be written or an address
bound is for others.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sdcc.config.reading import Reader, shown
from sdcc.config.tables import (
    HTTP,
    TLS,
    Access,
    AssociationSettings,
    Audit,
    Configuration,
    Index,
    Local,
    LogSettings,
    Manhole,
    QuerySettings,
    Remote,
    Storage,
    StudySettings,
)


class ConfigurationError(Exception):
    """A configuration that cannot be used; the text has a line for each thing wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


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
        study=reader.table("study", StudySettings) or reader.default(StudySettings),
        association=reader.table("association", AssociationSettings) or reader.default(AssociationSettings),
        log=reader.table("log", LogSettings) or reader.default(LogSettings),
        tls=reader.table("tls", TLS),
        manhole=reader.table("manhole", Manhole),
        http=reader.table("http", HTTP),
        audit=reader.table("audit", Audit),
        source=source,
    )
    reader.end()
    problems = [
        *reader.problems,
        *_clashes(locals_),
        *_repeated(remotes),
        *_contradictions(locals_, remotes, has_tls="tls" in document),
        *_idle(configuration.study),
    ]
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


def _contradictions(
    locals_: Mapping[str, Local], remotes: Mapping[str, Remote], *, has_tls: bool
) -> Iterator[str]:
    """What is said of TLS where there is none."""
    entities: Mapping[str, Local | Remote] = {**locals_, **remotes}
    for key, entity in entities.items():
        if entity.tls and not has_tls:
            yield f"{key}.tls = true: there is no [tls], which names the certificate and its private key"
    for key, remote in remotes.items():
        if remote.tls_name is not None and not remote.tls:
            yield f"{key}.tls_name = {shown(remote.tls_name)}: means something with tls = true only"


def _repeated(remotes: Mapping[str, Remote]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for key, remote in remotes.items():
        if remote.ae_title in seen:
            other = seen[remote.ae_title]
            yield f"{key}.ae_title = {shown(remote.ae_title)}: {other} has it; allowed: each AE title once"
        seen.setdefault(remote.ae_title, key)


def _idle(study: StudySettings) -> Iterator[str]:
    for key, value in (("command", study.command), ("post", study.post)):
        if value and not study.stable_after:
            yield f"[study].{key}: no study becomes stable; allowed: with [study].stable_after over 0"
