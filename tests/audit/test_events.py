"""Each message against the standard's table, and what it says in particular."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest

from sdcc.allowance import Withheld
from sdcc.audit import codes, events
from sdcc.audit.events import LONGEST_QUERY, Node, StudyRecord
from sdcc.audit.message import Message, encode
from sdcc.interfaces import OperationFacts

from .facts import ASSOCIATION, CT, NOW, REFUSAL
from .tables import check

STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT = "1.2.840.10008.1.2"
NODE = Node("archive.example", ("SDCC", "SDCC2"))
STUDY = StudyRecord(study_instance_uid="1.2.3", patient_id="P1", patient_name="Doe^Jane", instances={CT: 2})


def operation(**fields: Any) -> OperationFacts:
    return OperationFacts(
        **{
            "command_field": 0x20,
            "sop_class_uid": STUDY_ROOT,
            "status": 0,
            "size": 9,
            "seconds": 0.1,
            "identifier": b"identifier",
            "transfer_syntax_uid": IMPLICIT,
            **fields,
        }
    )


def checked(table: str, message: Message) -> Any:
    return check(table, encode(message, "PACS"))


def participants(root: Any) -> list[tuple[Any, ...]]:
    """(user, is requestor, role, network access point)."""
    return [
        (
            each.get("UserID"),
            each.get("UserIsRequestor") == "true",
            getattr(each.find("RoleIDCode"), "attrib", {}).get("originalText"),
            each.get("NetworkAccessPointID"),
        )
        for each in root.iter("ActiveParticipant")
    ]


def outcome(root: Any) -> str:
    return str(root.find("EventIdentification").get("EventOutcomeIndicator"))


@pytest.mark.parametrize("kind", [codes.APPLICATION_START, codes.APPLICATION_STOP])
def test_application_activity(kind: codes.Code) -> None:
    root = checked("A.5.3.1", events.application_activity(NODE, kind, NOW))
    assert participants(root) == [("archive.example", False, "Application", "archive.example")]
    [participant] = root.iter("ActiveParticipant")
    assert participant.get("AlternativeUserID") == "AETITLES=SDCC;SDCC2"
    assert participant.get("NetworkAccessPointTypeCode") == "1"
    [event] = root.iter("EventIdentification")
    assert event.find("EventTypeCode").get("csd-code") == kind.value
    assert event.get("EventDateTime") == "2026-02-28T12:30:01.005+00:00"
    assert outcome(root) == "0"


def test_an_association_that_was_refused() -> None:
    root = checked("A.5.3.11", events.refused(NODE, REFUSAL, NOW))
    assert root.find(".//EventTypeCode").get("csd-code") == "110126"
    assert root.find(".//EventOutcomeDescription").text == "A-ASSOCIATE-RJ 1/1/3: calling_ae"
    assert outcome(root) == "4"
    assert participants(root) == [
        ("archive.example", True, None, "archive.example"),
        ("STRANGER", False, None, "192.0.2.9"),
    ]
    [subject] = root.iter("ParticipantObjectIdentification")
    assert subject.get("ParticipantObjectID") == "192.0.2.9"
    [detail] = subject.iter("ParticipantObjectDetail")
    assert b64decode(detail.get("value")) == b"SDCC <- STRANGER: no [[remote]] 'STRANGER'"


def test_a_refusal_of_who_has_no_title() -> None:
    refusal = replace(REFUSAL, calling_ae="")
    root = checked("A.5.3.11", events.refused(NODE, refusal, NOW))
    assert participants(root)[1] == ("<none>", False, None, "192.0.2.9")


def test_a_peer_that_tls_did_not_let_in() -> None:
    refusal = replace(REFUSAL, calling_ae="", called_ae="", codes="", rule="tls", cause="it has expired")
    root = checked("A.5.3.11", events.refused(NODE, refusal, NOW))
    assert root.find(".//EventTypeCode").get("csd-code") == "110126"
    assert root.find(".//EventOutcomeDescription").text == "not let in: tls"
    assert participants(root)[1] == ("<none>", False, None, "192.0.2.9")
    [detail] = root.iter("ParticipantObjectDetail")
    assert b64decode(detail.get("value")) == b"it has expired"


def test_alerts_that_are_only_counted() -> None:
    root = checked("A.5.3.11", events.more_refused(NODE, Withheld(1234, "192.0.2.9", 900), 10.0, NOW))
    assert root.find(".//EventOutcomeDescription").text == (
        "1234 more alerts within 10 s, 900 of them about peers at 192.0.2.9"
    )


def test_an_operation_that_its_peer_may_not_invoke() -> None:
    root = checked("A.5.3.11", events.not_authorized(NODE, ASSOCIATION, operation(status=0x0124), NOW))
    assert root.find(".//EventTypeCode").get("csd-code") == "110132"
    assert participants(root)[1] == ("CT01", False, None, "192.0.2.1")


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        (["[storage].minimum_free"], "110131"),
        (["[storage].minimum_free", "[access].check_address"], "110129"),
        (["[[remote]][2].address"], "110129"),
    ],
)
def test_a_configuration_that_was_changed(keys: list[str], kind: str) -> None:
    message = events.configuration_changed(NODE, keys, "file:///etc/sdcc/sdcc.toml", NOW)
    root = checked("A.5.3.11", message)
    assert root.find(".//EventTypeCode").get("csd-code") == kind
    [subject] = root.iter("ParticipantObjectIdentification")
    assert subject.get("ParticipantObjectID") == "file:///etc/sdcc/sdcc.toml"
    [detail] = subject.iter("ParticipantObjectDetail")
    assert b64decode(detail.get("value")).decode() == f"changed: {', '.join(keys)}"


@pytest.mark.parametrize(("has_replaced", "action"), [(False, "C"), (True, "U")])
def test_instances_that_were_received(has_replaced: bool, action: str) -> None:
    root = checked("A.5.3.7", events.received(NODE, ASSOCIATION, STUDY, NOW, has_replaced=has_replaced))
    assert root.find("EventIdentification").get("EventActionCode") == action
    assert participants(root) == [
        ("CT01", True, "Source Role ID", "192.0.2.1"),
        ("SDCC", False, "Destination Role ID", "archive.example"),
    ]
    study, patient = root.iter("ParticipantObjectIdentification")
    assert study.get("ParticipantObjectID") == "1.2.3"
    assert [each.attrib for each in study.iter("SOPClass")] == [{"UID": CT, "NumberOfInstances": "2"}]
    assert patient.get("ParticipantObjectID") == "P1"
    assert patient.find("ParticipantObjectName").text == "Doe^Jane"


def test_instances_of_who_has_neither_an_id_nor_a_name() -> None:
    study = StudyRecord(study_instance_uid="", patient_id=None, patient_name=None, instances={CT: 1})
    root = checked("A.5.3.7", events.received(NODE, ASSOCIATION, study, NOW, has_replaced=False))
    found = [each.get("ParticipantObjectID") for each in root.iter("ParticipantObjectIdentification")]
    assert found == ["<none>", "<none>"]


def test_instances_that_went_to_who_asked_for_them() -> None:
    root = checked("A.5.3.7", events.sent(NODE, ASSOCIATION, operation(), STUDY, NOW))
    assert root.find("EventIdentification").get("EventActionCode") == "R"
    assert participants(root) == [
        ("SDCC", False, "Source Role ID", "archive.example"),
        ("CT01", True, "Destination Role ID", "192.0.2.1"),
    ]


def test_instances_that_went_to_a_third() -> None:
    moved = operation(move_destination="WORKSTATION")
    root = checked("A.5.3.7", events.sent(NODE, ASSOCIATION, moved, STUDY, NOW))
    assert participants(root) == [
        ("SDCC", False, "Source Role ID", "archive.example"),
        ("WORKSTATION", False, "Destination Role ID", None),
        ("CT01", True, None, "192.0.2.1"),
    ]


@pytest.mark.parametrize(("status", "indicator"), [(0, "0"), (0xB000, "4"), (0xFE00, "4"), (0xA702, "8")])
def test_a_retrieval_that_sent_not_all_of_it_says_so(status: int, indicator: str) -> None:
    root = checked("A.5.3.7", events.sent(NODE, ASSOCIATION, operation(status=status), STUDY, NOW))
    assert outcome(root) == indicator
    assert (root.find(".//EventOutcomeDescription") is None) is (status == 0)


def test_a_query() -> None:
    root = checked("A.5.3.10", events.query(NODE, ASSOCIATION, operation(identifier=b"\x08\0R\0who"), NOW))
    assert participants(root) == [
        ("CT01", True, "Source Role ID", "192.0.2.1"),
        ("SDCC", False, "Destination Role ID", "archive.example"),
    ]
    [subject] = root.iter("ParticipantObjectIdentification")
    assert subject.get("ParticipantObjectID") == STUDY_ROOT
    assert b64decode(subject.find("ParticipantObjectQuery").text) == b"\x08\0R\0who"
    [detail] = subject.iter("ParticipantObjectDetail")
    assert b64decode(detail.get("value")) == IMPLICIT.encode()


def test_of_a_query_that_is_too_long_the_beginning_is_recorded_and_its_length() -> None:
    """Every collector takes 32 KiB (PS3.15 A.6)."""
    xml = encode(events.query(NODE, ASSOCIATION, operation(identifier=bytes(256 << 10)), NOW), "PACS")
    assert len(xml) < 32 << 10
    [subject] = check("A.5.3.10", xml).iter("ParticipantObjectIdentification")
    assert len(b64decode(subject.find("ParticipantObjectQuery").text or "")) == LONGEST_QUERY
    details = {
        each.get("type"): b64decode(each.get("value") or "")
        for each in subject.iter("ParticipantObjectDetail")
    }
    assert details["QueryLength"] == b"262144"
