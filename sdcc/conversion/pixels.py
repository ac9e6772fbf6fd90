"""Compressed Pixel Data, decoded frame by frame by pydicom with pylibjpeg and its plugins.

The one module that imports a decoder, and numpy. What comes of lossless compression are the very values that
were compressed, unused bits included: what lies there may be an old overlay, or the pixels themselves where
High Bit says so. Of lossy JPEG in YBR it is RGB, which is what the standard wants where nothing is
compressed (PS3.3 C.8.5.6.1.16, for one); whatever else is said of the values stays true.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, BinaryIO

import numpy
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGBaseline8Bit, JPEGExtended12Bit

from sdcc.conversion.faults import CannotEncode
from sdcc.conversion.structure import PIXEL_DATA, Bytes, Element, name
from sdcc.conversion.transcription import Changes, Value, turned_round

#: The one plugin that decodes: another would be a second opinion that nobody has tested.
PLUGIN = "pylibjpeg"

_PHOTOMETRIC_INTERPRETATION, _PLANAR_CONFIGURATION = 0x00280004, 0x00280006
_OFFSET_TABLE, _OFFSET_TABLE_LENGTHS = 0x7FE00001, 0x7FE00002
_LOSSY_JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit)
_BITS_ALLOCATED = (8, 16, 32)
#: What the samples that a decoder gives are called, by what they were called before, where that is another
#: name: each pixel has its own chrominance, and JPEG 2000 undoes its own transformations.
_UPSAMPLED = {"YBR_FULL_422": "YBR_FULL"}
_UNDONE_BY_JPEG_2000 = {"YBR_RCT": "RGB", "YBR_ICT": "RGB"}
#: What cannot be said of samples that are not compressed, or only of fewer than a decoder gives.
_COMPRESSED_ONLY = frozenset({"YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"})
#: The longest value that is not of undefined length.
_LONGEST = 0xFFFFFFFE
#: Bytes of the longest attribute of an image that is read.
_LONGEST_ATTRIBUTE = 64


def _number(value: bytes) -> int:
    return int(struct.unpack_from("<H", value)[0])


def _text(value: bytes) -> str:
    return value.decode("ascii").strip(" \0")


def _integer_string(value: bytes) -> int:
    return int(_text(value) or 1)


#: What pydicom is told of an image, by its name for it: the tag, and how its value is read. All are in
#: Explicit VR Little Endian, as all that is compressed.
_ATTRIBUTES: Mapping[str, tuple[int, Callable[[bytes], int | str]]] = {
    "samples_per_pixel": (0x00280002, _number),
    "photometric_interpretation": (_PHOTOMETRIC_INTERPRETATION, _text),
    "number_of_frames": (0x00280008, _integer_string),
    "rows": (0x00280010, _number),
    "columns": (0x00280011, _number),
    "bits_allocated": (0x00280100, _number),
    "bits_stored": (0x00280101, _number),
    "pixel_representation": (0x00280103, _number),
}
_NEEDED = _ATTRIBUTES.keys() - {"number_of_frames"}


@dataclass(frozen=True, slots=True)
class _Frame:
    data: bytes
    photometric_interpretation: str


def decoded(
    file: BinaryIO, data: Bytes, found: Sequence[Element], transfer_syntax_uid: str, *, byte_order: str
) -> Changes:
    """What decoding changes in a Data Set, or in an item such as an icon; nothing where it has no compressed
    Pixel Data.

    :param file: that of `data`, to be read from; frames are decoded as they are asked for.
    :param byte_order: that of the decoded Pixel Data.
    :raises CannotEncode: also while the frames are asked for.
    """
    pixel_data = next((element for element in found if element.tag == PIXEL_DATA), None)
    if pixel_data is None or not pixel_data.is_of_undefined_length:
        return {}
    by_tag = {element.tag: element for element in found}
    options = _options(data, by_tag)
    frames = _frames(file, pixel_data, options, transfer_syntax_uid, byte_order)
    first = next(frames)
    length = len(first.data) * options["number_of_frames"]
    if length > _LONGEST:
        raise CannotEncode("the decoded Pixel Data is longer than 4 GiB")
    padding = [bytes(1)] if length % 2 else []
    blocks = chain((frame.data for frame in chain([first], frames)), padding)
    changes: dict[int, Value | None] = {
        PIXEL_DATA: Value(b"OW" if options["bits_allocated"] > 8 else b"OB", length + length % 2, blocks),
        _OFFSET_TABLE: None,
        _OFFSET_TABLE_LENGTHS: None,
    }
    if first.photometric_interpretation != options["photometric_interpretation"]:
        changes[_PHOTOMETRIC_INTERPRETATION] = _code_string(first.photometric_interpretation)
    if options["samples_per_pixel"] > 1:
        zero = bytes(2)  # color-by-pixel, as all frames come
        changes[_PLANAR_CONFIGURATION] = Value(b"US", len(zero), [zero])
    return changes


def _options(data: Bytes, by_tag: Mapping[int, Element]) -> dict[str, Any]:
    # How the decoders give colours does not hang on what the Data Set says, which may well be 1: pydicom
    # knows that RLE comes by plane, and all else comes by pixel.
    options: dict[str, Any] = {"number_of_frames": 1, "planar_configuration": 0}
    for attribute, (tag, read) in _ATTRIBUTES.items():
        if (element := by_tag.get(tag)) is not None and element.stop > element.start:
            value = data[element.start : min(element.stop, element.start + _LONGEST_ATTRIBUTE)]
            try:
                options[attribute] = read(value)
            except (ValueError, struct.error):
                raise CannotEncode(f"{name(tag)} of the image cannot be read") from None
    if missing := [name(_ATTRIBUTES[attribute][0]) for attribute in sorted(_NEEDED - options.keys())]:
        raise CannotEncode(f"the image has no {', '.join(missing)}")
    if options["number_of_frames"] < 1:
        raise CannotEncode("(0028,0008) of the image is not positive")
    if options["bits_allocated"] not in _BITS_ALLOCATED:
        raise CannotEncode("(0028,0100) of the image is none of 8, 16 and 32")
    tables = [by_tag.get(tag) for tag in (_OFFSET_TABLE, _OFFSET_TABLE_LENGTHS)]
    values = tuple(data[table.start : table.stop] for table in tables if table is not None)
    if len(values) == len(tables) and all(values):
        options["extended_offsets"] = values
    return options


def _frames(
    file: BinaryIO,
    pixel_data: Element,
    options: Mapping[str, Any],
    transfer_syntax_uid: str,
    byte_order: str,
) -> Iterator[_Frame]:
    """All of them, each as long as the others: bytes of color-by-pixel."""
    is_lossy_jpeg = transfer_syntax_uid in _LOSSY_JPEG
    count = options["number_of_frames"]
    kind = numpy.dtype(f"<u{options['bits_allocated'] // 8}")
    length = options["rows"] * options["columns"] * options["samples_per_pixel"] * kind.itemsize
    #: What is turned round in Big Endian: the words of OW, whatever they are parts of (PS3.5 7.3).
    unit = 2 if byte_order == "big" and kind.itemsize > 1 else 1
    given = 0
    try:
        file.seek(pixel_data.start)
        arrays = get_decoder(transfer_syntax_uid).iter_array(
            file,
            raw=not is_lossy_jpeg,
            decoding_plugin=PLUGIN,
            pixel_keyword="PixelData",
            pixel_vr="OB",
            correct_unused_bits=False,
            **options,
        )
        for array, properties in islice(arrays, count):
            if array.dtype.itemsize > kind.itemsize:
                raise CannotEncode(f"frame {given + 1} has samples of {8 * array.dtype.itemsize} bits")
            data = array.astype(kind, copy=False).tobytes()
            # Where nothing was converted, the Data Set knows better than what a codestream says by the way.
            told = properties if is_lossy_jpeg else options
            frame = _Frame(
                turned_round(data, unit) if unit > 1 else data,
                _interpretation(str(told["photometric_interpretation"]), transfer_syntax_uid),
            )
            if len(frame.data) != length:
                raise CannotEncode(f"frame {given + 1} is not of the image's size")
            given += 1
            yield frame
    except CannotEncode:
        raise
    except Exception as error:  # whatever a decoder thinks of
        reason = str(error).strip().rpartition("\n")[2].strip()
        raise CannotEncode(f"frame {given + 1} cannot be decoded: {reason}") from error
    if given < count:
        raise CannotEncode(f"the Pixel Data has {given} frames in place of {count}")


def _interpretation(told: str, transfer_syntax_uid: str) -> str:
    """What decoded samples are to be called.

    :param told: what they were called, or became.
    """
    if transfer_syntax_uid in JPEG2000TransferSyntaxes:
        told = _UNDONE_BY_JPEG_2000.get(told, told)
    told = _UPSAMPLED.get(told, told)
    if told in _COMPRESSED_ONLY:
        raise CannotEncode(f"nothing that is not compressed can be {told}")
    return told


def _code_string(text: str) -> Value:
    value = text.encode("ascii")
    value += b" " * (len(value) % 2)
    return Value(b"CS", len(value), [value])
