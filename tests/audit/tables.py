"""The tables of PS3.15 A.5.3, copied by hand, and whether a message is one of them.

Of each: the event, what it may say of it, its participants and its objects with how many of each there are,
and which of their fields are mandatory.
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass, field
from datetime import datetime
from xml.etree import ElementTree

MANY = 1000
SOURCE, DESTINATION, APPLICATION = "110153", "110152", "110150"
#: ParticipantObjectTypeCode, Role, ID Type Code and its system.
STUDY = ("2", "3", "110180", "DCM")
PATIENT = ("1", "1", "2", "RFC-3881")
SOP_CLASS = ("2", "3", "110181", "DCM")
SECURITY_RESOURCE = ("2", "13", "110182", "DCM")
MASTER_FILE = ("2", "5", "12", "RFC-3881")


@dataclass(frozen=True)
class Table:
    event: tuple[str, str]
    actions: str
    types: frozenset[str | None] = frozenset({None})
    #: RoleIDCode, or None where it has none, to (fewest, most).
    participants: dict[str | None, tuple[int, int]] = field(default_factory=dict)
    objects: dict[tuple[str, str, str, str], tuple[int, int]] = field(default_factory=dict)
    #: What every one of its participants with no role must say of UserIsRequestor.
    details: frozenset[str] = frozenset()


TABLES = {
    "A.5.3.1": Table(
        event=("110100", "Application Activity"),
        actions="E",
        types=frozenset({"110120", "110121"}),
        participants={APPLICATION: (1, 1), "110151": (0, MANY)},
    ),
    "A.5.3.7": Table(
        event=("110104", "DICOM Instances Transferred"),
        actions="CRU",
        participants={SOURCE: (1, 1), DESTINATION: (1, 1), None: (0, MANY)},
        objects={STUDY: (1, MANY), PATIENT: (1, 1)},
    ),
    "A.5.3.10": Table(
        event=("110112", "Query"),
        actions="E",
        participants={SOURCE: (1, 1), DESTINATION: (1, 1), None: (0, MANY)},
        objects={SOP_CLASS: (1, 1)},
        details=frozenset({"TransferSyntax"}),
    ),
    "A.5.3.11": Table(
        event=("110113", "Security Alert"),
        actions="E",
        types=frozenset(str(code) for code in range(110126, 110138)),
        participants={None: (1, MANY)},
        objects={SECURITY_RESOURCE: (0, MANY), MASTER_FILE: (0, MANY)},
        details=frozenset({"Alert Description"}),
    ),
}


def check(name: str, xml: bytes) -> ElementTree.Element:
    """Hold a message against its table, and against the schema (A.5.1); gives its root."""
    table = TABLES[name]
    root = ElementTree.fromstring(xml)
    assert root.tag == "AuditMessage"
    order = [child.tag for child in root]
    assert order == sorted(
        order,
        key=[
            "EventIdentification",
            "ActiveParticipant",
            "AuditSourceIdentification",
            "ParticipantObjectIdentification",
        ].index,
    )
    _check_event(table, root.find("EventIdentification"))
    found: list[str | None] = []
    for participant in root.iter("ActiveParticipant"):
        assert participant.get("UserID")
        assert participant.get("UserIsRequestor") in ("true", "false")
        assert participant.get("NetworkAccessPointTypeCode") in (None, "1", "2")
        role = participant.find("RoleIDCode")
        found.append(None if role is None else role.get("csd-code"))
    _check_counts(table.participants, found)
    [source] = root.iter("AuditSourceIdentification")
    assert source.get("AuditSourceID")
    assert [child.get("csd-code") for child in source] == ["4"]
    objects = [*root.iter("ParticipantObjectIdentification")]
    _check_counts(table.objects, [_kind(each) for each in objects])
    for each in objects:
        _check_object(table, each)
    return root


def _check_event(table, event):
    assert event.get("EventActionCode") in table.actions
    assert datetime.fromisoformat(event.get("EventDateTime")).tzinfo is not None
    assert event.get("EventOutcomeIndicator") in ("0", "4", "8", "12")
    tags = [child.tag for child in event]
    assert tags == sorted(tags, key=["EventID", "EventTypeCode", "EventOutcomeDescription"].index)
    code = event.find("EventID")
    assert (code.get("csd-code"), code.get("originalText")) == table.event
    assert code.get("codeSystemName") == "DCM"
    kind = event.find("EventTypeCode")
    assert (None if kind is None else kind.get("csd-code")) in table.types


def _kind(element):
    code = element.find("ParticipantObjectIDTypeCode")
    return (
        element.get("ParticipantObjectTypeCode"),
        element.get("ParticipantObjectTypeCodeRole"),
        code.get("csd-code"),
        code.get("codeSystemName"),
    )


def _check_counts(allowed, found):
    assert set(found) <= allowed.keys()
    for kind, (fewest, most) in allowed.items():
        assert fewest <= found.count(kind) <= most, kind


def _check_object(table, element):
    assert element.get("ParticipantObjectID")
    tags = [child.tag for child in element]
    names = [tag for tag in tags if tag in ("ParticipantObjectName", "ParticipantObjectQuery")]
    assert len(names) == 1, "either a name or a query"
    assert tags[:2] == ["ParticipantObjectIDTypeCode", names[0]]
    assert {tag.removeprefix("ParticipantObject") for tag in tags[2:]} <= {"Detail", "Description"}
    details = {
        each.get("type"): b64decode(each.get("value"), validate=True)
        for each in element.iter("ParticipantObjectDetail")
    }
    if _kind(element) not in (STUDY, PATIENT):
        assert table.details <= details.keys()
    for sop_class in element.iter("SOPClass"):
        assert re.fullmatch(r"[0-9.]+", sop_class.get("UID"))
        assert int(sop_class.get("NumberOfInstances")) > 0
