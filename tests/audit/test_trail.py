"""What is recorded of associations, when, and how little of it is kept meanwhile."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from sdcc.audit.events import Node
from sdcc.audit.syslog import Syslog
from sdcc.audit.trail import ALERTS, LATEST, MOST_STUDIES, PERIOD, AuditTrail
from sdcc.dimse.command import CommandField
from sdcc.interfaces import (
    Ending,
    IAssociationWatch,
    Instance,
    IObserver,
    OperationFacts,
    Provenance,
    Series,
    StoredFile,
    StoredObject,
    Study,
    StudyTransfer,
)

from .facts import ASSOCIATION, CT, NOW, REFUSAL

MR = "1.2.840.10008.5.1.4.1.1.4"


class Destination:
    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def write(self, line: bytes) -> None:
        self.lines.append(line)

    async def stop(self) -> None:
        self.calls.append("stop")

    @property
    def recorded(self) -> list[str]:
        """Of each message since the last call: event, outcome, and its objects."""
        found = []
        for line in self.lines:
            root = ElementTree.fromstring(line[line.index(b"<AuditMessage") :])
            event = root.find("EventIdentification")
            assert event is not None
            kind = event.find("EventTypeCode")
            code = event.find("EventID") if kind is None else kind
            assert code is not None
            words = [str(code.get("originalText")), str(event.get("EventOutcomeIndicator"))]
            for each in root.iter("ParticipantObjectIdentification"):
                words.append(str(each.get("ParticipantObjectID")))
                words += [
                    f"{each.get('NumberOfInstances')} of {each.get('UID')}" for each in each.iter("SOPClass")
                ]
            found.append(" ".join(words))
        self.lines.clear()
        return found


class Scene:
    def __init__(self) -> None:
        self.destination = Destination()
        self.clock = Clock()
        self.trail = AuditTrail(
            self.destination,
            Syslog(source_id="PACS", host="archive", process_id=lambda: 1),
            Node("archive", ("SDCC",)),
            source="file:///sdcc.toml",
            clock=self.clock,
            now=lambda: NOW,
        )

    def open(self) -> Any:
        return self.trail.opened(ASSOCIATION)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def operation(**fields: Any) -> OperationFacts:
    return OperationFacts(
        **{"command_field": 1, "sop_class_uid": CT, "status": 0, "size": 1, "seconds": 1, **fields}
    )


def stored(study: str = "1.1", sop_class: str = CT, patient: str = "", **fields: Any) -> OperationFacts:
    kept = StoredObject(
        study=Study(study_instance_uid=study, patient_id=patient or f"P{study}", patient_name="Doe"),
        series=Series(series_instance_uid="1.2"),
        instance=Instance(sop_instance_uid="1.3", sop_class_uid=sop_class),
        file=StoredFile(
            path="objects/1.dcm",
            size=1,
            data_set_size=1,
            sha256="0" * 64,
            transfer_syntax_uid="1.2",
            received_at=NOW,
            provenance=Provenance(calling_ae="CT01", called_ae="SDCC", calling_address="192.0.2.1"),
        ),
    )
    return operation(stored=kept, sop_class_uid=sop_class, **fields)


def test_the_contracts_are_kept(scene: Scene) -> None:
    assert verifyObject(IObserver, scene.trail)
    assert verifyObject(IAssociationWatch, scene.open())


def test_what_an_association_has_stored_is_one_message_a_study_at_its_end(scene: Scene) -> None:
    watch = scene.open()
    for study, sop_class in [("1.1", CT), ("1.2", CT), ("1.1", CT), ("1.1", MR)]:
        watch.performed(stored(study, sop_class))
    assert scene.destination.recorded == []
    watch.ended(Ending.RELEASED, "")
    assert scene.destination.recorded == [
        f"DICOM Instances Transferred 0 1.1 2 of {CT} 1 of {MR} P1.1",
        f"DICOM Instances Transferred 0 1.2 1 of {CT} P1.2",
    ]
    assert scene.clock.getDelayedCalls() == []


def test_two_patients_in_one_study_are_two_messages(scene: Scene) -> None:
    watch = scene.open()
    for patient in ("P1", "P2", "P1"):
        watch.performed(stored(patient=patient))
    watch.ended(Ending.RELEASED, "")
    assert scene.destination.recorded == [
        f"DICOM Instances Transferred 0 1.1 2 of {CT} P1",
        f"DICOM Instances Transferred 0 1.1 1 of {CT} P2",
    ]


def test_an_object_that_replaced_another_makes_it_an_update(scene: Scene) -> None:
    watch = scene.open()
    watch.performed(stored())
    watch.performed(stored(has_replaced=True))
    watch.ended(Ending.CONNECTION_LOST, "")
    [line] = scene.destination.lines
    assert re.search(rb'EventActionCode="U"', line)


def test_an_association_that_stays_open_is_recorded_meanwhile(scene: Scene) -> None:
    watch = scene.open()
    watch.performed(stored())
    scene.clock.advance(LATEST - 1)
    watch.performed(stored())
    assert scene.destination.recorded == []
    scene.clock.advance(1)
    assert scene.destination.recorded == [f"DICOM Instances Transferred 0 1.1 2 of {CT} P1.1"]
    watch.performed(stored())
    watch.ended(Ending.RELEASED, "")
    assert scene.destination.recorded == [f"DICOM Instances Transferred 0 1.1 1 of {CT} P1.1"]


def test_no_more_studies_wait_than_so_many(scene: Scene) -> None:
    watch = scene.open()
    for number in range(MOST_STUDIES + 1):
        watch.performed(stored(f"1.{number}"))
    assert len(scene.destination.recorded) == MOST_STUDIES
    watch.ended(Ending.RELEASED, "")
    assert len(scene.destination.recorded) == 1


@pytest.mark.parametrize("status", [0, 0xA900])
def test_a_query_is_recorded_at_once(scene: Scene, status: int) -> None:
    scene.open().performed(
        operation(
            command_field=CommandField.C_FIND_RQ,
            status=status,
            identifier=b"who",
            transfer_syntax_uid="1.2.840.10008.1.2",
        )
    )
    assert scene.destination.recorded == [f"Query {8 if status else 0} {CT}"]


@pytest.mark.parametrize("command", [CommandField.C_MOVE_RQ, CommandField.C_GET_RQ])
def test_a_retrieval_is_recorded_by_study(scene: Scene, command: CommandField) -> None:
    transfers = tuple(
        StudyTransfer(study_instance_uid=uid, patient_id="P1", patient_name="Doe", instances={CT: 3})
        for uid in ("1.1", "1.2")
    )
    scene.open().performed(operation(command_field=command, status=0xB000, transfers=transfers))
    assert scene.destination.recorded == [
        f"DICOM Instances Transferred 4 {uid} 3 of {CT} P1" for uid in ("1.1", "1.2")
    ]


def test_what_accessed_nothing_is_not_recorded(scene: Scene) -> None:
    watch = scene.open()
    watch.performed(operation(command_field=CommandField.C_ECHO_RQ))
    watch.performed(operation(status=0xA700))
    watch.performed(operation(command_field=CommandField.C_MOVE_RQ, status=0xA801))
    watch.performed(operation(is_ours=True, status=0x0124))  # the peer's answer to a sub-operation
    watch.ended(Ending.RELEASED, "")
    scene.trail.not_opened("WORKSTATION", "no answer in time")
    assert scene.trail.opened(replace(ASSOCIATION, is_ours=True)) is None
    assert scene.destination.recorded == []


def test_what_its_peer_may_not_do_is_an_alert(scene: Scene) -> None:
    scene.open().performed(operation(command_field=CommandField.C_FIND_RQ, status=0x0124))
    assert scene.destination.recorded == ["Use of Restricted Function 4 192.0.2.1"]


def test_of_a_flood_of_refusals_so_many_are_recorded_and_the_others_counted(scene: Scene) -> None:
    for _ in range(ALERTS + 7):
        scene.trail.refused(REFUSAL)
    scene.trail.refused(replace(REFUSAL, address="192.0.2.10"))
    assert len(scene.destination.recorded) == ALERTS + 1
    scene.clock.advance(PERIOD)
    [line] = scene.destination.lines
    assert b"7 more alerts within 10 s, 7 of them about peers at 192.0.2.9" in line


def test_operations_that_are_refused_count_as_well(scene: Scene) -> None:
    watch = scene.open()
    for _ in range(ALERTS + 7):
        watch.performed(operation(status=0x0124))
    assert len(scene.destination.recorded) == ALERTS


def test_start_and_stop_are_the_first_and_the_last(scene: Scene) -> None:
    scene.trail.started()
    for _ in range(ALERTS + 1):
        scene.trail.refused(REFUSAL)
    assert ensureDeferred(scene.trail.stopped()).called
    assert scene.destination.calls == ["start", "stop"]
    first, *_, counted, last = scene.destination.recorded
    assert (first, last) == ("Application Start 0", "Application Stop 0")
    assert counted == "Node Authentication 4 192.0.2.9"


def test_a_configuration_that_was_changed_is_recorded_with_its_file(scene: Scene) -> None:
    scene.trail.configuration_changed(["[access].check_address"])
    assert scene.destination.recorded == ["Security Configuration 0 file:///sdcc.toml"]
