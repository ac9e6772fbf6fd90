"""The queries of the table, put to any server: by DCMTK's findscu, and by pynetdicom what that cannot say."""

from __future__ import annotations

import re

import pydicom
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from .peers import requested
from .queries import EXPLICIT, PATIENT_ROOT, objects
from .server import run


def store_all(storescu, address, called, directory):
    """Send every object of the table's archive."""
    files = []
    for number, data_set in enumerate(objects()):
        files.append(directory / f"{number:02}.dcm")
        data_set.save_as(files[-1], enforce_file_format=True)
    done = run(storescu, "-aec", called, *map(str, address), *map(str, files))
    assert done.returncode == 0, done.stderr
    return len(files)


def find(findscu, asked, address, called, directory):
    """What findscu gets: (the Identifiers, the last status)."""
    file = directory / "query.dcm"
    data_set = asked.identifier()
    data_set.save_as(file, implicit_vr=False, little_endian=True)
    root = "-P" if asked.model == PATIENT_ROOT else "-S"
    arguments = "-d", root, "-X", "-od", directory, "-aec", called, *map(str, address), file
    done = run(findscu, *arguments, errors="replace")  # it prints names in whatever set they are
    answers = [pydicom.dcmread(answer) for answer in sorted(directory.glob("rsp*.dcm"))]
    statuses = re.findall(r"DIMSE Status +: 0x([0-9a-f]{4})", done.stdout + done.stderr)
    assert statuses, done.stdout + done.stderr
    return answers, int(statuses[-1], 16)


def find_extended(asked, address, called):
    """The same by pynetdicom, with SOP Class Extended Negotiation."""
    negotiation = SOPClassExtendedNegotiation()
    negotiation.sop_class_uid = asked.model
    negotiation.service_class_application_information = asked.extended
    association = requested(
        address,
        [(asked.model, [EXPLICIT])],
        called=called,
        negotiation=[negotiation] if asked.extended else [],
    )
    assert association.is_established
    try:
        answers = list(association.send_c_find(asked.identifier(), asked.model))
    finally:
        association.release()
    return [identifier for _, identifier in answers[:-1]], answers[-1][0].Status
