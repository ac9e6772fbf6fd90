"""The promises, each as a check: what must hold at every step, after every crash, and after every stop.

A check raises :class:`Broken` with a sentence. It looks at the disk, the rows, the history of what peers were
told, and at the counters of the server; never at how the server came there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from sdcc.archive.directories import OBJECTS
from sdcc.archive.incoming import INCOMING, PROCESS_LOCK
from sdcc.interfaces import StoredObject
from sdcc.network.inbox import FRAGMENT_COST

from .conditions import ROOT, Conditions
from .database import Database
from .disk import Disk
from .history import History
from .postgresql import Journals
from .process import Process
from .transport import Transport
from .troubles import Mishap

#: A Presentation Data Value is no shorter than its header.
SHORTEST_VALUE = 6
#: More than any answer, or the rest of one, that is written at once.
ANSWER = 512


class Broken(AssertionError):
    """A promise does not hold; the text says which."""


class Scene(Protocol):
    """What is looked at."""

    conditions: Conditions
    disk: Disk
    database: Database
    journals: Journals
    history: History


class Promises:
    """The checks, by when they are made."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        #: Files that no row names because a crash came between, until a server has looked,
        self._crashed: frozenset[str] = frozenset()
        #: or because of what nobody could know.
        self._excused: frozenset[str] = frozenset()
        #: When the earliest file came, by UID, that rows have named since the servers started last.
        self._earliest: dict[str, float] = {}
        self._breaches: list[Broken] = []

    # --- at every step: the server cannot catch what is found while it runs ---

    def committed(self, stored: StoredObject) -> None:
        self._found(partial(self._check_row, stored))
        self._note_row(stored)

    def about_to_remove(self, path: str) -> None:
        self._found(partial(self._check_removal, path))

    def was_given(self, process: Process, transport: Transport, size: int) -> None:
        self._found(partial(self._check_limits, process, transport, size))

    def acknowledged(self) -> None:
        self._found(self._check_versions)

    def listen(self) -> None:
        globalLogPublisher.addObserver(self._observe)

    def stop_listening(self) -> None:
        globalLogPublisher.removeObserver(self._observe)

    def check(self) -> None:
        """:raises Broken: a promise was, since this was called last."""
        if self._breaches:
            raise self._breaches[0]

    def excuse(self, *paths: str) -> None:
        """No row may name these files in the end, and nobody could know."""
        self._excused |= {f"{ROOT}/{path}" for path in paths}

    # --- after a crash, and after a stop ---

    def after_crash(self) -> None:
        """What was acknowledged is there, and nothing that is half, before anybody mends anything."""
        self._check_objects()
        self._crashed |= self._unnamed()

    def after_start(self, processes: Iterable[Process]) -> None:
        """What dead processes left in `incoming` is gone."""
        self._earliest.clear()
        for stored in self._scene.database.rows.values():
            self._note_row(stored)
        folders = self._scene.disk.names(f"{ROOT}/{INCOMING}")
        for name in folders:
            lock = self._scene.disk.find(f"{ROOT}/{INCOMING}/{name}/{PROCESS_LOCK}")
            if lock is None or lock.locked_by is None:
                raise Broken(f"{INCOMING}/{name} of a dead process is still there")
        living = [process for process in processes if not process.is_dead]
        if len(folders) != len(living) and not self._scene.conditions.tidies:
            raise Broken(f"{len(living)} processes live, and {INCOMING} holds {folders}")

    def after_looks(self, processes: Iterable[Process]) -> None:
        """What crashes left is registered or gone, but for what is the administrator's to decide."""
        looks = [process.look for process in processes if process.look is not None]
        conditions = self._scene.conditions
        if not looks or not conditions.is_disk_sound or conditions.tidies:
            return  # the record may be lost that says since when to look
        first = f"{ROOT}/{OBJECTS}/{min(look._since for look in looks):%Y/%m/%d}"
        for path in self._crashed & self._orphans() - self._excused:
            if path >= first and not self._is_left(path):
                raise Broken(f"a server has looked, and no row names {path}")

    def after_rest(self, process: Process, *, is_well: bool = True) -> None:
        """When all peers have been gone for long, nothing of them is left, and nothing is in doubt."""
        server = process.service._parts.server
        left = {
            "associations": server._limits.total,
            "bytes waiting": server._surroundings.waiting.total,
            "connections": len(process.transports),
            "receptions": len(process.service._parts.objects._receptions),
            "doubts": sum(1 for _ in self._scene.journals.doubts()) if is_well else 0,
        }
        if any(left.values()):
            raise Broken(f"nobody is there, and {process} still has {left}")

    def after_stop(self, process: Process) -> None:
        """A process that stopped in order has let go of everything."""
        self.after_rest(process, is_well=False)
        left = {
            "timers": len(process.reactor.calls),
            "jobs": sum(not workers.is_idle for workers in process.workers),
            "open files": process.filesystem.open_count,
        }
        if any(left.values()):
            raise Broken(f"{process} has stopped and left {left}")

    def after_all_stops(self) -> None:
        """No process lives: nothing lies in `incoming`, and every file is named by a row."""
        self._check_objects()
        if not self._scene.conditions.is_disk_sound:
            return  # a file that the disk would not remove stays, and is logged
        left = self._scene.disk.files(f"{ROOT}/{INCOMING}")
        if parts := [path for path in left if not path.endswith(f"/{PROCESS_LOCK}")]:
            raise Broken(f"nobody lives, and there still is {parts}")
        if orphans := self._orphans() - self._excused - self._crashed:
            raise Broken(f"no row names {sorted(orphans)}, though there was no crash")

    # --- within ---

    def _check_objects(self) -> None:
        for stored in self._scene.database.rows.values():
            self._check_row(stored)
        self._check_versions()
        self._check_files()

    def _check_removal(self, path: str) -> None:
        """No file is removed that a row names."""
        name = path.removeprefix(f"{ROOT}/")
        if any(stored.file.path == name for stored in self._scene.database.rows.values()):
            raise Broken(f"{name} is removed, and its row is still there")

    def _check_limits(self, process: Process, transport: Transport, size: int) -> None:
        """What waits in memory has its limits, and a piece more, of so many bytes."""
        conditions = self._scene.conditions
        waiting = process.service._parts.server._surroundings.waiting
        rest = conditions.queue + size
        spared = len(process.transports) * (conditions.waiting_spared + rest)
        _check_limit("bytes waiting of all", waiting.total, conditions.waiting_of_all + spared)
        _check_limit("bytes to send", len(transport.buffer), conditions.send_buffer + ANSWER)
        exchange = transport.protocol and transport.protocol._exchange
        if exchange:
            piece = size + FRAGMENT_COST * (size // SHORTEST_VALUE + 1)
            _check_limit("bytes in the queue", exchange._inbox.size, conditions.queue + piece)
            _check_limit("bytes waiting", exchange.account.bytes, conditions.waiting_of_one + rest)

    def _check_row(self, stored: StoredObject) -> None:
        """A row names a file that is there, whole, of a version that was sent whole."""
        path, uid = stored.file.path, stored.instance.sop_instance_uid
        file = self._scene.disk.find(f"{ROOT}/{path}")
        if file is None:
            raise Broken(f"the row of {uid} names {path}, which is not there")
        version = self._scene.history.sent_as(uid, stored.file.sha256)
        if version is None:
            raise Broken(f"the row of {uid} is of no version that was sent: {stored.file}")
        if len(file.data) != stored.file.size or not file.data.endswith(version.data_set):
            raise Broken(f"{path} is not {version}, as its row says")

    def _check_versions(self) -> None:
        """Each UID shows a version that was acknowledged, or one that may have come after it."""
        history = self._scene.history
        for uid, acknowledged in history.acknowledged():
            stored = self._scene.database.rows.get(uid)
            if stored is None:
                raise Broken(f"{acknowledged[-1]} was acknowledged, and has no row")
            shown = history.sent_as(uid, stored.file.sha256)
            assert shown is not None
            for version in acknowledged:
                if shown.was_certainly_before(version):
                    raise Broken(f"{version} was acknowledged, and {shown} is shown, which is older")

    def _check_files(self) -> None:
        """What lies under its final path is whole, though no row may name it."""
        for path, file in self._scene.disk.files(f"{ROOT}/{OBJECTS}").items():
            uid = path.rpartition("/")[2].partition("-")[0]
            versions = self._scene.history.versions.get(uid, ())
            has_head = file.data[128:132] == b"DICM"
            if not has_head or not any(file.data.endswith(version.data_set) for version in versions):
                raise Broken(f"{path} is not whole")

    def _is_left(self, path: str) -> bool:
        """Whether a look leaves a file: it came later than what was registered then, or was given up."""
        file = self._scene.disk.find(path)
        earliest = self._earliest.get(path.rpartition("/")[2].partition("-")[0])
        if file is None or earliest is None:
            return self._scene.database.is_gone(path.removeprefix(f"{ROOT}/"))
        return file.changed_at > earliest

    def _note_row(self, stored: StoredObject) -> None:
        file = self._scene.disk.find(f"{ROOT}/{stored.file.path}")
        if file is not None:
            uid = stored.instance.sop_instance_uid
            self._earliest[uid] = min(self._earliest.get(uid, file.changed_at), file.changed_at)

    def _unnamed(self) -> set[str]:
        """Files that no row names."""
        named = {f"{ROOT}/{stored.file.path}" for stored in self._scene.database.rows.values()}
        return self._scene.disk.files(f"{ROOT}/{OBJECTS}").keys() - named

    def _orphans(self) -> set[str]:
        """Those of them that are in doubt no more."""
        in_doubt: set[str] = set()
        for doubt in self._scene.journals.doubts():
            before = self._scene.database.replaced_by(doubt.path)
            in_doubt |= {f"{ROOT}/{path}" for path in (doubt.path, before)}
        return self._unnamed() - in_doubt

    def _found(self, check: Callable[[], None]) -> None:
        try:
            check()
        except Broken as breach:
            self._breaches.append(breach)

    def _observe(self, event: LogEvent) -> None:
        """Nothing that goes wrong is the program's fault."""
        if "log_failure" in event and not event["log_failure"].check(Mishap):
            traceback = event["log_failure"].getTraceback()
            self._breaches.append(Broken(f"the server logged: {formatEvent(event)}\n{traceback}"))


def _check_limit(what: str, value: Any, limit: int) -> None:
    if value > limit:
        raise Broken(f"{what}: {value}, and {limit} is the limit")
