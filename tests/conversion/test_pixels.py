"""Images whose Data Set and codestream do not say the same, and what is seldom: no pixel is a wrong one."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

from sdcc.conversion.faults import CannotEncode

BIG_ENDIAN = "1.2.840.10008.1.2.2"

#: What encodes an image of DCMTK's or GDCM's making.
LOSSLESS = pytest.mark.parametrize("encoded", [("dcmcrle",), ("dcmcjpeg", "+e1")], ids=" ".join)


@pytest.mark.parametrize(
    "name",
    ["SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_jpeg_gdcm.dcm", "examples_jpeg2k.dcm"],
)
def test_colours_come_by_pixel_of_all_but_rle_whatever_the_planar_configuration(lab, name):
    right = lab.result(name)
    found = lab.parsed(lab.converted(lab.told(lab.shipped(name), PlanarConfiguration=1)))
    assert found.PlanarConfiguration == 0
    assert found.PixelData == right.PixelData


def test_colours_come_by_plane_of_rle_whatever_the_planar_configuration(lab):
    stored = lab.told(lab.shipped("SC_rgb_rle_2frame.dcm"), PlanarConfiguration=1)
    assert lab.parsed(lab.converted(stored)).PixelData == lab.result("SC_rgb_rle_2frame.dcm").PixelData


@pytest.mark.parametrize("high_bit", [15, 11, 7])
def test_rle_keeps_the_bits_that_are_not_stored(lab, high_bit):
    """The pixels themselves lie there where High Bit says so, and old overlays."""
    stored = lab.told(lab.shipped("MR_small.dcm"), BitsStored=high_bit - 3, HighBit=high_bit)
    original = bytes(range(256)) * (64 * 64 * 2 // 256)
    stored = lab.told(stored, PixelData=original)
    found = lab.parsed(lab.converted(lab.made_by_dcmtk("dcmcrle", stored)))
    assert (found.HighBit, found.PixelData) == (high_bit, original)


@pytest.mark.parametrize("is_signed", [0, 1])
@pytest.mark.parametrize("bits", [9, 12, 15, 16])
@LOSSLESS
def test_the_smallest_and_the_greatest_values_come_back(lab, encoded, bits, is_signed):
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    values = np.resize(np.array([least, most, 0, 1, most // 3]), (64, 64))
    stored = lab.told(
        lab.shipped("MR_small.dcm"),
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=is_signed,
        PixelData=values.astype("<i4").astype("<u2").tobytes(),
    )
    program, *options = encoded
    found = lab.parsed(lab.converted(lab.made_by_dcmtk(program, *options, stored)))
    assert not ((lab.pixels(found).reshape(64, 64) - values) % (1 << bits)).any()


def test_samples_that_do_not_fit_are_not_cut(lab):
    stored = lab.told(lab.shipped("MR_small_jp2klossless.dcm"), BitsAllocated=8, BitsStored=8, HighBit=7)
    with pytest.raises(CannotEncode, match="frame 1 has samples of 16 bits"):
        lab.converted(stored)


@pytest.mark.parametrize(
    ("name", "stored", "told"),
    [
        ("SC_rgb_rle.dcm", "YBR_FULL_422", "YBR_FULL"),  # all the chrominance is there
        ("SC_rgb_rle.dcm", "YBR_FULL", "YBR_FULL"),
        ("SC_rgb_jpeg_gdcm.dcm", "YBR_FULL_422", "YBR_FULL"),
        ("SC_rgb_jpeg_gdcm.dcm", "YBR_FULL", "YBR_FULL"),  # whatever its components are called
        ("examples_jpeg2k.dcm", "YBR_FULL_422", "YBR_FULL"),
        ("examples_jpeg2k.dcm", "YBR_ICT", "RGB"),
        ("examples_jpeg2k.dcm", "RGB", "RGB"),
        ("SC_rgb_jpeg_dcmtk.dcm", "YBR_FULL_422", "RGB"),
        ("SC_rgb_jpeg_dcmtk.dcm", "YBR_FULL", "RGB"),
    ],
)
def test_decoded_colours_are_called_what_they_are(lab, name, stored, told):
    found = lab.parsed(lab.converted(lab.told(lab.shipped(name), PhotometricInterpretation=stored)))
    assert found.PhotometricInterpretation == told


@pytest.mark.parametrize("stored", ["YBR_PARTIAL_420", "YBR_PARTIAL_422", "YBR_RCT", "YBR_ICT"])
@pytest.mark.parametrize("name", ["SC_rgb_rle.dcm", "SC_rgb_jpeg_dcmtk.dcm"])
def test_colours_that_nothing_uncompressed_can_have_are_refused(lab, name, stored):
    path = lab.told(lab.shipped(name), PhotometricInterpretation=stored)
    with pytest.raises(CannotEncode, match=f"nothing that is not compressed can be {stored}"):
        lab.converted(path)


def test_lossless_colours_are_what_the_data_set_calls_them_whatever_a_jfif_marker_means(lab, tmp_path):
    stored = lab.shipped("SC_rgb_jpeg_gdcm.dcm")
    data_set = pydicom.dcmread(stored)
    (frame,) = pydicom.encaps.generate_frames(data_set.PixelData, number_of_frames=1)
    marker = b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0"
    components = b"\x03\x52\x11\x00\x47\x11\x00\x42\x11\x00", b"\x03\x01\x11\x00\x02\x11\x00\x03\x11\x00"
    scan = b"\x03\x52\x00\x47\x00\x42\x00", b"\x03\x01\x00\x02\x00\x03\x00"
    frame = frame[:2] + marker + frame[2:].replace(*components).replace(*scan)
    path = lab.told(stored, PixelData=pydicom.encaps.encapsulate([frame]))
    found = lab.parsed(lab.converted(path))
    assert found.PhotometricInterpretation == "RGB"
    assert found.PixelData == lab.result("SC_rgb_jpeg_gdcm.dcm").PixelData


def test_an_extended_offset_table_that_is_empty_is_none(lab):
    stored = lab.told(
        lab.shipped("SC_rgb_rle_2frame.dcm"), ExtendedOffsetTable=b"", ExtendedOffsetTableLengths=b""
    )
    assert lab.parsed(lab.converted(stored)).PixelData == lab.result("SC_rgb_rle_2frame.dcm").PixelData


@pytest.mark.parametrize("has_table", [True, False])
@pytest.mark.parametrize("fragments", [1, 2, 5])
def test_frames_of_many_fragments_are_put_together(lab, fragments, has_table):
    """RLE must have one for each frame where no table says where they begin (PS3.5 A.4.2)."""
    original = lab.shipped("examples_ybr_color.dcm")
    data_set = pydicom.dcmread(original)
    frames = list(
        pydicom.encaps.generate_frames(data_set.PixelData, number_of_frames=data_set.NumberOfFrames)
    )[:3]
    in_one = lab.told(original, PixelData=pydicom.encaps.encapsulate(frames), NumberOfFrames=3)
    expected = lab.converted(in_one)
    stored = lab.told(
        original,
        PixelData=pydicom.encaps.encapsulate(frames, fragments_per_frame=fragments, has_bot=has_table),
        NumberOfFrames=3,
    )
    assert lab.converted(stored) == expected


@pytest.mark.parametrize("name", ["SC_rgb_rle.dcm", "SC_rgb_jpeg_gdcm.dcm", "examples_jpeg2k.dcm"])
def test_an_icon_is_decoded_with_its_image(lab, name):
    """PS3.5 A.4: it may be compressed as the image is."""
    stored = lab.shipped(name)
    image = pydicom.dcmread(stored)
    icon = pydicom.Dataset()
    for keyword in (
        *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns"),
        *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
    ):
        setattr(icon, keyword, image[keyword].value)
    icon["PixelData"].VR = "OB"
    icon["PixelData"].is_undefined_length = True
    found = lab.parsed(lab.converted(lab.told(stored, IconImageSequence=[icon])))
    (decoded,) = found.IconImageSequence
    assert decoded.PixelData == found.PixelData == lab.result(name).PixelData
    assert decoded.PhotometricInterpretation == "RGB"
    assert decoded.PlanarConfiguration == 0
