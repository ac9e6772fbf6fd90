"""Objects that cannot be read to the end: kept and listed as faulty, where their UIDs are known."""

from __future__ import annotations

import itertools
import json
import struct
from typing import NamedTuple

import pytest

from .objects import CT, data_set_of, element, head, header, new_uid
from .server import CONFIGURATION
from .wire import EXPLICIT, STATUS, Peer

ON_EVERY_INDEX = True


@pytest.fixture(scope="module")
def configuration(index):
    return (index or "[index]\n") + "timeout = 1.0\n" + CONFIGURATION


UNDEFINED = 0xFFFFFFFF
PIXELS = element(0x7FE0, 0x0010, "OW", b"\1\2" * 64)


def tag(group, number, length):
    """An item or a delimitation."""
    return struct.pack("<HHL", group, number, length)


ITEM = tag(0xFFFE, 0xE000, UNDEFINED)
END_OF_ITEM = tag(0xFFFE, 0xE00D, 0)
END_OF_SEQUENCE = tag(0xFFFE, 0xE0DD, 0)
#: (0020,9116) Plane Position Sequence, after the UIDs and before the last attribute that the index wants.
SEQUENCE = header(0x0020, 0x9116, "SQ", UNDEFINED)
DEPTH = 10_000


def broken_vr(vr):
    return struct.pack("<HH2sH", 0x0020, 0x0060, vr, 2) + b"L "


#: What stands between the UIDs and the Pixel Data.
BROKEN = {
    "a VR that is none": broken_vr(b"\0\0"),
    "a VR of other letters": broken_vr(b"zz"),
    "a VR of no letters": struct.pack("<HH2sH", 0x0020, 0x0060, b"\xff\xfe", 0) + b"\x02\0",
    "a length past the end": struct.pack("<HH2sH", 0x0020, 0x0060, b"CS", 0xFFFE),
    "a length of 4 GB": header(0x0020, 0x4000, "UT", 0xFFFFFFFE),
    "a length one too long": struct.pack("<HH2sH", 0x0020, 0x0060, b"CS", 3) + b"L ",
    "a sequence without an end": SEQUENCE + ITEM + element(0x0020, 0x0032, "DS", "1\\2\\3"),
    "a sequence of which only the items end": SEQUENCE + ITEM + END_OF_ITEM,
    "a value of undefined length": header(0x0020, 0x4000, "UT", UNDEFINED) + b"text",
    "10,000 sequences without an end": (SEQUENCE + ITEM) * DEPTH,
    "an item out of place": ITEM,
    "an end out of place": END_OF_SEQUENCE,
    "half an element": b"\x20\0\x60",
}
#: Absurd, and yet nothing in it is broken.
ABSURD = {
    "10,000 nested sequences": (SEQUENCE + ITEM) * DEPTH + (END_OF_ITEM + END_OF_SEQUENCE) * DEPTH,
}


STUDY = new_uid()
#: How it goes on after that.
RESTS = {"at the end": b"", "before the pixels": PIXELS}


class Kept(NamedTuple):
    uid: str
    data: bytes
    statuses: list[int]


def connected(server):
    peer = Peer(server.address)
    peer.associate((1, CT, EXPLICIT))
    return peer


@pytest.fixture(scope="module")
def kept(server):
    """Each case, sent twice, by its name and how it goes on."""
    found = {}
    with connected(server) as peer:
        for (name, middle), (where, rest) in itertools.product({**BROKEN, **ABSURD}.items(), RESTS.items()):
            uid = new_uid()
            data = head(instance=uid, study=STUDY) + middle + rest
            found[name, where] = Kept(uid, data, [peer.store(1, CT, uid, data)[STATUS] for _ in range(2)])
        peer.release()
    return found


@pytest.fixture(scope="module")
def rows(server, kept):
    return server.instances(STUDY)


@pytest.fixture(scope="module")
def faulty(server, kept):
    """What is listed as faulty, by SOP Instance UID."""
    done = server.sdccctl("instances", "--faulty", "--json", "--study", STUDY)
    assert done.returncode == 0, done.stderr
    return {row["sop_instance_uid"]: row for row in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", [*BROKEN, *ABSURD])
@pytest.mark.parametrize("where", RESTS)
def test_with_known_uids_it_is_kept_bit_for_bit_and_listed(*, kept, rows, faulty, name, where):
    uid, data, statuses = kept[name, where]
    assert statuses == [0, 0], "it may come again"
    row = rows[uid]
    assert data_set_of(row["path"]) == data
    assert row["patient_name"] == "Sent^By^Test", "what stands before the fault is known"
    if name in BROKEN:
        assert row["fault"]
        assert faulty[uid] == row
    else:
        assert row["fault"] is None
        assert uid not in faulty


#: Those that hide what follows, in a place before the Study Instance UID.
HIDING = [name for name in BROKEN if "without an end" in name or "past the end" in name or "4 GB" in name]


@pytest.mark.parametrize("name", HIDING)
def test_where_the_study_is_not_known_yet_it_is_refused(server, name):
    uid = new_uid()
    before = server.objects()
    broken = BROKEN[name].replace(b"\x20\0", b"\x18\0")
    study = element(0x0020, 0x000D, "UI", STUDY) + element(0x0020, 0x000E, "UI", "1.2.3.1")
    with connected(server) as peer:
        data = head(instance=uid, study=None, series=None) + broken + study
        assert peer.store(1, CT, uid, data)[STATUS] == 0xC000
        peer.release()
    assert (server.objects(), server.incoming()) == (before, set())


def test_people_see_why(server, kept):
    shown = server.sdccctl("instances", "--faulty", "--study", STUDY).stdout.splitlines()
    assert len(shown) == 1 + len(BROKEN) * len(RESTS)
    assert shown[1].endswith("(Laterality (0020,0060): has no valid VR)")


def test_what_is_faulty_is_sound_all_the_same(server, kept):
    """To be kept is to be kept as it came: nothing of it is a finding."""
    done = server.sdccctl("verify")
    assert done.returncode == 0, done.stdout
