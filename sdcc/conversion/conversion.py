"""One stored object into one file that holds its Data Set in another Transfer Syntax."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import BinaryIO

from sdcc.archive.part10 import COUNTED_FROM, announced, data_set_offset
from sdcc.conformance import EXPLICIT_VR_LITTLE_ENDIAN, STORAGE_TRANSFER_SYNTAXES
from sdcc.conversion.faults import CannotEncode
from sdcc.conversion.pixels import decoded
from sdcc.conversion.structure import Element, read
from sdcc.conversion.transcription import ENCODINGS, Changes, Transcriber


def convert(stored: BinaryIO, transfer_syntax_uid: str, output: BinaryIO) -> None:
    """
    :param stored: a DICOM file, real, not empty.
    :param transfer_syntax_uid: of :data:`~sdcc.conversion.transcription.ENCODINGS`.
    :raises CannotEncode: see there.
    """
    with mmap.mmap(stored.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            start = data_set_offset(data[:COUNTED_FROM])
            source_uid = announced(data[COUNTED_FROM:start]).transfer_syntax_uid
        except ValueError as error:
            raise CannotEncode(str(error)) from None
        if source_uid not in STORAGE_TRANSFER_SYNTAXES:
            raise CannotEncode(f"nothing is known of the Transfer Syntax {source_uid}")
        source = ENCODINGS.get(source_uid, ENCODINGS[EXPLICIT_VR_LITTLE_ENDIAN])  # all that are compressed
        target = ENCODINGS[transfer_syntax_uid]

        def changes(elements: Sequence[Element]) -> Changes:
            if source_uid in ENCODINGS:
                return {}
            return decoded(stored, data, elements, source_uid, byte_order=target.byte_order)

        Transcriber(data, source, target, output.write, changes).data_set(read(data, start, source))
