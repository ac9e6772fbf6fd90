"""What comes of stored objects: the very pixels, all else as it was, or a reason.

Two independent decoders say what the pixels are: DCMTK's for JPEG and RLE, and GDCM for JPEG 2000.
"""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

from sdcc.conversion.faults import CannotEncode

IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
TARGETS = pytest.mark.parametrize("target", [IMPLICIT, EXPLICIT, BIG_ENDIAN])

#: What decoding may change, beside the pixels.
PHOTOMETRIC_INTERPRETATION, PLANAR_CONFIGURATION, PIXEL_DATA = 0x00280004, 0x00280006, 0x7FE00010


# --- lossless: the very pixels ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "target"),
    [
        *(
            (name, target)
            for name in ("MR_small_RLE.dcm", "SC_rgb_rle.dcm", "SC_rgb_rle_16bit_2frame.dcm")
            for target in (IMPLICIT, EXPLICIT, BIG_ENDIAN)
        ),
        # Of 32 bits pydicom, which reads the results here, has its own idea in Big Endian.
        *(
            (name, target)
            for name in ("SC_rgb_rle_32bit_2frame.dcm", "rtdose_rle.dcm")
            for target in (IMPLICIT, EXPLICIT)
        ),
    ],
)
def test_rle_is_decoded_as_dcmtk_decodes_it(lab, name, target):
    expected = lab.pixels(pydicom.dcmread(lab.made_by_dcmtk("dcmdrle", "+te", lab.shipped(name))))
    found = lab.pixels(lab.result(name, target))
    assert np.array_equal(found, expected)


@TARGETS
def test_lossless_jpeg_is_decoded_as_dcmtk_decodes_it(lab, target):
    name = "SC_rgb_jpeg_gdcm.dcm"
    expected = lab.pixels(pydicom.dcmread(lab.made_by_dcmtk("dcmdjpeg", "+te", lab.shipped(name))))
    found = lab.pixels(lab.result(name, target))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("program", ["dcmcjpeg", "dcmcrle"])
@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small.dcm",
        "examples_overlay.dcm",
        "examples_palette.dcm",
        "examples_rgb_color.dcm",
        "SC_rgb_small_odd.dcm",
    ],
)
def test_what_dcmtk_compresses_without_loss_comes_back_as_it_was(lab, program, name):
    compressed = lab.made_by_dcmtk(program, *(["+e1"] if program == "dcmcjpeg" else []), lab.shipped(name))
    assert pydicom.dcmread(compressed).file_meta.TransferSyntaxUID.is_compressed
    found = lab.pixels(lab.parsed(lab.converted(compressed)))
    assert np.array_equal(found, lab.pixels(pydicom.dcmread(lab.shipped(name))))


@TARGETS
def test_lossless_jpeg_2000_comes_back_as_it_was(lab, target):
    found = lab.pixels(lab.result("MR_small_jp2klossless.dcm", target))
    assert np.array_equal(found, lab.pixels(pydicom.dcmread(lab.shipped("MR_small.dcm"))))


@pytest.mark.parametrize(
    "name",
    [
        "693_J2KI.dcm",
        "JPEG2000.dcm",
        "J2K_pixelrep_mismatch.dcm",
        "GDCMJ2K_TextGBR.dcm",
        "SC_rgb_gdcm_KY.dcm",
        "MR_small_jp2klossless.dcm",
        "examples_jpeg2k.dcm",
    ],
)
def test_jpeg_2000_is_decoded_as_gdcm_decodes_it(lab, name):
    """Values, that is: what lies beyond the bits that are stored is nobody's business."""
    reference = pydicom.dcmread(lab.made_by_gdcm(lab.shipped(name)))
    difference = lab.pixels(lab.result(name)) - lab.pixels(reference)
    assert not (difference % (1 << reference.BitsStored)).any()


# --- lossy: what two conforming decoders may differ by -----------------------------------------

