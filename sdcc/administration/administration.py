"""The server's answers to its administrator, from its live parts."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from zope.interface import implementer

from sdcc import __version__
from sdcc.administration.associations import OpenAssociations
from sdcc.administration.explanation import Question, explain
from sdcc.config import Configuration
from sdcc.interfaces.administration import CannotDo, Facts, IAdministration
from sdcc.network.acceptor import Acceptor
from sdcc.network.activity import NOTHING, Activity
from sdcc.network.limits import AssociationLimits, WaitingBytes

#: What a limit is of, beside the configuration's own: see `IAdministration.limits`.
ASSOCIATIONS, BYTES, ANSWERS = "associations", "bytes", "answers"


class Condition(Protocol):
    """How the server is, as `IAdministration.status` has it."""

    @property
    def state(self) -> str: ...

    @property
    def reasons(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class OpenPort:
    """A port that is listened on."""

    ae_titles: Sequence[str]
    interface: str
    port: int
    tls: bool


@implementer(IAdministration)
@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """See :class:`sdcc.interfaces.administration.IAdministration`."""

    #: The one in effect.
    configuration: Callable[[], Configuration]
    #: Host and process ID, which is another one once a daemon has forked.
    process: Callable[[], str]
    #: Aware, UTC.
    now: Callable[[], datetime.datetime]
    started_at: datetime.datetime
    condition: Callable[[], Condition]
    ports: Callable[[], Sequence[OpenPort]]
    limits_: AssociationLimits
    waiting: WaitingBytes
    acceptor: Acceptor
    #: Told of every association.
    open_associations: OpenAssociations
    #: Of those that peers have opened, by number.
    activities: Callable[[], Mapping[int, Activity]]
    #: Of one of them; gives whether there is one.
    abort_association: Callable[[int], bool]
    free_bytes: Callable[[], int | None]
    index_refusal: Callable[[], str | None]
    storage_refusal: Callable[[], str | None]
    #: These two as the contract has them.
    reload_configuration: Callable[[], Awaitable[Facts]]
    drain_associations: Callable[[bool], Facts]
    #: Of the loggers that have one of their own, by name.
    log_levels: Callable[[], Mapping[str, str]]
    #: Raises ValueError, with what is allowed.
    set_log_level: Callable[[str, str], None]

    def status(self) -> Facts:
        configuration, condition = self.configuration(), self.condition()
        return {
            "state": str(condition.state),
            "reasons": list(condition.reasons),
            "version": __version__,
            "process": self.process(),
            "configuration": None if configuration.source is None else str(configuration.source),
            "started_at": self.started_at.isoformat(timespec="seconds"),
            "uptime": round((self.now() - self.started_at).total_seconds()),
            "ports": [
                {
                    "ae_titles": list(port.ae_titles),
                    "interface": port.interface,
                    "port": port.port,
                    "tls": port.tls,
                }
                for port in self.ports()
            ],
            "associations": {"open": self.limits_.total, "maximum": self.limits_.maximum_open},
            "waiting_bytes": self.waiting.total,
            "operations": self.waiting.operations,
            "free_bytes": self.free_bytes(),
            "minimum_free": configuration.storage.minimum_free,
            "directory": str(configuration.storage.directory),
            "index": configuration.index_name,
            "index_refusal": self.index_refusal(),
            "storage_refusal": self.storage_refusal(),
        }

    def associations(self) -> list[Facts]:
        activities, found = self.activities(), self.open_associations.facts()
        for facts in found:
            activity = NOTHING if facts["is_ours"] else activities.get(facts["number"], NOTHING)
            facts.update(doing=activity.doing, waiting_bytes=activity.waiting_bytes)
        return found

    def abort(self, number: int) -> Facts:
        if not self.abort_association(number):
            known = sorted(
                facts["number"] for facts in self.open_associations.facts() if not facts["is_ours"]
            )
            told = ", ".join(map(str, known)) or "none"
            raise CannotDo(f"no association {number} of a peer's is open; open: {told}")
        return {"aborted": number}

    def remotes(self) -> list[Facts]:
        return [
            {
                "ae_title": remote.ae_title,
                "address": remote.address,
                "port": remote.port,
                "tls": remote.tls,
                "max_associations": remote.max_associations,
                "open": self.limits_.of_caller(remote.ae_title),
                "services": sorted(remote.services),
            }
            for remote in self.configuration().remotes
        ]

    def limits(self) -> list[Facts]:
        configuration, open_ = self.configuration(), self.limits_
        storage, answers = configuration.storage, configuration.query.maximum_answers
        by_local = {local.ae_title: local.max_associations for local in configuration.locals}
        found = [
            ("[association] maximum_open", open_.maximum_open, open_.total, ASSOCIATIONS),
            *(
                (f"[[local]] {title!r} max_associations", limit, open_.of_local(title), ASSOCIATIONS)
                for title, limit in by_local.items()
            ),
            *(
                (
                    f"[[remote]] {remote.ae_title!r} max_associations",
                    remote.max_associations,
                    open_.of_caller(remote.ae_title),
                    ASSOCIATIONS,
                )
                for remote in configuration.remotes
                if remote.max_associations
            ),
            ("bytes waiting to be written", self.waiting.of_all, self.waiting.total, BYTES),
            ("[storage] maximum_object_size", storage.maximum_object_size, None, BYTES),
            *([("[query] maximum_answers", answers, None, ANSWERS)] if answers else []),
        ]
        return [
            {"name": name, "limit": limit, "used": used, "unit": unit} for name, limit, used, unit in found
        ]

    async def reload(self) -> Facts:
        return await self.reload_configuration()

    def drain(self, is_on: bool = True) -> Facts:
        return self.drain_associations(is_on)

    def log_level(self, name: str = "", level: str = "") -> list[Facts]:
        name = name or "sdcc" if level else name
        if level:
            if known := self.log_levels():
                _level_of(name, known)  # of a name that no logger has it would be set to no effect
            try:
                self.set_log_level(name, level)
            except ValueError as error:
                raise CannotDo(str(error)) from None
        levels = self.log_levels()
        if not name:
            return [{"name": each, "level": levels[each]} for each in sorted(levels)]
        return [{"name": name, "level": _level_of(name, levels)}]

    async def explain(
        self,
        calling: str,
        called: str,
        address: str,
        abstract: str = "",
        transfer_syntax: str = "",
        *,
        port: int = 0,
    ) -> Facts:
        question = Question(
            calling=calling,
            called=called,
            address=address,
            port=port,
            abstract=abstract,
            transfer_syntax=transfer_syntax,
        )
        return await explain(question, self.configuration(), self.acceptor, self.limits_)


def _level_of(name: str, levels: Mapping[str, str]) -> str:
    """That of the logger itself, or of the nearest above it.

    :raises CannotDo: there is none.
    """
    above = name
    while above:
        if above in levels:
            return levels[above]
        above = above.rpartition(".")[0]
    known = ", ".join(sorted(levels))
    raise CannotDo(f"{name!r}: no level is set for it, nor for any above it; allowed: {known}, or one below")
