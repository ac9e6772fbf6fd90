"""Stored objects given back to DCMTK's movescu, with storescp as destination, to getscu and to pynetdicom."""

from __future__ import annotations

import hashlib
import io
import re
import socket
import subprocess

import pydicom
import pynetdicom
import pytest
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from sdcc.conversion.conversion import convert

from . import objects
from .objects import SHIPPED, data_set_sha256
from .server import PATIENCE, run, until
from .test_dcmtk_senders import SENT
from .wire import STATUS, Peer

ON_EVERY_INDEX = True

FILES = SHIPPED / "test_files"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
UNCOMPRESSED = (IMPLICIT, EXPLICIT, "1.2.840.10008.1.2.2")
#: What destinations take: storescp's option.
DESTINATIONS = {"TAKES_ALL": "+xa", "TAKES_IMPLICIT": "+xi"}
#: A series whose objects have nothing but their UIDs.
SERIES_STUDY, SERIES_SIZE = "1.2.826.0.1.3680043.9.7307.99", 20


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.fixture(scope="module")
def ports():
    return {title: free_port() for title in (*DESTINATIONS, "NOBODY")}


@pytest.fixture(scope="module")
def configuration(index, ports):
    remotes = "".join(
        f'[[remote]]\nae_title = "{title}"\naddress = "127.0.0.1"\nport = {port}\n'
        for title, port in ports.items()
    )
    return f"[[local]]\nport = 0\n[storage]\nminimum_free = 0\n{remotes}{index}"


@pytest.fixture(scope="module")
def rows(server, dcmtk):
    """What is registered when storescu has sent a file in each Transfer Syntax, and a series."""
    before = server.instances()
    for option, name, _ in SENT.values():
        sent = run(
            *(dcmtk("storescu"), "-R", option, "-aec", "SDCC", "127.0.0.1", server.port, str(FILES / name))
        )
        assert sent.returncode == 0, sent.stderr
    return {uid: row for uid, row in server.instances().items() if uid not in before}


@pytest.fixture(scope="module")
def series(server, tmp_path_factory):
    """The UIDs of the series' objects."""
    association = pynetdicom.AE()
    association.add_requested_context(CTImageStorage, EXPLICIT)
    storing = association.associate(*server.address, ae_title="SDCC")
    uids = [objects.new_uid() for _ in range(SERIES_SIZE)]
    for uid in uids:
        data = objects.data_set(instance=uid, study=SERIES_STUDY, series=SERIES_STUDY + ".1")
        found = pydicom.filereader.read_dataset(io.BytesIO(data), False, True)
        found.file_meta = pydicom.dataset.FileMetaDataset()
        found.file_meta.TransferSyntaxUID = EXPLICIT
        assert storing.send_c_store(found).Status == 0
    storing.release()
    return uids


@pytest.fixture
def destination(dcmtk, ports, tmp_path):
    """Starts storescp by its AE title; gives the directory where it keeps what it got."""
    running = []

    def start(title):
        directory = tmp_path / title
        directory.mkdir()
        command = (dcmtk("storescp"), DESTINATIONS[title], "+B", "-aet", title, "-od", directory)
        running.append(subprocess.Popen([*command, str(ports[title])], stderr=subprocess.DEVNULL))
        until(lambda: _listens(ports[title]), "storescp listens")
        return directory

    yield start
    for process in running:
        process.terminate()
        process.wait(PATIENCE)


