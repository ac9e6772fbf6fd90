"""Files sent by DCMTK's storescu and dcmsend, in turn and at once."""

from __future__ import annotations

import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor

import pydicom
import pytest

from .objects import SHIPPED
from .server import run
from .wire import IMPLICIT, VERIFICATION

ON_EVERY_INDEX = True

FILES = SHIPPED / "test_files"
#: A study of each modality in a directory of its own.
STUDIES = FILES / "dicomdirtests"
DATA_SET_TRAILING_PADDING = 0xFFFCFFFC

#: storescu's option for what it proposes, a file, and the Transfer Syntax that it then arrives in.
SENT = {
    "implicit": ("-xi", "CT_small.dcm", "1.2.840.10008.1.2"),
    "little-endian": ("-xe", "examples_palette.dcm", "1.2.840.10008.1.2.1"),
    "big-endian": ("-xb", "ExplVR_BigEnd.dcm", "1.2.840.10008.1.2.2"),
    "JPEG-baseline": ("-xy", "SC_rgb_jpeg_dcmtk.dcm", "1.2.840.10008.1.2.4.50"),
    "JPEG-extended": ("-xx", "JPGExtended.dcm", "1.2.840.10008.1.2.4.51"),
    "JPEG-lossless": ("-xs", "SC_rgb_jpeg_gdcm.dcm", "1.2.840.10008.1.2.4.70"),
    "JPEG-2000-lossless": ("-xv", "examples_jpeg2k.dcm", "1.2.840.10008.1.2.4.90"),
    "JPEG-2000": ("-xw", "JPEG2000.dcm", "1.2.840.10008.1.2.4.91"),
    "RLE": ("-xr", "MR_small_RLE.dcm", "1.2.840.10008.1.2.5"),
}


def storescu(server, dcmtk, *arguments):
    done = run(
        dcmtk("storescu"), "-v", "-aec", "SDCC", *arguments[:-1], "127.0.0.1", server.port, arguments[-1]
    )
    assert done.returncode == 0, done.stderr
    return done


def read(path):
    """A file's elements, the padding after them left out: DCMTK does not send it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, of files that are a little wrong
        found = pydicom.dcmread(path)
        found.walk(lambda *_: None)
    found.pop(DATA_SET_TRAILING_PADDING, None)
    return found


@pytest.fixture(scope="module")
def rows(server, dcmtk):
    """What is registered when storescu has sent a file in each Transfer Syntax."""
    for option, name, _ in SENT.values():
        storescu(server, dcmtk, "-R", option, FILES / name)
    return server.instances()


@pytest.mark.parametrize("case", SENT)
def test_storescu_sends_each_transfer_syntax(rows, case):
    _, name, transfer_syntax = SENT[case]
    source = read(FILES / name)
    row = rows[source.SOPInstanceUID]
    assert row["transfer_syntax_uid"] == transfer_syntax
    assert row["calling_ae"] == "STORESCU"
    assert row["called_ae"] == "SDCC"
    assert row["fault"] is None
    stored = read(row["path"])
    assert stored.file_meta.TransferSyntaxUID == transfer_syntax
    assert stored.file_meta.SourceApplicationEntityTitle == "STORESCU"
    assert stored == source


def test_storescu_proposes_everything_it_knows_and_is_served(server, dcmtk):
    """128 contexts, of which SDCC takes some."""
    done = storescu(server, dcmtk, FILES / "SC_rgb_small_odd.dcm")
    assert "Received Store Response (Success)" in done.stderr + done.stdout


def test_dcmsend_sends_a_directory(server, dcmtk, tmp_path):
    sources = {}
    for number, path in enumerate(sorted(STUDIES.glob("[0-9]*/*/*"))):
        copy = tmp_path / f"{number}.dcm"
        shutil.copy(path, copy)
        sources[read(copy).SOPInstanceUID] = copy
    assert len(sources) > 20
    done = run(dcmtk("dcmsend"), "-v", "+sd", "-aec", "SDCC", "127.0.0.1", server.port, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"with status SUCCESS  : {len(sources)}" in done.stderr + done.stdout
    rows = server.instances()
    for uid, path in sources.items():
        assert rows[uid]["calling_ae"] == "DCMSEND"
        assert read(rows[uid]["path"]) == read(path)


def test_two_storescu_at_once_and_a_third_association_beside_them(server, dcmtk, associate):
    """Where the limit allows it: all are served, and none waits for another."""
    held = associate(server, (VERIFICATION, [IMPLICIT]))
    sources = {"FIRST": STUDIES / "98892001", "SECOND": STUDIES / "98892003"}

    def send(title):
        return storescu(server, dcmtk, "-aet", title, "+sd", "+r", sources[title])

    with ThreadPoolExecutor() as threads:
        for done in threads.map(send, sources):
            assert "Received Store Response (Success)" in done.stderr + done.stdout
    assert held.send_c_echo().Status == 0
    rows = server.instances()
    for title, directory in sources.items():
        sent = [read(path).SOPInstanceUID for path in directory.glob("*/*")]
        assert [rows[uid]["calling_ae"] for uid in sent] == [title] * len(sent)


def test_one_association_at_a_time_is_the_default(start, dcmtk, associate):
    server = start("[[local]]\nport = 0\n[storage]\nminimum_free = 0\n")
    held = associate(server, (VERIFICATION, [IMPLICIT]))
    done = run(dcmtk("echoscu"), "-aec", "SDCC", "127.0.0.1", server.port)
    assert done.returncode == 1
    assert "Rejected Transient, Source: Service Provider (Presentation Related)" in done.stderr + done.stdout
    assert "Local Limit Exceeded" in done.stderr + done.stdout
    held.release()
    assert run(dcmtk("echoscu"), "-aec", "SDCC", "127.0.0.1", server.port).returncode == 0
