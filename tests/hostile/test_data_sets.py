"""Data Sets made to exhaust, mislead or break who reads them, and to lead out of the archive.

What can be identified is kept as it came, and what cannot is refused with the reason.
"""

from __future__ import annotations

import hashlib
import json
import random
import struct
import zlib

import pytest

from ..interop.objects import CT, data_set_of, head, new_uid
from ..interop.wire import ERROR_COMMENT, EXPLICIT, IMPLICIT, STATUS

pytestmark = pytest.mark.usefixtures("unhurt")

UNDEFINED = 0xFFFFFFFF
#: How deep sequences are nested.
DEPTH = 10_000
#: Presentation Contexts of the Transfer Syntaxes.
IN_EXPLICIT, IN_IMPLICIT = 1, 3


@pytest.fixture
def peer(server, connect):
    peer = connect(server.address)
    peer.associate((IN_EXPLICIT, CT, EXPLICIT), (IN_IMPLICIT, CT, IMPLICIT))
    return peer


def explicit(tag, vr, value, length=None):
    """An element as it is given, in Explicit VR Little Endian."""
    length = len(value) if length is None else length
    group, number = tag >> 16, tag & 0xFFFF
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
        return struct.pack("<HH2s2xL", group, number, vr, length) + value
    return struct.pack("<HH2sH", group, number, vr, length) + value


def implicit(tag, value, length=None):
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


#: A sequence before the Study and Series UIDs, by Transfer Syntax; and what delimits.
SEQUENCE = 0x00081115
HEADERS = {
    IN_EXPLICIT: lambda value, length: explicit(SEQUENCE, b"SQ", value, length),
    IN_IMPLICIT: lambda value, length: implicit(SEQUENCE, value, length),
}
ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED)
END_OF_ITEM = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
END_OF_SEQUENCE = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def nested(syntax, *, end=True, depth=DEPTH):
    """A sequence in a sequence and so on, all of undefined length."""
    return (HEADERS[syntax](b"", UNDEFINED) + ITEM) * depth + (END_OF_ITEM + END_OF_SEQUENCE) * depth * end


def nested_with_lengths(syntax, depth=DEPTH):
    """The same, of lengths that are said."""
    headers, size = [], 0
    for _ in range(depth):
        item = struct.pack("<HHL", 0xFFFE, 0xE000, size)
        header = HEADERS[syntax](b"", size + 8)
        headers.append(header + item)
        size += len(header) + 8
    return b"".join(reversed(headers))


def nested_unknown(depth=DEPTH):
    """The outermost of VR UN, so that all within is in Implicit VR (PS3.5 6.2.2)."""
    inner = implicit(SEQUENCE, b"", UNDEFINED) + ITEM
    ends = (END_OF_ITEM + END_OF_SEQUENCE) * depth
    return explicit(SEQUENCE, b"UN", b"", UNDEFINED) + ITEM + inner * (depth - 1) + ends


def object_with(between=b"", after=b"", *, instance, syntax=IN_EXPLICIT, study="1.2.3", series="1.2.3.1"):
    """An object with something between its SOP and its Study UID, and something after all UIDs."""
    if syntax == IN_EXPLICIT:
        first = head(instance=instance, study=None, series=None)
        return first + between + head(instance=None, sop_class=None, study=study, series=series) + after
    uids = {0x00080016: CT, 0x00080018: instance, 0x0020000D: study, 0x0020000E: series}
    first, last = [
        b"".join(
            implicit(tag, uid.encode() + b"\0" * (len(uid) % 2))
            for tag, uid in uids.items()
            if (tag < SEQUENCE) == is_first
        )
        for is_first in (True, False)
    ]
    return first + between + last + after


def private(number):
    """A private creator's block with an element of its own."""
    return explicit(0x00090000 | number, b"LO", b"CREATOR ") + explicit(
        0x00090000 | number << 8, b"OB", random.Random(number).randbytes(100)
    )


def tiny(count):
    """The smallest elements there are, in Explicit VR."""
    return explicit(0x00100000, b"CS", b"") * count


