"""`sdccctl send`, to DCMTK, to SDCC, and to peers that do what no peer should."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys

import pydicom
import pytest

from .objects import CT, SHIPPED, data_set, data_set_of, data_set_sha256, new_uid
from .scp import StorageSCP
from .server import ENVIRONMENT, PATIENCE, SDCCCTL, run, until
from .test_dcmtk_senders import SENT, STUDIES

FILES = SHIPPED / "test_files"
MIB = 1 << 20


def send(port, *arguments, title="PEER"):
    return run(*SDCCCTL, "send", f"{title}@127.0.0.1:{port}", *map(str, arguments))


def write_object(path, pixels=b"\x01\x02" * 64, uid=None):
    """A DICOM file of a CT image."""
    uid = uid or new_uid()
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = CT
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    with path.open("wb") as file:
        file.write(bytes(128) + b"DICM")
        pydicom.filewriter.write_file_meta_info(file, meta, enforce_standard=True)
        file.write(data_set(instance=uid, pixels=pixels))
    return uid


@contextlib.contextmanager
def storescp(dcmtk, directory, *options, port=None):
    """DCMTK's, which writes what it receives as it comes; at any free port, unless another is given."""
    with socket.create_server(("127.0.0.1", port or 0)) as free:
        port = free.getsockname()[1]
    program = subprocess.Popen(
        (dcmtk("storescp"), "--bit-preserving", *options, "-od", directory, str(port)),
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: is_listening(port), "storescp listens")
        yield port
    finally:
        program.terminate()
        program.wait(PATIENCE)


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- to DCMTK ---


def test_dcmtk_receives_each_transfer_syntax_as_it_lies(dcmtk, tmp_path):
    sources = [FILES / name for _, name, _ in SENT.values()]
    received = tmp_path / "received"
    received.mkdir()
    with storescp(dcmtk, received, "+xa") as port:
        done = send(port, *sources)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{len(sources)} sent, 0 failed\n", "")
    by_uid = {path.name.partition(".")[2]: path for path in received.iterdir()}
    assert len(by_uid) == len(sources)
    for source in sources:
        uid = str(pydicom.dcmread(source, stop_before_pixels=True).SOPInstanceUID)
        assert data_set_of(by_uid[uid]) == data_set_of(source)


def test_what_dcmtk_does_not_take_is_said(dcmtk, tmp_path):
    received = tmp_path / "received"
    received.mkdir()
    compressed, plain = FILES / "JPEG2000.dcm", FILES / "CT_small.dcm"
    with storescp(dcmtk, received, "+xi") as port:
        done = send(port, compressed, plain)
    assert done.returncode == 1
    assert done.stdout == "0 sent, 2 failed\n"
    assert done.stderr.splitlines() == [
        f"{compressed}: the peer does not take Secondary Capture Image Storage in JPEG 2000 "
        "Image Compression",
        f"{plain}: the peer does not take CT Image Storage in Explicit VR Little Endian",
    ]


# --- to SDCC ---


def test_sdcc_receives_a_directory(server):
    sources = sorted(path for path in STUDIES.glob("[0-9]*/*/*"))
    assert len(sources) > 20
    done = send(server.port, STUDIES / "77654033", STUDIES / "98892001", STUDIES / "98892003", title="SDCC")
    assert (done.returncode, done.stderr) == (0, "")
    rows = server.instances()
    assert done.stdout == f"{len(rows)} sent, 0 failed\n"
    assert {row["calling_ae"] for row in rows.values()} == {"SDCC"}
    assert {row["sha256"] for row in rows.values()} == {data_set_sha256(path) for path in sources}


# --- what is told ---


def test_failures_and_warnings_are_told(tmp_path):
    for name in "abc":
        write_object(tmp_path / name)
    (tmp_path / "text").write_text("no image")
    with StorageSCP(0xA700, 0xB000, 0) as scp:
        done = send(scp.port, tmp_path)
    assert done.returncode == 1
    assert done.stdout == "2 sent, 2 failed, warnings: 1\n"
    assert done.stderr.splitlines() == [
        f"{tmp_path}/text: no DICOM file: the prefix DICM is missing",
        f"{tmp_path}/a: A700 a reason",
    ]
    assert scp.releases == 1


