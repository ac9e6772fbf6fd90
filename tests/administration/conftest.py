"""A server on memory transports with its administration."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sdcc.administration.administration import Administration, OpenPort
from sdcc.administration.associations import OpenAssociations
from sdcc.config import AssociationSettings, Local, Remote, Storage
from sdcc.interfaces.administration import Facts
from sdcc.network.observers import Observers

from ..network.conftest import World

BEGAN = datetime.datetime(2026, 7, 3, 10, 0, tzinfo=datetime.UTC)
REMOTES = (
    Remote(ae_title="CT01", address="192.168.10.21", port=104, max_associations=2),
    Remote(ae_title="WS", address="ws.example.org", services=frozenset({"query"})),
)


class Administered:
    """A server, what it is told to do, and how it is.

    :ivar world: the server itself.
    :ivar asked: of what is others' part, with the arguments.
    """

    def __init__(self) -> None:
        self.open_associations = OpenAssociations()
        self.now = BEGAN
        self.world = World(
            observers=Observers((self.open_associations,), lambda: self.now),
            locals=(Local(ae_title="SDCC", max_associations=4),),
            remotes=REMOTES,
            association=AssociationSettings(maximum_open=5),
            storage=Storage(directory=Path("/data")),
            source=Path("/etc/sdcc.toml"),
        )
        self.condition = SimpleNamespace(state="ready", reasons=())
        self.asked: list[tuple[Any, ...]] = []
        self.levels = {"sdcc": "info", "sdcc.association": "warn"}
        self.index_refusal: str | None = None
        self.administration = Administration(
            configuration=lambda: self.world.configuration,
            process=lambda: "host-17",
            now=lambda: self.now,
            started_at=BEGAN,
            condition=lambda: self.condition,
            ports=lambda: [OpenPort(("SDCC", "A2"), "::", 11112, False)],
            limits_=self.world.limits,
            waiting=self.world.waiting,
            acceptor=self.world.acceptor,
            open_associations=self.open_associations,
            activities=self.world.server.activities,
            abort_association=self.world.server.abort,
            free_bytes=lambda: 7_000_000_000,
            index_refusal=lambda: self.index_refusal,
            storage_refusal=lambda: self.world.storage_refusal,
            reload_configuration=self.reload,
            drain_associations=self.drain,
            log_levels=lambda: self.levels,
            set_log_level=self.set_log_level,
        )

    async def reload(self) -> Facts:
        self.asked.append(("reload",))
        return {"changed": ["[[remote]]"], "after_restart": []}

    def drain(self, is_on: bool) -> Facts:
        self.asked.append(("drain", is_on))
        return {"state": "draining", "open": self.world.limits.total}

    def set_log_level(self, name: str, level: str) -> None:
        if level not in ("debug", "info"):
            raise ValueError(f"{level!r} is no level; allowed: debug, info")
        self.levels = {**self.levels, name: level}


@pytest.fixture
def administered() -> Administered:
    return Administered()


@pytest.fixture
def administration(administered: Administered) -> Administration:
    return administered.administration


@pytest.fixture
def new_administered() -> Callable[[], Administered]:
    return Administered
