"""What a C-STORE that fails is answered with, and that nothing is left of it."""

from __future__ import annotations

import pydicom
import pytest

from .objects import CT, MR, data_set, header, new_uid
from .peers import store
from .wire import (
    COMMAND,
    DATA,
    ECHO_RQ,
    ERROR_COMMENT,
    EXPLICIT,
    IMPLICIT,
    NO_DATA_SET,
    STATUS,
    STORE_RQ,
    VERIFICATION,
    command_set,
    p_datas,
)

CONTEXTS = ((CT, [EXPLICIT]), (MR, [EXPLICIT]), (VERIFICATION, [IMPLICIT]))
LARGEST = 512 * 1024


@pytest.fixture(scope="module")
def configuration(configuration):
    return (
        configuration
        + f"""
maximum_object_size = {LARGEST}
[[remote]]
ae_title = "VERIFIER"
address = "127.0.0.1"
services = ["verification"]
[[remote]]
ae_title = "STORER"
address = "127.0.0.1"
services = ["storage"]
"""
    )


@pytest.fixture
def nothing_is_left(server):
    """Whatever the test sends, no file of it remains."""
    before = server.objects()
    yield
    assert server.objects() == before
    assert server.incoming() == set()


def check(response, status, comment):
    assert f"{response.Status:04X}" == status
    assert comment in response.ErrorComment
    assert len(response.ErrorComment) <= 64


@pytest.mark.parametrize(
    ("command", "sent", "answer"),
    [
        pytest.param({}, data_set(instance="1.2.9"), ("A900", "SOP Instance UID"), id="other-instance"),
        pytest.param({}, {"sop_class": MR}, ("A900", "SOP Class UID"), id="other-class"),
        pytest.param({}, {"study": None}, ("C000", "StudyInstanceUID"), id="no-study"),
        pytest.param({}, {"series": None}, ("C000", "SeriesInstanceUID"), id="no-series"),
        pytest.param({}, {"instance": None}, ("C000", "SOPInstanceUID"), id="no-instance"),
        pytest.param({}, {"sop_class": None}, ("C000", "SOPClassUID"), id="no-class"),
        pytest.param({}, {"study": ""}, ("C000", "StudyInstanceUID"), id="empty-study"),
        pytest.param({}, b"\0" * 1001, ("C000", "SOPClassUID"), id="zeros"),
        pytest.param({}, b"HTTP/1.1 200 OK\r\n" * 50, ("C000", "SOPClassUID"), id="no-dicom"),
        pytest.param({}, header(0x0008, 0x0016, "UI", 64), ("C000", "SOPClassUID"), id="cut-off"),
        pytest.param({"context_class": MR}, {}, ("0122", "Abstract Syntax"), id="class-of-another-context"),
        pytest.param(
            {"sop_class": "1.2.3", "context_class": CT}, {}, ("0122", "Abstract Syntax"), id="no-such-class"
        ),
        pytest.param({"context_class": VERIFICATION}, {}, ("0211", "C-STORE-RQ"), id="store-on-verification"),
        pytest.param({}, {"pixels": bytes(LARGEST)}, ("A700", "maximum_object_size"), id="too-large"),
        pytest.param(
            {}, {"pixels": bytes(8 * LARGEST)}, ("A700", "maximum_object_size"), id="much-too-large"
        ),
    ],
)
@pytest.mark.usefixtures("nothing_is_left")
def test_a_store_that_fails_says_why_and_hurts_nothing(server, associate, command, sent, answer):
    association = associate(server, *CONTEXTS)
    instance = new_uid()
    data = sent if isinstance(sent, bytes) else data_set(**{"instance": instance, **sent})
    response = store(association, data, **{"sop_class": CT, "sop_instance": instance, **command})
    check(response, *answer)
    assert association.send_c_echo().Status == 0


@pytest.mark.parametrize(
    "uid", ["1.2.x", "1..2", ".1", "1.", "1,2", "../../../tmp/x", "", "1." * 32 + "1"], ids=repr
)
@pytest.mark.usefixtures("nothing_is_left")
def test_a_malformed_uid_in_the_command_is_refused(server, connect, uid):
    """Also where the Data Set has the same one. The response does not repeat it."""
    peer = connect(server.address)
    peer.associate((1, CT, EXPLICIT), (3, VERIFICATION, IMPLICIT))
    response = peer.store(1, CT, uid, data_set(instance=uid))
    assert response[STATUS] == 0x0117
    assert "SOP Instance UID" in response[ERROR_COMMENT]
    assert len(response[ERROR_COMMENT]) <= 64
    assert 0x1000 not in response
    assert peer.echo(3) == 0
    peer.release()


