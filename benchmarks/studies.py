"""Many studies of one small object each, and queries that find few of them."""

from __future__ import annotations

import datetime
import io
import time

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from tests.interop.wire import (
    COMMAND,
    DATA,
    EXPLICIT,
    P_DATA,
    STATUS,
    Peer,
    command_set,
    elements,
    p_datas,
    store_rq,
)

from .messages import CONTEXT_IDS
from .objects import CT, uid
from .sender import PATIENCE, Failed

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
FIND_RQ = 0x0020
PENDING = (0xFF00, 0xFF01)

_FIRST_DAY = datetime.date(2010, 1, 1)
#: On which studies were made.
_DAYS = 3650


def _day(number):
    return (_FIRST_DAY + datetime.timedelta(number % _DAYS)).strftime("%Y%m%d")


def _study(number):
    """What differs from one study to the next, by keyword; as long each time."""
    scattered = number * 61_803 % 1_000_003
    return {
        "PatientID": f"PID{scattered:09}",
        "PatientName": f"Name{scattered:06}^Of A",
        "StudyDate": _day(scattered),
        "AccessionNumber": f"A{scattered:09}",
        "StudyInstanceUID": uid(1, number + 10**9),
        "SeriesInstanceUID": uid(2, number + 10**9),
        "SOPInstanceUID": uid(3, number + 10**9),
    }


def _encoded(values):
    """A Data Set in Explicit VR Little Endian."""
    data_set = Dataset()
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    written = DicomBytesIO()
    written.is_little_endian, written.is_implicit_VR = True, False
    write_dataset(written, data_set)
    return written.getvalue()


def many_studies(count):
    """C-STORE-RQs, as :func:`benchmarks.sender.send` takes them."""
    common = {
        "SpecificCharacterSet": "ISO_IR 100",
        "SOPClassUID": CT,
        "StudyTime": "101010",
        "Modality": "CT",
        "StudyDescription": "Abdomen",
        "PatientBirthDate": "19500505",
        "PatientSex": "O",
        "StudyID": "4711",
        "SeriesNumber": "1",
        "InstanceNumber": "1",
    }
    marks = _study(0)
    data = _encoded(common | marks)
    for number in range(count):
        own = data
        for keyword, value in _study(number).items():
            own = own.replace(marks[keyword].encode(), value.encode(), 1)
        command = store_rq(CT, uid(3, number + 10**9), number % 0xFFFF + 1)
        context = CONTEXT_IDS[CT]
        yield [memoryview(p_datas(context, COMMAND, command) + p_datas(context, DATA, own))]


#: What is asked for of each match, beside the key that is matched.
_RETURNED = {
    "QueryRetrieveLevel": "STUDY",
    "PatientName": "",
    "PatientID": "",
    "StudyDate": "",
    "StudyTime": "",
    "AccessionNumber": "",
    "StudyDescription": "",
    "StudyInstanceUID": "",
}
QUERIES = {
    "patient ID": _RETURNED | {"PatientID": _study(4711)["PatientID"]},
    "name prefix": _RETURNED | {"PatientName": "Name0123*"},
    "date range": _RETURNED | {"StudyDate": "20150301-20150304"},
}


def finding(receiver, identifier):
    """The answers' number, and seconds from the request to the first and to the last of them."""
    command = command_set({0x0002: STUDY_ROOT_FIND, 0x0100: FIND_RQ, 0x0110: 1, 0x0700: 0, 0x0800: 1})
    request = p_datas(1, COMMAND, command) + p_datas(1, DATA, _encoded(identifier))
    with Peer(receiver.address, PATIENCE) as peer:
        peer.associate((1, STUDY_ROOT_FIND, EXPLICIT), called=receiver.title)
        begun = time.perf_counter()
        peer.send(request)
        statuses, first = [], None
        while not statuses or statuses[-1] in PENDING:
            statuses += _statuses(peer.receive())
            first = first or time.perf_counter() - begun
        last = time.perf_counter() - begun
        peer.release()
    if statuses[-1]:
        raise Failed(f"a query ended with {statuses[-1]:04X}")
    return len(statuses) - 1, first, last


def _statuses(answered):
    """Of the Command Sets in a P-DATA-TF; each fits into one."""
    if answered is None or answered.type != P_DATA:
        raise Failed(f"{answered} instead of an answer")
    data = io.BytesIO(answered.body)
    while head := data.read(6):
        value = data.read(int.from_bytes(head[:4], "big") - 2)
        if head[5] & COMMAND:
            yield elements(value)[STATUS]
