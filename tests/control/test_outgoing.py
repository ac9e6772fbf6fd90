"""The files that are to be sent: which there are, what they are, and what keeps others from being sent."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sdcc.archive.part10 import file_head
from sdcc.control.outgoing import NotSendable, OutgoingFile, batches, contexts, find, look
from sdcc.interfaces import Announcement, Provenance

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DATA_SET = b"\x08\0\x18\0" + bytes(60)


def head(sop_class: str = CT, instance: str = "1.2.3", transfer_syntax: str = IMPLICIT) -> bytes:
    return file_head(
        Announcement(
            sop_class_uid=sop_class,
            sop_instance_uid=instance,
            transfer_syntax_uid=transfer_syntax,
            provenance=Provenance(calling_ae="A", called_ae="B", calling_address=""),
        )
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes a file; gives its path."""

    def write(name: str, content: bytes | None = None) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(head() + DATA_SET if content is None else content)
        return str(path)

    return write


def test_a_file_is_what_its_meta_information_says(write: Callable[..., str]) -> None:
    path = write("ct.dcm", head(MR, "1.2.9", EXPLICIT) + DATA_SET)
    assert look(path) == OutgoingFile(path=path, pair=(MR, EXPLICIT), sop_instance_uid="1.2.9", size=64)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no DICOM file: the prefix DICM is missing"),
        (DATA_SET * 10, "no DICOM file: the prefix DICM is missing"),
        (bytes(128) + b"DICM" + DATA_SET, "does not begin with its group length"),
        (head()[:200], "cut short"),
        (head(instance="") + DATA_SET, r"has no \(0002,0003\)"),
        (head(transfer_syntax="1.2.x") + DATA_SET, "has '1.2.x' for a UID, which is none"),
        (head(sop_class="1.2.840.10008.1.3.10") + DATA_SET, "the directory of a medium"),
        (head(), "there is no Data Set in it"),
        (bytes(128) + b"DICM\x02\0\0\0UL\x04\0\xff\xff\xff\x7f" + DATA_SET, "longer than 1048576 bytes"),
    ],
)
def test_what_cannot_be_sent_says_why(write: Callable[..., str], content: bytes, words: str) -> None:
    with pytest.raises(NotSendable, match=words):
        look(write("file", content))


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    """It could hang."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotSendable, match="no regular file"):
        look(str(tmp_path / "pipe"))


def test_directories_are_looked_through_in_order(write: Callable[..., str], tmp_path: Path) -> None:
    paths = [write(name) for name in ("2/b", "2/a", "1", "2/d/y", "2/c/x")]
    write("2/DICOMDIR", b"of no interest")
    readme = write("2/README", b"a text")
    found = find([paths[2], str(tmp_path / "2"), str(tmp_path / "gone")])
    assert [os.path.relpath(file.path, tmp_path) for file in found.files] == [
        "1",
        "2/a",
        "2/b",
        "2/c/x",
        "2/d/y",
    ]
    assert found.faulty == [
        (readme, "no DICOM file: the prefix DICM is missing"),
        (str(tmp_path / "gone"), "No such file or directory"),
    ]
    assert found.size == 5 * 64


def test_no_more_is_looked_at_than_is_wanted(write: Callable[..., str], tmp_path: Path) -> None:
    for name in "abc":
        write(name)
    wanted = iter([True, False])
    assert len(find([str(tmp_path)], lambda: next(wanted)).files) == 1


def outgoing(pair: tuple[str, str], number: int) -> OutgoingFile:
    return OutgoingFile(path=str(number), pair=pair, sop_instance_uid=f"1.{number}", size=64)


def test_each_class_in_each_syntax_has_a_context() -> None:
    pairs = [(CT, IMPLICIT), (MR, EXPLICIT), (CT, IMPLICIT), (CT, EXPLICIT)]
    proposed = contexts(outgoing(pair, number) for number, pair in enumerate(pairs))
    assert [(context.id, context.abstract_syntax, context.transfer_syntaxes) for context in proposed] == [
        (1, CT, (IMPLICIT,)),
        (3, MR, (EXPLICIT,)),
        (5, CT, (EXPLICIT,)),
    ]


def test_more_of_them_than_an_association_has_contexts_take_several() -> None:
    files = [outgoing((f"1.2.{number % 5}", IMPLICIT), number) for number in range(10)]
    assert [[file.path for file in batch] for batch in batches(files, 2)] == [
        ["0", "1", "5", "6"],
        ["2", "3", "7", "8"],
        ["4", "9"],
    ]
    assert [*batches([], 2)] == []