def test_an_object_of_the_largest_size_is_stored(server, associate):
    instance = new_uid()
    room = LARGEST - len(data_set(instance=instance, pixels=b""))
    response = store(
        associate(server, *CONTEXTS),
        data_set(instance=instance, pixels=bytes(room)),
        sop_class=CT,
        sop_instance=instance,
    )
    assert response.Status == 0
    assert response.ErrorComment is None
    assert server.instances()[instance]["sha256"]


@pytest.mark.usefixtures("nothing_is_left")
def test_a_remote_that_may_only_verify_is_told_so(server, associate):
    """Its contexts are accepted, so that the answer to C-STORE can say why not."""
    association = associate(server, *CONTEXTS, calling="VERIFIER")
    assert association.rejected_contexts == []
    instance = new_uid()
    response = store(association, data_set(instance=instance), sop_class=CT, sop_instance=instance)
    check(response, "0124", "storage")
    assert association.send_c_echo().Status == 0


def test_a_remote_that_may_only_store_is_told_so(server, associate):
    association = associate(server, *CONTEXTS, calling="STORER")
    assert association.send_c_echo().Status == 0x0124
    instance = new_uid()
    assert store(association, data_set(instance=instance), sop_class=CT, sop_instance=instance).Status == 0


def test_a_query_on_a_storage_context_is_no_recognized_operation(server, associate):
    association = associate(server, *CONTEXTS)
    query = pydicom.Dataset()
    query.QueryRetrieveLevel = "STUDY"
    ((status, identifier),) = association.send_c_find(query, CT)
    assert (status.Status, identifier) == (0x0211, None)
    assert "C-FIND-RQ" in status.ErrorComment
    assert association.send_c_echo().Status == 0


@pytest.mark.parametrize(
    ("command_field", "data_set_type", "name"),
    [
        (0x0010, 1, "C-GET-RQ"),
        (0x0021, 1, "C-MOVE-RQ"),
        (ECHO_RQ, NO_DATA_SET, "C-ECHO-RQ"),
        (0x0130, NO_DATA_SET, "N-ACTION-RQ"),
        (0x0140, 1, "N-CREATE-RQ"),
        (0x00FF, NO_DATA_SET, "00FF"),
        (0x7FFF, 1, "7FFF"),
    ],
)
def test_what_a_storage_context_does_not_do_is_no_recognized_operation(
    server, connect, command_field, data_set_type, name
):
    peer = connect(server.address)
    peer.associate((1, CT, EXPLICIT), (3, VERIFICATION, IMPLICIT))
    peer.send(
        p_datas(
            1,
            COMMAND,
            command_set(
                {0x0002: CT, 0x0100: command_field, 0x0110: 7, 0x0800: data_set_type, 0x1000: "1.2.3"}
            ),
        )
    )
    if data_set_type != NO_DATA_SET:
        peer.send(p_datas(1, DATA, data_set(instance="1.2.3")))
    response = peer.response()
    assert response[0x0100] == command_field | 0x8000
    assert response[0x0120] == 7
    assert response[STATUS] == 0x0211
    assert name in response[ERROR_COMMENT]
    assert peer.echo(3) == 0
    peer.release()


@pytest.mark.usefixtures("nothing_is_left")
def test_a_store_without_a_data_set_is_not_understood(server, connect):
    peer = connect(server.address)
    peer.associate((1, CT, EXPLICIT), (3, VERIFICATION, IMPLICIT))
    command = command_set({0x0002: CT, 0x0100: STORE_RQ, 0x0110: 1, 0x0800: NO_DATA_SET, 0x1000: "1.2.3"})
    peer.send(p_datas(1, COMMAND, command))
    response = peer.response()
    assert response[STATUS] == 0xC000
    assert "Data Set" in response[ERROR_COMMENT]
    assert peer.echo(3) == 0
    peer.release()


def test_under_the_floor_of_free_space(start, associate, connect):
    """C-STORE is answered A700 where there was more to propose than storage, which alone is refused."""
    server = start("[[local]]\nport = 0\nmax_associations = 9\n[storage]\nminimum_free = '1024 TiB'\n")
    association = associate(server, *CONTEXTS)
    instance = new_uid()
    response = store(association, data_set(instance=instance), sop_class=CT, sop_instance=instance)
    check(response, "A700", "minimum_free")
    assert association.send_c_echo().Status == 0
    assert (server.objects(), server.incoming(), server.instances()) == (set(), set(), {})

    refusal = connect(server.address).associate((1, CT, EXPLICIT), (3, MR, EXPLICIT))
    assert refusal.codes == "2/3/1"
