"""DCMTK's own programs as senders, of real files."""

from __future__ import annotations

import io
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import write_file_meta_info

from tests.interop.server import ENVIRONMENT
from tests.interop.wire import EXPLICIT

from .objects import uid
from .receivers import MAXIMUM_LENGTH, dcmtk
from .sender import PATIENCE, Failed, Sent


def send_with(program, receiver, directory, count):
    """All files of a directory; its answers are the program's alone, and it ends with 0 if all were good."""
    host, port = receiver.address
    options = "-aec", receiver.title, "-pdu", MAXIMUM_LENGTH, "+sd"
    begun = time.perf_counter()
    done = subprocess.run(
        (dcmtk(program), *options, host, str(port), directory),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=ENVIRONMENT,
    )
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise Failed(f"{program} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return Sent(seconds, [], [0] * count)


@cache
def _directory(template, count):
    """Removed when the process ends."""
    made = tempfile.TemporaryDirectory(prefix="sdcc-benchmark-files-")
    for number in range(count):
        Path(made.name, f"{number:05}.dcm").write_bytes(file_of(template, 0, number % 4, number))
    return made


def files_to_send(template, count):
    """A directory with so many, the same each time: every receiver is a new one."""
    return _directory(template, count).name


def file_of(template, *numbers):
    """An object as a file (PS3.10 7.1), `numbers` as those of its message."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = template.shape.sop_class
    meta.MediaStorageSOPInstanceUID = uid(3, numbers[-1])
    meta.TransferSyntaxUID = EXPLICIT
    meta.ImplementationClassUID = "1.2.3.4"
    written = io.BytesIO()
    write_file_meta_info(written, meta, enforce_standard=True)
    return bytes(128) + b"DICM" + written.getvalue() + template.data_set(*numbers)
