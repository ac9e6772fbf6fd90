"""A message as a line: the header of RFC 5424, and XML that no value can break."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcc.audit import codes
from sdcc.audit.codes import Outcome
from sdcc.audit.message import Message, Participant, Subject
from sdcc.audit.syslog import Syslog

from .facts import NOW

HEADER = re.compile(rb"<(\d+)>1 (\S+) (\S+) (\S+) (\S+) (\S+) - \xef\xbb\xbf")


def message(name: str = "Doe^Jane", **fields: Any) -> Message:
    return Message(
        **{
            "event": codes.QUERY,
            "action": "E",
            "at": NOW,
            "description": name,
            "participants": (Participant(user_id=name, is_requestor=True),),
            "subjects": (Subject(id=name, id_type=codes.PATIENT_NUMBER, type_code=1, role=1, name=name),),
            **fields,
        }
    )


def line(message: Message, host: str = "archive") -> tuple[tuple[bytes, ...], ElementTree.Element]:
    found = Syslog(source_id="PACS", host=host, process_id=lambda: 17).line(message)
    assert b"\n" not in found
    header = HEADER.match(found)
    assert header is not None, found
    return header.groups(), ElementTree.fromstring(found[header.end() :].decode("utf-8"))


@pytest.mark.parametrize(("outcome", "priority"), [(Outcome.SUCCESS, b"85"), (Outcome.MINOR_FAILURE, b"84")])
def test_the_header_is_as_the_standard_wants_it(outcome: Outcome, priority: bytes) -> None:
    header, _ = line(message(outcome=outcome))
    assert header == (priority, b"2026-02-28T12:30:01.005Z", b"archive", b"sdcc", b"17", b"DICOM+RFC3881")


@pytest.mark.parametrize(
    ("host", "shown"), [("", b"-"), ("two words", b"two_words"), ("ö" * 300, b"_" * 255)]
)
def test_the_host_is_one_word_of_ascii(host: str, shown: bytes) -> None:
    header, _ = line(message(), host)
    assert header[2] == shown


@pytest.mark.parametrize("name", ["山田^太郎", "Müller^Jörg", '<a b="c">&amp;', "o'Neill", "\U0001f600"])
def test_text_comes_back_as_it_was(name: str) -> None:
    _, root = line(message(name))
    assert root.find(".//ParticipantObjectName").text == name
    assert root.find("ActiveParticipant").get("UserID") == name


@given(st.text())
def test_no_text_breaks_the_line_or_the_xml(name: str) -> None:
    """Control characters and halves of pairs are replaced: XML 1.0 cannot hold them."""
    _, root = line(message(name))
    shown = root.find("ActiveParticipant").get("UserID")
    assert shown is not None
    assert len(shown) == len(name)
    assert all(b in (a, "\ufffd") for a, b in zip(name, shown, strict=True))