def _listens(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def key(keyword, value):
    tag = pydicom.datadict.tag_for_keyword(keyword)
    return ("-k", f"{tag >> 16:04x},{tag & 0xFFFF:04x}={value}")


def identified(level, row):
    """movescu's and getscu's options that ask for an object of `sdccctl instances`, at a level."""
    options = [*key("QueryRetrieveLevel", level), *key("StudyInstanceUID", row["study_instance_uid"])]
    if level in ("SERIES", "IMAGE"):
        options += key("SeriesInstanceUID", row["series_instance_uid"])
    if level == "IMAGE":
        options += key("SOPInstanceUID", row["sop_instance_uid"])
    return options


@pytest.fixture
def movescu(server, dcmtk):
    def movescu(title, *options):
        return run(
            *(dcmtk("movescu"), "-v", "-d", "-S", "-aec", "SDCC", "-aem", title, *options),
            *("127.0.0.1", server.port),
        )

    return movescu


def received(directory):
    """SHA-256 of the Data Sets in a directory, with the Transfer Syntax of each."""
    return {
        data_set_sha256(path): pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
        for path in directory.iterdir()
    }


def converted_sha256(path, transfer_syntax):
    output = io.BytesIO()
    with open(path, "rb") as stored:
        convert(stored, transfer_syntax, output)
    return hashlib.sha256(output.getvalue()).hexdigest()


# --- C-MOVE ----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["STUDY", "SERIES", "IMAGE"])
def test_movescu_has_every_object_sent_as_it_lies(rows, movescu, destination, level):
    directory = destination("TAKES_ALL")
    for row in rows.values():
        done = movescu("TAKES_ALL", *identified(level, row))
        assert done.returncode == 0, done.stderr
    assert received(directory) == {row["sha256"]: row["transfer_syntax_uid"] for row in rows.values()}


def test_a_destination_that_takes_implicit_vr_alone_gets_all_the_same(rows, movescu, destination):
    directory = destination("TAKES_IMPLICIT")
    for row in rows.values():
        done = movescu("TAKES_IMPLICIT", *identified("IMAGE", row))
        assert done.returncode == 0, done.stderr
    expected = {
        row["sha256"] if row["transfer_syntax_uid"] == IMPLICIT else converted_sha256(row["path"], IMPLICIT)
        for row in rows.values()
    }
    assert received(directory) == dict.fromkeys(expected, IMPLICIT)


def test_a_list_of_uids_moves_those(series, movescu, destination):
    directory = destination("TAKES_ALL")
    done = movescu(
        "TAKES_ALL",
        *key("QueryRetrieveLevel", "IMAGE"),
        *key("StudyInstanceUID", SERIES_STUDY),
        *key("SeriesInstanceUID", SERIES_STUDY + ".1"),
        *key("SOPInstanceUID", "\\".join(series[:3])),
    )
    assert done.returncode == 0, done.stderr
    assert {pydicom.dcmread(path).SOPInstanceUID for path in directory.iterdir()} == {*series[:3]}


@pytest.mark.parametrize(("title", "status"), [("UNHEARD_OF", "a801"), ("NOBODY", "a702")])
def test_movescu_is_told_of_a_destination_that_there_is_not(rows, movescu, title, status):
    done = movescu(title, *identified("STUDY", next(iter(rows.values()))))
    assert f"0x{status}" in (done.stdout + done.stderr).lower()


def test_movescu_is_told_of_a_key_that_is_missing(rows, movescu):
    done = movescu("NOBODY", *key("QueryRetrieveLevel", "SERIES"), *key("SeriesInstanceUID", "1.2"))
    assert "0xa900" in (done.stdout + done.stderr).lower()


def test_pynetdicom_hears_how_far_a_move_is(server, series, destination, associate):
    destination("TAKES_ALL")
    association = associate(server, (StudyRootQueryRetrieveInformationModelMove, [EXPLICIT]))
    responses = list(
        association.send_c_move(study(), "TAKES_ALL", StudyRootQueryRetrieveInformationModelMove)
    )
    *pending, (last, failed) = responses
    assert pending
    for status, _ in pending:
        assert status.Status == 0xFF00
        done = status.NumberOfCompletedSuboperations
        assert status.NumberOfRemainingSuboperations == SERIES_SIZE - done
    assert (last.Status, last.NumberOfCompletedSuboperations) == (0, SERIES_SIZE)
    assert (last.NumberOfFailedSuboperations, last.NumberOfWarningSuboperations) == (0, 0)
    assert failed is None


def study():
    asked = pydicom.Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.StudyInstanceUID = SERIES_STUDY
    return asked


def test_pynetdicom_reads_which_objects_failed(server, series, associate):
    association = associate(server, (StudyRootQueryRetrieveInformationModelMove, [IMPLICIT]))
    (*_, (last, failed)) = association.send_c_move(
        study(), "NOBODY", StudyRootQueryRetrieveInformationModelMove
    )
    assert last.Status == 0xA702
    assert {*failed.FailedSOPInstanceUIDList} == {*series}


def test_a_data_set_of_odd_length_reaches_dcmtk_mended_and_the_rest_with_it(server, movescu, destination):
    """DCMTK aborts when it is sent a byte that makes it odd."""
    directory, study = destination("TAKES_ALL"), objects.new_uid()
    uids = [objects.new_uid() for _ in range(3)]
    with Peer(server.address) as peer:
        peer.associate((1, CTImageStorage, EXPLICIT))
        for uid, pixels in zip(uids, (b"\1\2", b"\1\2\3", b"\1\2"), strict=True):
            data = objects.data_set(instance=uid, study=study, pixels=pixels)
            assert peer.store(1, CTImageStorage, uid, data)[STATUS] == 0
    done = movescu("TAKES_ALL", *key("QueryRetrieveLevel", "STUDY"), *key("StudyInstanceUID", study))
    assert done.returncode == 0, done.stderr
    got = {found.SOPInstanceUID: found.PixelData for found in map(pydicom.dcmread, directory.iterdir())}
    assert got == dict(zip(uids, (b"\1\2", b"\1\2\3\0", b"\1\2"), strict=True))


# --- C-GET --------------------------------------------------------------------------------------


def test_getscu_gets_what_it_takes_as_it_lies_and_the_rest_converted(server, rows, dcmtk, tmp_path):
    """It proposes the uncompressed Transfer Syntaxes alone."""
    for row in rows.values():
        directory = tmp_path / row["sop_instance_uid"]
        directory.mkdir()
        done = run(
            *(dcmtk("getscu"), "-v", "+B", "-S", "-aec", "SDCC", "-od", str(directory)),
            *(*identified("IMAGE", row), "127.0.0.1", server.port),
        )
        assert done.returncode == 0, done.stderr
        ((found, syntax),) = received(directory).items()
        if syntax == row["transfer_syntax_uid"]:
            assert found == row["sha256"]
        else:
            assert found == converted_sha256(row["path"], syntax)
            assert syntax in UNCOMPRESSED


@pytest.mark.parametrize("preferred", ["+xs", "+xy", "+xv", "+xr"])
def test_getscu_gets_all_whatever_it_would_like_best(server, rows, dcmtk, tmp_path, preferred):
    """It proposes that with the uncompressed ones in one context."""
    for row in rows.values():
        directory = tmp_path / row["sop_instance_uid"]
        directory.mkdir()
        done = run(
            *(dcmtk("getscu"), preferred, "+B", "-S", "-aec", "SDCC", "-od", str(directory)),
            *(*identified("IMAGE", row), "127.0.0.1", server.port),
        )
        assert done.returncode == 0, done.stderr
        assert len(received(directory)) == 1


def test_a_get_that_is_cancelled_ends(server, series):
    requestor = pynetdicom.AE()
    requestor.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    requestor.add_requested_context(CTImageStorage, EXPLICIT)
    got = []

    def take(event):
        got.append(event.request.AffectedSOPInstanceUID)
        if len(got) == 3:
            association.send_c_cancel(1, query_model=StudyRootQueryRetrieveInformationModelGet)
        return 0

    association = requestor.associate(
        *server.address,
        ae_title="SDCC",
        ext_neg=[pynetdicom.build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(pynetdicom.evt.EVT_C_STORE, take)],
    )
    (*_, (last, _)) = association.send_c_get(study(), StudyRootQueryRetrieveInformationModelGet)
    association.release()
    assert last.Status == 0xFE00
    assert last.NumberOfCompletedSuboperations == len(got) < SERIES_SIZE
    assert last.NumberOfRemainingSuboperations == SERIES_SIZE - len(got)


def test_a_get_whose_requestor_leaves_is_no_fault_of_the_program(server, series):
    requestor = pynetdicom.AE(ae_title="LEAVER")
    requestor.dimse_timeout = 1  # for an answer that it will not wait for
    requestor.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    requestor.add_requested_context(CTImageStorage, EXPLICIT)

    def leave(event):
        association.abort()
        return 0

    association = requestor.associate(
        *server.address,
        ae_title="SDCC",
        ext_neg=[pynetdicom.build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(pynetdicom.evt.EVT_C_STORE, leave)],
    )
    list(association.send_c_get(study(), StudyRootQueryRetrieveInformationModelGet))
    ended = until(lambda: re.search(r"LEAVER\(\d+\) C-GET .*", server.log()), "the operation has ended")
    assert "not answered: the association was aborted by the peer" in ended[0]


# --- what the administrator sees ---------------------------------------------------------------------


def test_the_log_says_what_was_not_sent_and_why(server, series, movescu):
    movescu("NOBODY", *key("QueryRetrieveLevel", "STUDY"), *key("StudyInstanceUID", SERIES_STUDY))
    what = f"C-MOVE of MOVESCU to NOBODY: {SERIES_SIZE} of {SERIES_SIZE} not sent"
    line = rf"{what}: no connection to \S+: Connection refused"
    until(lambda: re.search(line, server.log()), "the log says it")


def test_the_log_has_nothing_of_how_associations_are_made(server, series, movescu, destination):
    destination("TAKES_ALL")
    movescu("TAKES_ALL", *key("QueryRetrieveLevel", "STUDY"), *key("StudyInstanceUID", SERIES_STUDY))
    until(lambda: "SDCC->TAKES_ALL" in server.log(), "the log has the association")
    assert "factory" not in server.log()


def test_the_server_imports_no_decoder(server, rows):
    """Nor numpy, though it has had images decoded: its memory is for other things."""
    with open(f"/proc/{server.process.pid}/maps") as maps:
        mapped = maps.read()
    assert "sqlite3" in mapped or "psycopg2" in mapped
    for library in ("/numpy", "/libjpeg/", "/openjpeg/", "/rle/"):
        assert library not in mapped
