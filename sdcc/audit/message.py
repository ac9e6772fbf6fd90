"""An audit message as values, and as the XML of PS3.15 A.5.1."""

from __future__ import annotations

import datetime
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from sdcc.audit.codes import Code, Outcome

#: What XML 1.0 cannot hold at all, and all that would break a line.
_NOT_IN_A_LINE = re.compile("[^ -\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Application server process tier in a multi-tier system (A.5.1.2.1).
SOURCE_TYPE = "4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """ActiveParticipant: a process, known by an AE title where it has one."""

    user_id: str
    is_requestor: bool
    roles: tuple[Code, ...] = ()
    ae_titles: tuple[str, ...] = ()
    #: An IP address, or a host name; empty: not known.
    address: str = ""
    is_host_name: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """ParticipantObjectIdentification. It has a name or a query, as the schema demands."""

    id: str
    id_type: Code
    #: 1: person; 2: system object.
    type_code: int
    #: 1: patient; 3: report; 5: master file; 13: security resource.
    role: int
    name: str = ""
    query: bytes | None = None
    #: By type; the schema has all of them in base64.
    details: Mapping[str, bytes] = field(default_factory=dict)
    #: SOP Class UID to how many instances.
    instances: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """AuditMessage, but for its source."""

    event: Code
    #: C, R, U, D or E (PS3.15 A.5.1, EventActionCode).
    action: str
    #: Aware.
    at: datetime.datetime
    outcome: Outcome = Outcome.SUCCESS
    event_type: Code | None = None
    #: EventOutcomeDescription; empty: none.
    description: str = ""
    participants: tuple[Participant, ...]
    subjects: tuple[Subject, ...] = ()


def encode(message: Message, source_id: str) -> bytes:
    """The XML in UTF-8, without a line break."""
    root = ElementTree.Element("AuditMessage")
    _event(root, message)
    for participant in message.participants:
        _participant(root, participant)
    source = _element(root, "AuditSourceIdentification", {"AuditSourceID": source_id})
    _element(source, "AuditSourceTypeCode", {"csd-code": SOURCE_TYPE})
    for subject in message.subjects:
        _subject(root, subject)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=False))


def _event(root: ElementTree.Element, message: Message) -> None:
    event = _element(
        root,
        "EventIdentification",
        {
            "EventActionCode": message.action,
            "EventDateTime": message.at.isoformat(timespec="milliseconds"),
            "EventOutcomeIndicator": str(int(message.outcome)),
        },
    )
    _code(event, "EventID", message.event)
    if message.event_type is not None:
        _code(event, "EventTypeCode", message.event_type)
    if message.description:
        _element(event, "EventOutcomeDescription").text = _line(message.description)


def _participant(root: ElementTree.Element, participant: Participant) -> None:
    attributes = {"UserID": participant.user_id}
    if participant.ae_titles:
        attributes["AlternativeUserID"] = f"AETITLES={';'.join(participant.ae_titles)}"
    attributes["UserIsRequestor"] = "true" if participant.is_requestor else "false"
    if participant.address:
        attributes["NetworkAccessPointID"] = participant.address
        attributes["NetworkAccessPointTypeCode"] = "1" if participant.is_host_name else "2"
    element = _element(root, "ActiveParticipant", attributes)
    for role in participant.roles:
        _code(element, "RoleIDCode", role)


def _subject(root: ElementTree.Element, subject: Subject) -> None:
    element = _element(
        root,
        "ParticipantObjectIdentification",
        {
            "ParticipantObjectID": subject.id,
            "ParticipantObjectTypeCode": str(subject.type_code),
            "ParticipantObjectTypeCodeRole": str(subject.role),
        },
    )
    _code(element, "ParticipantObjectIDTypeCode", subject.id_type)
    if subject.query is not None:
        _element(element, "ParticipantObjectQuery").text = _base64(subject.query)
    else:
        _element(element, "ParticipantObjectName").text = _line(subject.name)
    for kind, value in subject.details.items():
        _element(element, "ParticipantObjectDetail", {"type": kind, "value": _base64(value)})
    if subject.instances:
        description = _element(element, "ParticipantObjectDescription")
        for uid, count in subject.instances.items():
            _element(description, "SOPClass", {"UID": uid, "NumberOfInstances": str(count)})


def _code(parent: ElementTree.Element, name: str, code: Code) -> None:
    _element(
        parent,
        name,
        {"csd-code": code.value, "codeSystemName": code.system, "originalText": code.meaning},
    )


def _element(
    parent: ElementTree.Element, name: str, attributes: Mapping[str, str] | None = None
) -> ElementTree.Element:
    found = {key: _line(value) for key, value in (attributes or {}).items()}
    return ElementTree.SubElement(parent, name, found)


def _line(text: str) -> str:
    return _NOT_IN_A_LINE.sub("\ufffd", text)


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
