"""An object larger than what the server may hold of it."""

from __future__ import annotations

import hashlib
import shutil
import struct
from pathlib import Path

import pytest

from .objects import MULTIFRAME_US, data_set_sha256, element, head, header, new_uid
from .wire import COMMAND, DATA, EXPLICIT, LAST, MAXIMUM_LENGTH, STATUS, p_data, p_datas, store_rq, value

GIB = 1 << 30
MIB = 1 << 20
#: Of the object on disk, twice over and more.
ROOM_NEEDED = 3 * GIB
#: What the memory may grow by.
GROWTH = 64 * MIB

ROOM = MAXIMUM_LENGTH - 6


def chunks(uid):
    """A Multi-frame Ultrasound object with 1 GiB of pixels, no two chunks of which are the same."""
    yield (
        head(instance=uid, sop_class=MULTIFRAME_US)
        + element(0x0028, 0x0008, "IS", "1024")
        + element(0x0028, 0x0010, "US", struct.pack("<H", 1024))
        + element(0x0028, 0x0011, "US", struct.pack("<H", 1024))
        + header(0x7FE0, 0x0010, "OB", GIB)
    )
    pixels = bytearray(hashlib.shake_128(b"pixels").digest(MIB))
    for number in range(GIB // MIB):
        struct.pack_into("<L", pixels, 0, number)
        yield pixels


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured as Linux shows it")
def test_an_object_of_1_gib_leaves_the_memory_where_it_was(start, connect, tmp_path):
    if shutil.disk_usage(tmp_path).free < ROOM_NEEDED:
        pytest.skip(f"less than 3 GiB are free at {tmp_path}")
    server = start()
    peer = connect(server.address)
    peer.associate((1, MULTIFRAME_US, EXPLICIT))
    warm = new_uid()
    assert peer.store(1, MULTIFRAME_US, warm, head(instance=warm, sop_class=MULTIFRAME_US))[STATUS] == 0

    server.forget_peak_rss()
    before = server.rss()
    uid, sent = new_uid(), hashlib.sha256()
    peer.send(p_datas(1, COMMAND, store_rq(MULTIFRAME_US, uid)))
    for chunk in chunks(uid):
        sent.update(chunk)
        peer.send(*(p_data(value(1, DATA, chunk[at : at + ROOM])) for at in range(0, len(chunk), ROOM)))
    peer.send(p_data(value(1, DATA | LAST, b"")))
    assert peer.response()[STATUS] == 0
    grown = server.peak_rss() - before
    peer.release()

    row = server.instances()[uid]
    assert row["sha256"] == sent.hexdigest() == data_set_sha256(row["path"])
    assert row["size"] > GIB
    assert grown < GROWTH, f"{grown / MIB:.0f} MiB"