#: Of 255: the inverse DCT of each may be off by one in each component (ISO/IEC 10918-2), and the conversion
#: to RGB, which rounds too, multiplies what is off in Cb by 1.772.
ROUNDING = 3


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("SC_rgb_dcmtk_+eb+cr.dcm", ROUNDING),
        ("SC_rgb_dcmtk_+eb+cy+n1.dcm", ROUNDING),
        ("SC_rgb_dcmtk_+eb+cy+np.dcm", ROUNDING),
        ("SC_rgb_dcmtk_+eb+cy+s2.dcm", ROUNDING),
        ("SC_rgb_jpeg_dcmtk.dcm", ROUNDING),
        ("SC_rgb_jpeg_app14_dcmd.dcm", ROUNDING),
        ("SC_rgb_small_odd_jpeg.dcm", ROUNDING),
        ("examples_ybr_color.dcm", ROUNDING),
        ("JPGExtended.dcm", 1),  # of 4095, and no colour
    ],
)
def test_lossy_jpeg_is_decoded_as_dcmtk_decodes_it_but_for_rounding(lab, name, most):
    reference = pydicom.dcmread(lab.made_by_dcmtk("dcmdjpeg", "+te", lab.shipped(name)))
    found = lab.result(name)
    assert found.PhotometricInterpretation == reference.PhotometricInterpretation
    difference = abs(lab.pixels(found) - lab.pixels(reference))
    assert difference.max() <= most
    assert difference.mean() < 0.2


# --- all else ------------------------------------------------------------------------------------


def differences(before, after):
    """The tags whose values are not the same."""
    tags = {element.tag for element in before if element.tag.element} | {element.tag for element in after}
    return {tag for tag in tags if before.get(tag) != after.get(tag)}


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("MR_small_RLE.dcm", set()),
        ("SC_rgb_rle_2frame.dcm", set()),
        ("JPEG2000.dcm", set()),
        ("JPGExtended.dcm", set()),
        ("SC_rgb_jpeg_gdcm.dcm", set()),
        ("examples_jpeg2k.dcm", {PHOTOMETRIC_INTERPRETATION}),
        ("examples_ybr_color.dcm", {PHOTOMETRIC_INTERPRETATION}),
    ],
)
def test_decoding_changes_the_pixels_and_what_they_are_called_and_nothing_else(lab, name, changed):
    before, after = pydicom.dcmread(lab.shipped(name)), lab.result(name)
    assert differences(before, after) == changed | {PIXEL_DATA}
    assert after.get("PhotometricInterpretation") == ("RGB" if changed else before.PhotometricInterpretation)


def test_the_tables_of_where_frames_began_go_with_them(lab, tmp_path):
    stored = pydicom.dcmread(lab.shipped("SC_rgb_rle_2frame.dcm"))
    frames = list(pydicom.encaps.generate_frames(stored.PixelData, number_of_frames=2))
    stored.PixelData, stored.ExtendedOffsetTable, stored.ExtendedOffsetTableLengths = (
        pydicom.encaps.encapsulate_extended(frames)
    )
    stored.save_as(tmp_path / "extended.dcm")
    found = lab.parsed(lab.converted(tmp_path / "extended.dcm"))
    assert found.PixelData == lab.result("SC_rgb_rle_2frame.dcm").PixelData
    assert "ExtendedOffsetTable" not in found
    assert "ExtendedOffsetTableLengths" not in found


def test_that_an_image_was_compressed_with_loss_stays_said(lab):
    assert lab.result("JPGExtended.dcm").LossyImageCompression == "01"


@pytest.mark.parametrize(
    "name", ["SC_rgb_dcmtk_+eb+cy+n1.dcm", "SC_rgb_rle.dcm", "SC_rgb_jpeg_gdcm.dcm", "GDCMJ2K_TextGBR.dcm"]
)
def test_colours_come_by_pixel(lab, name):
    assert lab.result(name).PlanarConfiguration == 0


def test_colours_by_plane_are_told_to_be_by_pixel_now(lab):
    by_plane = lab.made_by_dcmtk("dcmcrle", lab.shipped("ExplVR_BigEnd.dcm"))
    assert pydicom.dcmread(by_plane).PlanarConfiguration == 1
    found = lab.parsed(lab.converted(by_plane))
    original = pydicom.dcmread(lab.shipped("ExplVR_BigEnd.dcm"))
    assert found.PlanarConfiguration == 0
    assert np.array_equal(found.pixel_array, original.pixel_array)


