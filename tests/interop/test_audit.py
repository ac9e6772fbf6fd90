"""The audit trail of a real server: what its peers did, in a file that is whole when it has stopped."""

from __future__ import annotations

import stat
from base64 import b64decode
from io import BytesIO
from xml.etree import ElementTree

import pydicom
import pynetdicom
import pytest
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)

from .peers import requested, store
from .server import CONFIGURATION, running, until

EXPLICIT = "1.2.840.10008.1.2.1"
STUDY = "1.2.826.0.1.3680043.9.7307.77"


def data_set(number):
    """An object of one patient, whose name takes more than ASCII."""
    found = pydicom.Dataset()
    found.SpecificCharacterSet = "ISO_IR 100"
    found.SOPClassUID = CTImageStorage
    found.SOPInstanceUID = f"{STUDY}.1.{number}"
    found.PatientName = "Müller^Jörg"
    found.PatientID = "P77"
    found.StudyInstanceUID = STUDY
    found.SeriesInstanceUID = f"{STUDY}.1"
    written = BytesIO()
    pydicom.dcmwrite(written, found, implicit_vr=False, little_endian=True)
    return written.getvalue()


def identifier():
    found = pydicom.Dataset()
    found.QueryRetrieveLevel = "STUDY"
    found.StudyInstanceUID = STUDY
    found.PatientName = "M*"
    return found


def use(server):
    """Three objects stored, a query, a retrieval, and a stranger that is sent away."""
    association = requested(server.address, [(CTImageStorage, [EXPLICIT])], calling="MODALITY")
    for number in range(3):
        store(
            association,
            data_set(number),
            sop_class=CTImageStorage,
            sop_instance=f"{STUDY}.1.{number}",
        )
    association.release()
    association = requested(
        server.address, [(StudyRootQueryRetrieveInformationModelFind, [EXPLICIT])], calling="READER"
    )
    list(association.send_c_find(identifier(), StudyRootQueryRetrieveInformationModelFind))
    association.release()
    requestor = pynetdicom.AE(ae_title="READER")
    requestor.add_requested_context(StudyRootQueryRetrieveInformationModelGet, EXPLICIT)
    requestor.add_requested_context(CTImageStorage, EXPLICIT)
    association = requestor.associate(
        *server.address,
        ae_title="SDCC",
        ext_neg=[pynetdicom.build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(pynetdicom.evt.EVT_C_STORE, lambda event: 0)],
    )
    wanted = identifier()
    del wanted.PatientName
    list(association.send_c_get(wanted, StudyRootQueryRetrieveInformationModelGet))
    association.release()
    assert requested(server.address, [(CTImageStorage, [EXPLICIT])], called="NOBODY").is_rejected


def read(path):
    """The messages of a file, as XML has them."""
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b"", "the last line is whole"
    for line in lines:
        header, mark, xml = line.partition(b"\xef\xbb\xbf")
        assert header.startswith((b"<85>1 2", b"<84>1 2"))
        assert b" sdcc " in header
        assert header.endswith(b" DICOM+RFC3881 - ")
        assert mark
        yield ElementTree.fromstring(xml.decode())


@pytest.fixture(scope="module")
def trail(tmp_path_factory):
    """The messages of a server's life, in their order; half of them are in a file that was moved away."""
    directory = tmp_path_factory.mktemp("audited")
    audit = '[audit]\ndestination = "audit.log"\nsource_id = "PACS"\n'
    file, moved = directory / "audit.log", directory / "audit.log.1"
    with running(directory, CONFIGURATION + audit) as server:
        until(file.exists, "the start is recorded")
        file.rename(moved)
        use(server)
        log = server.log()
    assert "audit trail" not in log, "nothing went wrong"
    assert "ller" not in log
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return [*read(moved), *read(file)]


def named(root):
    event = root.find("EventIdentification/EventTypeCode")
    return (root.find("EventIdentification/EventID") if event is None else event).get("originalText")


def test_the_whole_life_of_a_server_is_in_it_in_order(trail):
    assert [named(root) for root in trail] == [
        "Application Start",
        "DICOM Instances Transferred",
        "Query",
        "DICOM Instances Transferred",
        "Node Authentication",
        "Application Stop",
    ]
    assert {root.find("AuditSourceIdentification").get("AuditSourceID") for root in trail} == {"PACS"}


@pytest.mark.parametrize(("place", "peers"), [(1, ["MODALITY", "SDCC"]), (3, ["SDCC", "READER"])])
def test_who_sent_what_of_whom_to_whom(trail, place, peers):
    root = trail[place]
    assert [each.get("UserID") for each in root.iter("ActiveParticipant")] == peers
    study, patient = root.iter("ParticipantObjectIdentification")
    assert study.get("ParticipantObjectID") == STUDY
    assert [each.get("NumberOfInstances") for each in study.iter("SOPClass")] == ["3"]
    assert patient.get("ParticipantObjectID") == "P77"
    assert patient.find("ParticipantObjectName").text == "Müller^Jörg"


def test_a_query_is_there_as_it_came(trail):
    query = b64decode(trail[2].find(".//ParticipantObjectQuery").text)
    found = pydicom.dcmread(BytesIO(query), force=True)
    assert (found.QueryRetrieveLevel, found.PatientName) == ("STUDY", "M*")
    [detail] = trail[2].iter("ParticipantObjectDetail")
    assert b64decode(detail.get("value")).decode() == EXPLICIT


def test_who_was_sent_away(trail):
    users = [each.get("UserID") for each in trail[4].iter("ActiveParticipant")]
    assert users[1] == "PYNETDICOM"
    assert "1/1/7" in trail[4].find(".//EventOutcomeDescription").text