#: What lies between the SOP and the Study UIDs of an object that can be identified all the same.
READ_OVER = {
    "10,000 sequences in each other, explicit": (IN_EXPLICIT, nested(IN_EXPLICIT)),
    "10,000 sequences in each other, implicit": (IN_IMPLICIT, nested(IN_IMPLICIT)),
    "10,000 sequences of given lengths, explicit": (IN_EXPLICIT, nested_with_lengths(IN_EXPLICIT)),
    "10,000 sequences of given lengths, implicit": (IN_IMPLICIT, nested_with_lengths(IN_IMPLICIT)),
    "10,000 sequences in one of VR UN": (IN_EXPLICIT, nested_unknown()),
    "private creators and their elements": (IN_EXPLICIT, b"".join(map(private, range(0x10, 0x100)))),
    "private elements without a creator": (IN_EXPLICIT, explicit(0x00091001, b"UN", bytes(999))),
    "a VR of the future": (IN_EXPLICIT, explicit(0x00081199, b"ZZ", struct.pack("<L2s", 2, b"ab"), 0)),
    "a VR in lower case": (IN_EXPLICIT, explicit(0x00081199, b"lo", b"text")),
    "a VR of zeros": (IN_EXPLICIT, explicit(0x00081199, b"\0\0", b"text")),
    "a VR of question marks": (IN_EXPLICIT, explicit(0x00081199, b"??", b"text")),
    "empty values": (
        IN_EXPLICIT,
        b"".join(
            explicit(tag, vr, b"")
            for tag, vr in [
                (0x00080020, b"DA"),
                (0x00080030, b"TM"),
                (0x00080060, b"CS"),
                (0x00100010, b"PN"),
                (0x00100020, b"LO"),
                (0x00181030, b"LO"),
            ]
        ),
    ),
    "values of odd length": (IN_EXPLICIT, explicit(0x00080060, b"CS", b"C") * 3),
    "tags that fall": (IN_EXPLICIT, explicit(0x00100020, b"LO", b"A ") + explicit(0x00080060, b"CS", b"CT")),
    "one element a thousand times": (IN_EXPLICIT, explicit(0x00100020, b"LO", b"ID") * 1000),
    "100,000 elements": (IN_EXPLICIT, tiny(100_000)),
    "delimiters that end nothing": (IN_EXPLICIT, (END_OF_ITEM + END_OF_SEQUENCE) * 100),
    "1,000 character sets": (IN_EXPLICIT, explicit(0x00080005, b"CS", b"ISO 2022 IR 87\\" * 1000)),
    "a character set of bytes": (IN_EXPLICIT, explicit(0x00080005, b"CS", bytes(range(256)))),
    "numbers that are none": (
        IN_EXPLICIT,
        explicit(0x00200013, b"IS", b"9" * 4000) + explicit(0x00280010, b"US", b"\xff" * 3),
    ),
    "dates that are none": (IN_EXPLICIT, explicit(0x00080020, b"DA", b"99999999\\00000000")),
    "a text of 60,000 bytes": (IN_EXPLICIT, explicit(0x00081030, b"LO", b"\x1b$B" * 20_000)),
}


@pytest.mark.parametrize(("syntax", "between"), READ_OVER.values(), ids=READ_OVER)
def test_an_object_that_can_be_identified_is_kept_as_it_came(server, peer, syntax, between):
    uid = new_uid()
    data = object_with(between, instance=uid, syntax=syntax)
    assert peer.store(syntax, CT, uid, data)[STATUS] == 0
    (path,) = [path for path in server.objects() if path.name.startswith(f"{uid}-")]
    assert data_set_of(path) == data
    peer.release()


#: The same where the UIDs cannot be reached, and what the Error Comment says of it.
HIDDEN = {
    "10,000 sequences without an end, explicit": (IN_EXPLICIT, nested(IN_EXPLICIT, end=False), "has no end"),
    "10,000 sequences without an end, implicit": (IN_IMPLICIT, nested(IN_IMPLICIT, end=False), "has no end"),
    "an element of undefined length": (
        IN_EXPLICIT,
        explicit(0x00091010, b"UN", b"", UNDEFINED),
        "out of place",
    ),
    "an item in no sequence": (
        IN_EXPLICIT,
        explicit(SEQUENCE, b"SQ", END_OF_ITEM, UNDEFINED),
        "out of place",
    ),
    "a length of 4 GB": (IN_EXPLICIT, explicit(0x00091010, b"OB", b"", UNDEFINED - 1), "runs past the end"),
    "a length of 4 GB, implicit": (IN_IMPLICIT, implicit(0x00091010, b"", UNDEFINED - 1), "runs past the e"),
    "a length of 2 GB": (IN_EXPLICIT, explicit(0x00091010, b"UT", b"", 1 << 31), "runs past the end"),
    "a sequence that ends after its Data Set": (IN_IMPLICIT, implicit(SEQUENCE, b"", 1 << 20), "runs past"),
    "more elements than are read": (IN_EXPLICIT, tiny(600_000), "too many elements"),
    "the Pixel Data": (IN_EXPLICIT, explicit(0x7FE00010, b"OW", bytes(64)), "no StudyInstanceUID"),
}


