"""Archives of which the tests say what was received: objects on disk, with or without their rows."""

from __future__ import annotations

import dataclasses
import datetime
import struct
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, execute

from sdcc.config import Configuration
from sdcc.interfaces import StoredObject
from sdcc.service import index_of

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


async def registered(configuration: Configuration, *more: StoredObject) -> list[StoredObject]:
    """All that is registered, after `more` has been."""
    index = index_of(
        configuration,
        ANY,
        run_in_thread=execute,
        read_in_thread=execute,
        lookup_in_thread=execute,
        remove=None,  # type: ignore[arg-type]
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
