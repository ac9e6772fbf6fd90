"""Storage Commitment with pynetdicom as the modality: over its association, over a new one, after a crash."""

from __future__ import annotations

import contextlib
import queue
from io import BytesIO

import pynetdicom
import pytest
from pydicom import Dataset
from pynetdicom.dimse_primitives import N_ACTION
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from .objects import CT, MR, data_set, new_uid
from .peers import requested, store
from .server import PATIENCE, until
from .test_refusals import free_port
from .wire import COMMAND, DATA, EXPLICIT, P_DATA, STATUS, Peer, command_set, p_datas

CONFIGURATION = """
[[local]]
port = 0
max_associations = 100
[[remote]]
ae_title = "MODALITY"
address = "127.0.0.1"
port = {port}
[[remote]]
ae_title = "DEAF"
address = "127.0.0.1"
[[remote]]
ae_title = "UNTRUSTED"
address = "127.0.0.1"
services = ["storage"]
[storage]
minimum_free = 0
[association]
drain_timeout = 0.5
"""
#: Of Action Type 1.
N_ACTION_RQ = command_set(
    {
        0x0003: StorageCommitmentPushModel,
        0x0100: 0x0130,
        0x0110: 1,
        0x0800: 1,
        0x1001: StorageCommitmentPushModelInstance,
        0x1008: 1,
    }
)
CONTEXTS = [(StorageCommitmentPushModel, [EXPLICIT]), (CT, [EXPLICIT])]


class Reports:
    """What a modality is told, and what it answers.

    :param statuses: of its answers; the last one for ever.
    """

    def __init__(self, *statuses):
        self._statuses = list(statuses or [0x0000])
        self._taken = queue.Queue()
        self.handler = (pynetdicom.evt.EVT_N_EVENT_REPORT, self._take)

    def _take(self, event):
        self._taken.put((event.request.EventTypeID, event.event_information))
        return self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0], None

    def next(self):
        """The next one: its Event Type, and its Data Set."""
        return self._taken.get(timeout=PATIENCE)


class Modality:
    """A modality's own AE, which may be switched off."""

    def __init__(self):
        self.port = free_port()
        self.reports = Reports()
        self._server = None

    def listen(self):
        entity = pynetdicom.AE(ae_title="MODALITY")
        entity.add_supported_context(StorageCommitmentPushModel, EXPLICIT, scu_role=False, scp_role=True)
        self._server = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[self.reports.handler]
        )

    def close(self):
        if self._server is not None:
            self._server.shutdown()


@pytest.fixture
def modality():
    with contextlib.closing(Modality()) as modality:
        yield modality


@pytest.fixture
def server(start, modality):
    return start(CONFIGURATION.format(port=modality.port))


@pytest.fixture
def call(server):
    """Associations to the server, which are gone at the end of the test."""
    with contextlib.ExitStack() as associations:

        def call(calling="MODALITY"):
            association = requested(server.address, CONTEXTS, calling=calling)
            assert association.is_established
            associations.callback(association.abort)
            return association

        yield call


def send(association, uid):
    response = store(association, data_set(instance=uid), sop_class=CT, sop_instance=uid)
    assert response.Status == 0x0000


def information(*references):
    """What is asked for: a new Transaction UID, and the Data Set."""
    data_set = Dataset()
    data_set.TransactionUID = new_uid()
    data_set.ReferencedSOPSequence = []
    for sop_class, uid in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        data_set.ReferencedSOPSequence.append(item)
    return data_set.TransactionUID, encode(data_set, False, True)


def commit(association, *references, action_type=1):
    """Ask for a commitment; gives the Transaction UID, and the status of the answer."""
    transaction, data = information(*references)
    request = N_ACTION()
    request.MessageID = 9
    request.RequestedSOPClassUID = StorageCommitmentPushModel
    request.RequestedSOPInstanceUID = StorageCommitmentPushModelInstance
    request.ActionTypeID = action_type
    request.ActionInformation = BytesIO(data)
    association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
    _, response = association.dimse.get_msg(block=True)
    assert isinstance(response, N_ACTION), "no response"
    assert response.MessageIDBeingRespondedTo == 9
    return transaction, response.Status


def told(association, *statuses):
    """What comes over this association, whatever it answers."""
    reports = Reports(*statuses)
    association.bind(*reports.handler)
    return reports


def committed(data_set):
    return [
        (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID)
        for item in data_set.get("ReferencedSOPSequence", ())
    ]


def failed(data_set):
    return [
        (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID, item.FailureReason)
        for item in data_set.get("FailedSOPSequence", ())
    ]


def owed(server):
    return list((server.storage / "commitments").glob("*/*.json"))


def test_what_was_stored_is_committed_over_the_same_association(call, server):
    association = call()
    reports = told(association)
    uids = [new_uid() for _ in range(3)]
    for uid in uids:
        send(association, uid)
    references = [(CT, uid) for uid in uids]
    transaction, status = commit(association, *references)
    assert status == 0x0000
    event_type, data_set = reports.next()
    assert event_type == 1
    assert data_set.TransactionUID == transaction
    assert data_set.RetrieveAETitle == "SDCC"
    assert committed(data_set) == references
    assert failed(data_set) == []
    until(lambda: not owed(server), "nothing is owed")