@pytest.mark.parametrize(("syntax", "between", "words"), HIDDEN.values(), ids=HIDDEN)
def test_an_object_whose_study_cannot_be_reached_is_refused(peer, syntax, between, words):
    uid = new_uid()
    response = peer.store(syntax, CT, uid, object_with(between, instance=uid, syntax=syntax))
    assert response[STATUS] == 0xC000
    assert words in response[ERROR_COMMENT]
    peer.release()


#: What may come after the UIDs without anybody looking far.
AFTER = {
    "4 GB of Pixel Data, announced": explicit(0x7FE00010, b"OW", b"", UNDEFINED - 1),
    "4 GB of something else, announced": explicit(0x00280009, b"OB", b"", UNDEFINED - 1),
    "sequences without an end": nested(IN_EXPLICIT, end=False),
    "encapsulated Pixel Data without an end": explicit(0x7FE00010, b"OB", ITEM, UNDEFINED),
    "half a header": b"\x28\x00\x10",
    "random bytes": random.Random(4).randbytes(100_000),
}


@pytest.mark.parametrize("after", AFTER.values(), ids=AFTER)
def test_what_comes_after_the_uids_does_not_matter(server, peer, after):
    uid = new_uid()
    data = object_with(after=after, instance=uid)
    assert peer.store(IN_EXPLICIT, CT, uid, data)[STATUS] == 0
    assert hashlib.sha256(data).hexdigest() in server.registered().values()
    peer.release()


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"\xff" * 12,
        zlib.compress(object_with(instance="1.2.3"))[2:-4],
        bytes(1_000_000),
        b"\xff" * 1_000_000,
        random.Random(5).randbytes(1_000_000),
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b '&a;&a;'>]>",
    ],
    ids=["a byte", "undefined", "deflated", "zeros", "ones", "random bytes", "XML"],
)
@pytest.mark.parametrize("syntax", [IN_EXPLICIT, IN_IMPLICIT], ids=["explicit", "implicit"])
def test_what_is_no_data_set_is_refused(peer, syntax, data):
    response = peer.store(syntax, CT, new_uid(), data)
    assert response[STATUS] == 0xC000
    assert response[ERROR_COMMENT].isprintable()
    peer.release()


# --- paths -----------------------------------------------------------------------------------

#: Texts in the place of UIDs, from which paths are made.
PATHS = {
    "up": "../../../../escaped",
    "a dot": ".",
    "two dots": "..",
    "absolute": "/tmp/escaped",
    "Windows": "..\\..\\escaped",
    "a NUL": "1.2\0/../../escaped",
    "a slash": "1/2/3",
    "empty components": "1..2",
    "dots at its ends": ".1.2.",
    "65 characters": "1" * 65,
    "300 characters": "1.2" * 100,
    "a device": "CON",
    "an option": "-rf",
    "line breaks": "1.2\n3\r4",
    "an escape sequence": "\x1b[2J",
    "SQL": "1'; DROP TABLE instance; --",
    "a pattern": "%s{uid}%n",
    "beyond ASCII": "1.2.\u0663\u00e9\u202e",
}


def test_the_study_and_series_uids_lead_nowhere(server, peer):
    """What is no UID becomes a hash in the path; that nothing lies elsewhere is looked at after each test."""
    for syntax, text in [(syntax, text) for syntax in (IN_EXPLICIT, IN_IMPLICIT) for text in PATHS.values()]:
        uid = new_uid()
        data = object_with(instance=uid, syntax=syntax, study=text, series=text)
        assert peer.store(syntax, CT, uid, data)[STATUS] == 0
        (path,) = [path for path in server.objects() if path.name.startswith(f"{uid}-")]
        assert [len(part) for part in path.parts[-3:-1]] == [64, 64]
        assert data_set_of(path) == data
    peer.release()


