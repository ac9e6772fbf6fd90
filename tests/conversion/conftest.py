"""Files that pydicom ships, other programs that encode and decode them, and what lies in the results."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset

from sdcc.conversion.conversion import convert

from ..programs import required

IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"


def run(*command):
    subprocess.run(list(map(str, command)), check=True, capture_output=True, timeout=60)


class Lab:
    """What is converted here, and by others."""

    def __init__(self, directory, dcmtk):
        self._directory = directory
        self._dcmtk = dcmtk

    @staticmethod
    def shipped(name):
        """The path of a file that pydicom ships."""
        return Path(get_testdata_file(name, download=False))

    def told(self, path, **attributes):
        """The path of a copy of a DICOM file that says other things of itself."""
        data_set = pydicom.dcmread(path)
        for keyword, value in attributes.items():
            setattr(data_set, keyword, value)
        output = self._directory / "told.dcm"
        data_set.save_as(output)
        return output

    @staticmethod
    def converted(path, transfer_syntax=EXPLICIT):
        """The bytes that come of a DICOM file."""
        output = io.BytesIO()
        with path.open("rb") as stored:
            convert(stored, transfer_syntax, output)
        return output.getvalue()

    @staticmethod
    def parsed(data, transfer_syntax=EXPLICIT):
        """A Data Set's bytes as pydicom reads them."""
        data_set = pydicom.filereader.read_dataset(
            io.BytesIO(data), transfer_syntax == IMPLICIT, transfer_syntax != BIG_ENDIAN
        )
        data_set.file_meta = FileMetaDataset()
        data_set.file_meta.TransferSyntaxUID = transfer_syntax
        return data_set

    def result(self, name, transfer_syntax=EXPLICIT):
        """What comes of a shipped file, as pydicom reads it."""
        return self.parsed(self.converted(self.shipped(name), transfer_syntax), transfer_syntax)

    @staticmethod
    def pixels(data_set):
        """The native pixels of a Data Set, each a number."""
        assert not data_set.file_meta.TransferSyntaxUID.is_compressed
        return pydicom.pixels.pixel_array(data_set, raw=True).astype(int)

    def made_by_dcmtk(self, program, *arguments):
        """The path of a file that a program makes."""
        output = self._directory / f"{program}.dcm"
        run(self._dcmtk(program), *arguments, output)
        return output

    def made_by_gdcm(self, path):
        """The path of what GDCM decodes."""
        program = required(Path(sys.executable).parent / "gdcmconv", "pip install python-gdcm")
        output = self._directory / "gdcm.dcm"
        run(program, "--raw", path, output)
        return output


@pytest.fixture
def lab(tmp_path, dcmtk):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of much that senders do
        yield Lab(tmp_path, dcmtk)