def test_what_is_not_safe_is_not_committed(call, server):
    """And the log names the file that somebody has to look at."""
    association = call()
    reports = told(association)
    good, altered, gone, other = (new_uid() for _ in range(4))
    for uid in (good, altered, gone, other):
        send(association, uid)
    paths = {uid: server.instances()[uid]["path"] for uid in (altered, gone)}
    with open(paths[altered], "r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x55")
    (server.storage / paths[gone]).unlink()
    _, status = commit(
        association, (CT, good), (CT, altered), (CT, gone), (MR, other), (CT, absent := new_uid())
    )
    assert status == 0x0000
    event_type, data_set = reports.next()
    assert event_type == 2
    assert committed(data_set) == [(CT, good)]
    assert failed(data_set) == [
        (CT, altered, 0x0110),
        (CT, gone, 0x0110),
        (MR, other, 0x0119),
        (CT, absent, 0x0112),
    ]
    names = [path.rpartition("/")[2] for path in paths.values()]
    until(lambda: all(f"{name} is not committed" in server.log() for name in names), "the log says so")
    for uid in (altered, gone):
        send(association, uid)
    commit(association, (CT, altered), (CT, gone))
    event_type, data_set = reports.next()
    assert (event_type, committed(data_set)) == (1, [(CT, altered), (CT, gone)]), "they were sent again"


@pytest.mark.parametrize("ending", ["release", "abort"])
def test_who_has_left_is_told_over_an_association_of_the_server(call, modality, ending):
    """PS3.4 J.3.3.1.2: in the role of SCP, without which pynetdicom would take no report."""
    modality.listen()
    association = call()
    send(association, uid := new_uid())
    transaction, status = commit(association, (CT, uid))
    assert status == 0x0000
    getattr(association, ending)()  # whatever has come over it, it is not answered
    event_type, data_set = modality.reports.next()
    assert (event_type, data_set.TransactionUID) == (1, transaction)
    assert committed(data_set) == [(CT, uid)]


def test_a_report_that_is_answered_with_a_failure_comes_again(call, modality):
    modality.listen()
    association = call()
    reports = told(association, 0x0110)
    send(association, uid := new_uid())
    transaction, _ = commit(association, (CT, uid))
    assert reports.next()[0] == 1
    assert modality.reports.next()[1].TransactionUID == transaction


def test_a_modality_that_is_switched_off_is_told_when_it_is_back(call, modality, server):
    association = call()
    send(association, uid := new_uid())
    transaction, _ = commit(association, (CT, uid))
    association.abort()
    until(lambda: "reports wait for MODALITY" in server.log(), "it is away")
    modality.listen()
    assert modality.reports.next()[1].TransactionUID == transaction


def test_what_is_owed_outlives_a_crash(call, modality, server):
    """And what is lost with the machine's memory is found out anew."""
    association = call()
    send(association, uid := new_uid())
    transaction, status = commit(association, (CT, uid))
    assert status == 0x0000
    server.kill()
    [path] = owed(server)
    modality.listen()
    server.start()
    event_type, data_set = modality.reports.next()
    assert (event_type, data_set.TransactionUID) == (1, transaction)
    assert committed(data_set) == [(CT, uid)]
    until(lambda: not path.exists(), "nothing is owed")
    until(lambda: "Looked through" in server.log(), "the look has ended")


def test_a_stop_waits_for_no_answer(call, modality, server):
    """Of a peer that takes the report and says nothing; and the next start reports."""
    send(call(), uid := new_uid())
    transaction, data = information((CT, uid))
    with Peer(server.address) as silent:
        silent.associate((1, StorageCommitmentPushModel, EXPLICIT), calling="MODALITY")
        silent.send(p_datas(1, COMMAND, N_ACTION_RQ), p_datas(1, DATA, data))
        assert silent.response()[STATUS] == 0x0000
        report = silent.receive()
        assert report.type == P_DATA
        server.stop()
    assert len(owed(server)) == 1
    modality.listen()
    server.start()
    assert modality.reports.next()[1].TransactionUID == transaction
    until(lambda: not owed(server), "nothing is owed")


def test_who_cannot_be_called_and_has_left_is_given_up(call, server):
    association = call("DEAF")
    send(association, uid := new_uid())
    transaction, status = commit(association, (CT, uid))
    assert status == 0x0000
    association.abort()
    until(lambda: f"{transaction} of DEAF, objects: 1, is given up" in server.log())
    until(lambda: not owed(server), "nothing is owed")


def test_who_may_not_ask_is_told_so(call):
    assert commit(call("UNTRUSTED"), (CT, "1.2"))[1] == 0x0124


def test_other_actions_are_none(call, server):
    assert commit(call(), (CT, "1.2"), action_type=2)[1] == 0x0123
    assert commit(call())[1] == 0x0115
    assert owed(server) == []