@pytest.mark.parametrize("text", PATHS.values(), ids=PATHS)
def test_an_instance_uid_that_is_none_is_refused_wherever_it_stands(server, peer, text):
    before = {instance_of(path) for path in server.objects()}
    data = object_with(instance=text)
    for instance, status in ((text, 0x0117), (new_uid(), 0xA900)):
        assert peer.store(IN_EXPLICIT, CT, instance, data)[STATUS] == status
    assert {instance_of(path) for path in server.objects()} == before
    peer.release()


def instance_of(path):
    return path.name.rpartition("-")[0]


def test_a_uid_too_long_for_the_index_is_refused(peer):
    """It would have to be cut, and would then be another's."""
    uid = new_uid()
    response = peer.store(IN_EXPLICIT, CT, uid, object_with(instance=uid, study="1." * 300))
    assert response[STATUS] == 0xC000
    assert "StudyInstanceUID" in response[ERROR_COMMENT]
    peer.release()


# --- patients --------------------------------------------------------------------------------

#: Patient IDs and names, by the Specific Character Set that they are in.
PATIENTS = {
    "a path": ("", b"../../escaped"),
    "an absolute path": ("", b"/etc/passwd"),
    "SQL": ("", b"'; DROP TABLE instance; --"),
    "more SQL": ("", b'%_"$1:name?'),
    "clearing the screen": ("", b"\x1b[2J\x1b[1;1H"),
    "a title of the terminal": ("", b"\x1b]0;owned\x07"),
    "C1 controls": ("ISO_IR 100", b"\x9b2J\x9d0;owned\x9c"),
    "line breaks": ("", b"one\r\ntwo\x0bthree\x0cfour"),
    "NULs": ("", b"A\0B\0\0"),
    "backspaces": ("", b"secret" + b"\x08" * 6),
    "DEL": ("", b"\x7f" * 8),
    "lone surrogates": ("ISO_IR 192", b"\xed\xa0\x80\xed\xbf\xbf"),
    "bytes that are no UTF-8": ("ISO_IR 192", b"\xff\xfe\xc0\xaf../"),
    "a direction override": ("ISO_IR 192", "A\u202eB\u2066".encode()),
    "no characters at all": ("ISO_IR 192", "\ufffe\uffff\u2028\u2029".encode()),
    "GB 18030 of surrogates": ("GB18030", b"\x81\x30\x81\x30\x84\x31\xa4\x37\xff"),
    "escapes of no set": ("ISO 2022 IR 6\\ISO 2022 IR 87", b"\x1b$B\x1b(Q\x1b$)Z!!"),
    "60,000 bytes": ("", b"=^" * 30_000),
    "a format": ("", b"{0.__class__}%(x)s$(reboot)`reboot`"),
}


def test_what_patients_are_called_cannot_steer_a_terminal_or_the_index(server, peer):
    uids = {}
    for name, (character_set, value) in PATIENTS.items():
        uids[name] = uid = new_uid()
        patient = b"".join(
            (
                explicit(0x00080005, b"CS", character_set.encode()),
                explicit(0x00080050, b"SH", value),
                explicit(0x00080060, b"CS", value),
                explicit(0x00100010, b"PN", value),
                explicit(0x00100020, b"LO", value),
            )
        )
        data = object_with(patient, instance=uid, study=f"1.2.3.{len(uids)}")
        assert peer.store(IN_EXPLICIT, CT, uid, data)[STATUS] == 0
    peer.release()
    for_people = server.sdccctl("instances")
    assert for_people.returncode == 0, for_people.stderr
    assert all(line.isprintable() for line in for_people.stdout.split("\n"))
    for_programs = server.sdccctl("instances", "--json")
    assert for_programs.stdout.isascii()
    assert all(line.isprintable() for line in for_programs.stdout.split("\n"))
    assert {json.loads(line)["sop_instance_uid"] for line in for_programs.stdout.splitlines()} >= set(
        uids.values()
    )
    assert all(line.isprintable() for line in server.log().split("\n"))


@pytest.mark.parametrize("name", ["up", "SQL", "an escape sequence"])
def test_the_objects_of_such_a_study_are_listed(server, peer, name):
    uid, study = new_uid(), PATHS[name]
    assert peer.store(IN_EXPLICIT, CT, uid, object_with(instance=uid, study=study))[STATUS] == 0
    peer.release()
    assert server.instances(study.replace("\x1b", "\ufffd"))[uid]["fault"]
