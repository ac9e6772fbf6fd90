"""What is sent: Data Sets as a modality makes them, in Explicit VR Little Endian.

The UIDs in them are marks of a fixed length, which :mod:`benchmarks.messages` writes each object's own over.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

CT = "1.2.840.10008.5.1.4.1.1.2"
MULTIFRAME_US = "1.2.840.10008.5.1.4.1.1.3.1"

_ROOT = "1.2.826.0.1.3680043.9.7307."
#: What stands where an object's own UIDs come: 48 characters each.
STUDY_MARK = _ROOT + "1" * 21
SERIES_MARK = _ROOT + "2" * 21
INSTANCE_MARK = _ROOT + "3" * 21


def uid(kind, number):
    """One of the marks' length, by the kind (1: study, 2: series, 3: instance)."""
    return f"{_ROOT}{kind}{number:020}"


@dataclass(frozen=True, slots=True)
class Shape:
    """What an object's size comes from."""

    sop_class: str
    rows: int
    columns: int
    bits: int
    frames: int = 1

    @property
    def pixel_bytes(self):
        return self.rows * self.columns * self.bits // 8 * self.frames


SHAPES = {
    "ct": Shape(CT, 512, 512, 16),
    "small": Shape(CT, 83, 83, 16),
    "multiframe": Shape(MULTIFRAME_US, 512, 512, 8, frames=480),
    "warm-up": Shape(CT, 16, 16, 16),
}


def data_set(shape):
    """The bytes of one; its pixels are random, and the same each time."""
    written = DicomBytesIO()
    written.is_little_endian, written.is_implicit_VR = True, False
    write_dataset(written, _attributes(shape))
    return written.getvalue()


def _attributes(shape):
    found = Dataset()
    for group in (_identity(shape), _acquisition(), _geometry(shape)):
        found.update(group)
    for keyword in ("ReferencedStudySequence", "ReferencedPatientSequence"):
        setattr(found, keyword, Sequence([_reference(number) for number in range(2)]))
    found.RequestAttributesSequence = Sequence([_request()])
    found.ProcedureCodeSequence = Sequence([_code("CTABD", "99BENCH", "CT of the abdomen")])
    found.PixelData = random.Random(shape.pixel_bytes).randbytes(shape.pixel_bytes)
    found["PixelData"].VR = "OW"
    return found


def _dataset(**values):
    found = Dataset()
    for keyword, value in values.items():
        setattr(found, keyword, value)
    return found


def _identity(shape):
    return _dataset(
        SpecificCharacterSet="ISO_IR 100",
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
        InstanceCreationDate="20240229",
        InstanceCreationTime="101112.345",
        SOPClassUID=shape.sop_class,
        SOPInstanceUID=INSTANCE_MARK,
        StudyDate="20240229",
        SeriesDate="20240229",
        AcquisitionDate="20240229",
        ContentDate="20240229",
        StudyTime="101010.1",
        SeriesTime="101011.2",
        AcquisitionTime="101112.3",
        ContentTime="101112.4",
        AccessionNumber="A0000012345",
        Modality="US" if shape.frames > 1 else "CT",
        Manufacturer="Nobody",
        InstitutionName="A hospital that does not exist",
        InstitutionAddress="Nowhere",
        ReferringPhysicianName="Sent^By^Benchmark",
        StationName="CT01",
        StudyDescription="Abdomen, with contrast medium",
        SeriesDescription="Axial 1.0 mm, soft tissue",
        InstitutionalDepartmentName="Radiology",
        OperatorsName="Measured^Often",
        ManufacturerModelName="Model of a scanner",
        PatientName="Benchmark^Of^Receivers",
        PatientID="BENCHMARK-1",
        PatientBirthDate="19500505",
        PatientSex="O",
        PatientAge="073Y",
        PatientWeight="80",
        StudyInstanceUID=STUDY_MARK,
        SeriesInstanceUID=SERIES_MARK,
        StudyID="4711",
        SeriesNumber="2",
        AcquisitionNumber="1",
        InstanceNumber="1",
    )


def _acquisition():
    return _dataset(
        ContrastBolusAgent="Some",
        BodyPartExamined="ABDOMEN",
        ScanOptions="HELICAL MODE",
        SliceThickness="1.0",
        KVP="120",
        DataCollectionDiameter="500",
        DeviceSerialNumber="000000042",
        SoftwareVersions="1.0",
        ProtocolName="Abdomen routine",
        ReconstructionDiameter="380",
        DistanceSourceToDetector="1085.6",
        DistanceSourceToPatient="595.0",
        GantryDetectorTilt="0",
        TableHeight="152.5",
        RotationDirection="CW",
        ExposureTime="500",
        XRayTubeCurrent="320",
        Exposure="160",
        FilterType="BODY",
        GeneratorPower="40",
        FocalSpots="0.7",
        ConvolutionKernel="B30f",
        PatientPosition="FFS",
    )


def _geometry(shape):
    found = _dataset(
        ImagePositionPatient=["-190.0", "-190.0", "-120.5"],
        ImageOrientationPatient=["1", "0", "0", "0", "1", "0"],
        FrameOfReferenceUID=_ROOT + "4",
        PositionReferenceIndicator="",
        SliceLocation="-120.5",
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=shape.rows,
        Columns=shape.columns,
        PixelSpacing=["0.742", "0.742"],
        BitsAllocated=shape.bits,
        BitsStored=shape.bits,
        HighBit=shape.bits - 1,
        PixelRepresentation=0,
        WindowCenter=["40", "500"],
        WindowWidth=["400", "2000"],
        RescaleIntercept="-1024",
        RescaleSlope="1",
    )
    if shape.frames > 1:
        found.NumberOfFrames = shape.frames
        found.FrameTime = "40"
    return found


def _reference(number):
    return _dataset(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1", ReferencedSOPInstanceUID=f"{_ROOT}5.{number}"
    )


def _request():
    return _dataset(
        ScheduledProcedureStepDescription="CT of the abdomen",
        ScheduledProtocolCodeSequence=Sequence([_code("P1", "99BENCH", "Protocol")]),
        ScheduledProcedureStepID="S1",
        RequestedProcedureID="R1",
    )


def _code(value, scheme, meaning):
    return _dataset(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)