def test_an_odd_number_of_bytes_is_padded(lab):
    found = lab.result("SC_rgb_small_odd_jpeg.dcm")
    assert (len(found.PixelData), found.PixelData[-1]) == (3 * 3 * 3 + 1, 0)


@pytest.mark.parametrize(("name", "vr"), [("SC_rgb_rle.dcm", "OB"), ("MR_small_RLE.dcm", "OW")])
def test_the_vr_of_decoded_pixels_is_that_of_their_size(lab, name, vr):
    found = lab.result(name)
    assert vr == found[PIXEL_DATA].VR


@pytest.mark.parametrize(
    "name", ["test-SR.dcm", "rtplan.dcm", "waveform_ecg.dcm", "examples_overlay.dcm", "MR_small_expb.dcm"]
)
@pytest.mark.parametrize(("target", "option"), [(IMPLICIT, "+ti"), (EXPLICIT, "+te"), (BIG_ENDIAN, "+tb")])
def test_what_is_not_compressed_is_encoded_as_dcmtk_encodes_it(lab, name, target, option):
    reference = pydicom.dcmread(lab.made_by_dcmtk("dcmconv", option, lab.shipped(name)))
    found = lab.result(name, target)
    assert differences(reference, found) == set()


def test_32_bits_in_words_are_turned_round_by_words_as_dcmtk_does(lab):
    """PS3.5 7.3, whatever pydicom thinks."""
    words = lab.made_by_dcmtk("dcmconv", "+tb", lab.shipped("rtdose.dcm"))
    assert lab.parsed(lab.converted(words)).PixelData == pydicom.dcmread(lab.shipped("rtdose.dcm")).PixelData


# --- what cannot be converted --------------------------------------------------------------------


def altered(tmp_path, original, *changes):
    """A copy in which some bytes have become others."""
    data = original.read_bytes()
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    path = tmp_path / "altered.dcm"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("MR_truncated.dcm", [], r"\(7FE0,0010\) runs past the end"),
        ("JPEG-lossy.dcm", [], "frame 1 cannot be decoded: .*scan start must be zero"),
        (
            "MR_small_jpeg_ls_lossless.dcm",
            [],
            r"nothing is known of the Transfer Syntax 1.2.840.10008.1.2.4.80",
        ),
        ("no_meta.dcm", [], "DICM"),
        ("SC_rgb_rle_2frame.dcm", [(b"IS\x02\x002 ", b"IS\x02\x003 ")], "has 2 frames in place of 3|frame 3"),
        ("SC_rgb_rle_2frame.dcm", [(b"IS\x02\x002 ", b"IS\x02\x00-1")], r"\(0028,0008\).*not positive"),
        ("SC_rgb_rle_2frame.dcm", [(b"IS\x02\x002 ", b"IS\x02\x00x ")], r"\(0028,0008\).*cannot be read"),
        ("SC_rgb_rle.dcm", [(b"\x28\x00\x10\x00US", b"\x28\x00\x0f\x00US")], r"no \(0028,0010\)"),
        (
            "SC_rgb_rle.dcm",
            [(b"\x28\x00\x00\x01US\x02\x00\x08", b"\x28\x00\x00\x01US\x02\x00\x07")],
            r"\(0028,0100\).*none of 8, 16 and 32",
        ),
        (
            "SC_rgb_rle.dcm",
            [(b"\x28\x00\x10\x00US\x02\x00\x64", b"\x28\x00\x10\x00US\x02\x00\x65")],
            "frame 1",
        ),
    ],
)
def test_what_cannot_be_converted_has_its_reason(lab, tmp_path, name, changes, reason):
    with pytest.raises(CannotEncode, match=reason):
        lab.converted(altered(tmp_path, lab.shipped(name), *changes))


def test_more_than_4_gib_of_pixels_are_too_many(lab, tmp_path):
    frames = (b"\x28\x00\x08\x00IS\x02\x002 ", b"\x28\x00\x08\x00IS\x06\x00200000")
    with pytest.raises(CannotEncode, match="longer than 4 GiB"):
        lab.converted(altered(tmp_path, lab.shipped("SC_rgb_rle_2frame.dcm"), frames))