def test_a_program_is_told_of_each_file(tmp_path):
    uids = {name: write_object(tmp_path / name) for name in "ab"}
    (tmp_path / "text").write_text("no image")
    with StorageSCP(0, 0xA700) as scp:
        done = send(scp.port, tmp_path, "--json")
    assert (done.returncode, done.stderr) == (1, "1 sent, 2 failed\n")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {
            "file": f"{tmp_path}/text",
            "sop_instance_uid": None,
            "status": None,
            "comment": "no DICOM file: the prefix DICM is missing",
        },
        {"file": f"{tmp_path}/a", "sop_instance_uid": uids["a"], "status": "0000", "comment": ""},
        {"file": f"{tmp_path}/b", "sop_instance_uid": uids["b"], "status": "A700", "comment": "a reason"},
    ]


def test_a_port_where_nobody_listens_is_said_of_each_file(tmp_path):
    write_object(tmp_path / "a")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        done = send(taken.getsockname()[1], tmp_path)
    assert (done.returncode, done.stdout) == (1, "0 sent, 1 failed\n")
    assert done.stderr.startswith(f"{tmp_path}/a: no connection to 127.0.0.1:")


def test_a_peer_that_does_not_answer_is_given_up(tmp_path):
    write_object(tmp_path / "a")
    with StorageSCP(None) as scp:
        done = send(scp.port, tmp_path, "--timeout", "0.2")
        assert scp.is_left.wait(PATIENCE)
    assert (done.returncode, done.stdout) == (1, "0 sent, 1 failed\n")
    assert done.stderr == f"{tmp_path}/a: no answer to C-STORE-RQ within 0.2 s\n"


def test_a_peer_that_does_not_read_is_given_up(tmp_path):
    write_object(tmp_path / "a", pixels=bytes(64 * MIB))
    with StorageSCP(reads=False) as scp:
        done = send(scp.port, tmp_path, "--timeout", "0.2")
    assert (done.returncode, done.stdout) == (1, "0 sent, 1 failed\n")
    assert done.stderr == f"{tmp_path}/a: no more of C-STORE-RQ taken within 0.2 s\n"


# --- what it costs, and its end ---


def peak_rss(port, path):
    """What a whole `sdccctl send` has of memory at most, in bytes; its output is thrown away."""
    child = subprocess.Popen((*SDCCCTL, "send", f"PEER@127.0.0.1:{port}", path), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    assert isinstance(usage, resource.struct_rusage)
    return usage.ru_maxrss * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kibibytes as Linux has it")
def test_a_large_object_costs_no_memory(tmp_path):
    """Of which nothing but holes is on the disk."""
    small, large = tmp_path / "small", tmp_path / "large"
    for path in (small, large):
        write_object(path, pixels=bytes(4 * MIB))
    with large.open("r+b") as file:
        file.truncate(256 * MIB)
    with StorageSCP() as scp:
        grown = -peak_rss(scp.port, small) + peak_rss(scp.port, large)
        assert scp.sizes[1] > 255 * MIB
        assert scp.hashes[1] == data_set_sha256(large)
    assert grown < 16 * MIB


def test_ctrl_c_ends_it_in_order(tmp_path):
    """The object under way has a moment to be answered; then what it holds is aborted."""
    for name in "ab":
        write_object(tmp_path / name)
    with StorageSCP(None) as scp:
        program = subprocess.Popen(
            # who runs the tests in the background may have had the signal ignored
            ("env", "--default-signal=INT", *SDCCCTL, "send", f"PEER@127.0.0.1:{scp.port}", tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert scp.has_received.wait(PATIENCE)
            program.send_signal(signal.SIGINT)
            out, error = program.communicate(timeout=PATIENCE)
        finally:
            program.kill()
        assert scp.is_left.wait(PATIENCE)
    assert (program.returncode, out) == (130, "")
    assert error == f"{tmp_path}/a: SDCC gave it up\ninterrupted; 0 sent, 1 failed\n"
