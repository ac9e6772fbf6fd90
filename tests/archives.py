"""Archives of which the tests say what was received: objects on disk, with or without their rows."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import os
import struct
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from sdcc.archive.filesystem import FileSystem, IFileSystem
from sdcc.archive.objects import ObjectStore
from sdcc.config import Configuration
from sdcc.interfaces import Announcement, Provenance, StoredObject
from sdcc.world import index_of

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
ANY: Any = reactor

Reception = Callable[..., StoredObject]


def data_set(instance: str, study: str, name: bytes) -> bytes:
    def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        return struct.pack("<HH2sH", group, number, vr, len(value)) + value

    return b"".join(
        (
            element(0x0008, 0x0016, b"UI", CT.encode()),
            element(0x0008, 0x0018, b"UI", instance.encode()),
            element(0x0010, 0x0010, b"PN", name),
            element(0x0020, 0x000D, b"UI", study.encode()),
            element(0x0020, 0x000E, b"UI", f"{study}.1".encode()),
            element(0x0028, 0x0010, b"US", b"\0\2"),
        )
    )


def at_the_end(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine comes to that waits for nothing."""
    results: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    (result,) = results
    assert not hasattr(result, "raiseException"), result
    return result


def receiver(storage: Path, filesystem: IFileSystem | None = None) -> Reception:
    """Makes what stores an object as the server does, but for the index.

    What it makes has `age`, the seconds since it was received.
    """
    tokens = itertools.count()
    objects = ObjectStore(
        storage,
        filesystem=filesystem or FileSystem(),
        run_in_thread=execute,
        read_in_thread=execute,
        clock=Clock(),
        minimum_free=0,
        maximum_object_size=1 << 30,
        new_token=lambda: f"token{next(tokens)}",
        now=partial(datetime.datetime.now, datetime.UTC),
    )
    objects.prepare()

    def receive(
        instance: str, *, study: str = "1.2.3", name: bytes = b"Yamada^T", age: float | None = None
    ) -> StoredObject:
        announcement = Announcement(
            sop_class_uid=CT,
            sop_instance_uid=instance,
            transfer_syntax_uid=EXPLICIT,
            provenance=Provenance(calling_ae="CT01", called_ae="SDCC", calling_address="192.0.2.17"),
        )
        reception = objects.begin(announcement, lambda size: None)
        reception.write(memoryview(data_set(instance, study, name)))
        stored: StoredObject = at_the_end(reception.complete())
        if age is not None:
            received_at = (stored.file.received_at - datetime.timedelta(seconds=age)).timestamp()
            os.utime(storage / stored.file.path, (received_at, received_at))
        return stored

    return receive


async def registered(configuration: Configuration, *more: StoredObject) -> list[StoredObject]:
    """All that is registered, after `more` has been."""
    index = index_of(
        configuration,
        ANY,
        run_in_thread=execute,
        read_in_thread=execute,
        lookup_in_thread=execute,
        remove=None,
    )
    if more:
        index.prepare()
        index.start()
        for stored in more:
            await index.register(stored)
    found = [stored async for stored in index.instances()]
    await index.stop()
    return sorted(found, key=lambda stored: stored.instance.sop_instance_uid)


def as_found(stored: StoredObject, storage: Path) -> StoredObject:
    """A stored object as its file alone tells of it."""
    modified = (storage / stored.file.path).stat().st_mtime_ns // 1000
    received_at = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(
        microseconds=modified
    )
    provenance = dataclasses.replace(stored.file.provenance, calling_address="")
    file = dataclasses.replace(stored.file, received_at=received_at, provenance=provenance)
    return dataclasses.replace(stored, file=file)
