"""The conformance statement as data.

One table of SOP Classes, Transfer Syntaxes, character sets and identifiers. Negotiation, the
printed statement (`sdcc.statement`), the index's text and the tests read it; it knows none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

#: Statement 2.1.4; PS3.7 D.3.3.2.
IMPLEMENTATION_CLASS_UID = "1.2.392.100224.1.2002.100.5"
IMPLEMENTATION_VERSION_NAME = "SDCC 1.1"

#: PS3.7 A.2.1.
DICOM_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
#: Statement 2.1.1 misprints it so. Both are accepted; the answer carries the one proposed.
MISPRINTED_APPLICATION_CONTEXT = "1.2.840.1008.3.1.1.1"
APPLICATION_CONTEXTS = frozenset({DICOM_APPLICATION_CONTEXT, MISPRINTED_APPLICATION_CONTEXT})

#: Names of services as `[[remote]]` uses them.
VERIFICATION_SERVICE = "verification"
STORAGE_SERVICE = "storage"
QUERY_SERVICE = "query"
RETRIEVE_SERVICE = "retrieve"
COMMITMENT_SERVICE = "commitment"
SERVICES = (VERIFICATION_SERVICE, STORAGE_SERVICE, QUERY_SERVICE, RETRIEVE_SERVICE, COMMITMENT_SERVICE)

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
#: What all that is stored can be converted to, the best first.
CONVERTED = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)

#: Statement 2.3.2.2.1: UID to name.
STORAGE_TRANSFER_SYNTAXES: Mapping[str, str] = MappingProxyType(
    {
        IMPLICIT_VR_LITTLE_ENDIAN: "Implicit VR Little Endian",
        EXPLICIT_VR_LITTLE_ENDIAN: "Explicit VR Little Endian",
        EXPLICIT_VR_BIG_ENDIAN: "Explicit VR Big Endian",
        "1.2.840.10008.1.2.4.50": "JPEG Baseline (Process 1)",
        "1.2.840.10008.1.2.4.51": "JPEG Extended (Process 2 & 4)",
        "1.2.840.10008.1.2.4.70": "JPEG Lossless, Process 14, Selection Value 1",
        "1.2.840.10008.1.2.4.90": "JPEG 2000 Image Compression (Lossless Only)",
        "1.2.840.10008.1.2.4.91": "JPEG 2000 Image Compression",
        "1.2.840.10008.1.2.5": "RLE Lossless",
    }
)
#: Statement 2.3.1.2: Verification takes this one alone.
VERIFICATION_TRANSFER_SYNTAXES: Mapping[str, str] = MappingProxyType(
    {IMPLICIT_VR_LITTLE_ENDIAN: STORAGE_TRANSFER_SYNTAXES[IMPLICIT_VR_LITTLE_ENDIAN]}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SOPClass:
    """A SOP Class of which SDCC is an SCP."""

    uid: str
    name: str
    #: A few letters for the log, which knows no Data Set's Modality; empty: the operation says it all.
    short: str
    service: str
    #: UID to name, of those accepted.
    transfer_syntaxes: Mapping[str, str]
    #: Accepted of its SOP Class Extended Negotiation (PS3.7 D.3.3.5): a byte for each field, in order.
    extended: bytes = b""


#: Of every Storage SOP Class that neither the statement nor the dictionary names.
NO_NAME = "Storage SOP Class of no known name"


def storage_class(uid: str, name: str, short: str) -> SOPClass:
    """A Storage SOP Class, which takes each of the statement's nine Transfer Syntaxes."""
    return SOPClass(
        uid=uid, name=name, short=short, service=STORAGE_SERVICE, transfer_syntaxes=STORAGE_TRANSFER_SYNTAXES
    )


VERIFICATION = SOPClass(
    uid="1.2.840.10008.1.1",
    name="Verification",
    short="",
    service=VERIFICATION_SERVICE,
    transfer_syntaxes=VERIFICATION_TRANSFER_SYNTAXES,
)

#: Statement 2.3.2.2 (the union with section 2): the thirty classes, in its order.
STORAGE_CLASSES: tuple[SOPClass, ...] = tuple(
    storage_class("1.2.840.10008.5.1.4.1.1." + suffix, name, short)
    for suffix, short, name in (
        ("1", "CR", "Computed Radiography Image Storage"),
        ("1.1", "DX", "Digital X-Ray Image Storage - For Presentation"),
        ("1.1.1", "DX", "Digital X-Ray Image Storage - For Processing"),
        ("1.2", "MG", "Digital Mammography X-Ray Image Storage - For Presentation"),
        ("1.2.1", "MG", "Digital Mammography X-Ray Image Storage - For Processing"),
        ("1.3", "IO", "Digital Intra-Oral X-Ray Image Storage - For Presentation"),
        ("1.3.1", "IO", "Digital Intra-Oral X-Ray Image Storage - For Processing"),
        ("2", "CT", "CT Image Storage"),
        ("3", "US", "Ultrasound Multi-frame Image Storage (Retired)"),
        ("3.1", "US", "Ultrasound Multi-frame Image Storage"),
        ("4", "MR", "MR Image Storage"),
        ("4.1", "MR", "Enhanced MR Image Storage"),
        ("4.2", "MR", "MR Spectroscopy Storage"),
        ("4.3", "MR", "Enhanced MR Color Image Storage"),
        ("5", "NM", "Nuclear Medicine Image Storage (Retired)"),
        ("6", "US", "Ultrasound Image Storage (Retired)"),
        ("6.1", "US", "Ultrasound Image Storage"),
        ("7", "SC", "Secondary Capture Image Storage"),
        ("12.1", "XA", "X-Ray Angiographic Image Storage"),
        ("12.2", "RF", "X-Ray Radiofluoroscopic Image Storage"),
        ("12.3", "XA", "X-Ray Angiographic Bi-Plane Image Storage (Retired)"),
        ("20", "NM", "Nuclear Medicine Image Storage"),
        ("77.1", "VL", "VL Image Storage (Retired)"),
        ("77.1.1", "ES", "VL Endoscopic Image Storage"),
        ("77.1.2", "GM", "VL Microscopic Image Storage"),
        ("77.1.3", "SM", "VL Slide-Coordinates Microscopic Image Storage"),
        ("77.1.4", "XC", "VL Photographic Image Storage"),
        ("77.2", "VL", "VL Multi-frame Image Storage (Retired)"),
        ("128", "PT", "Positron Emission Tomography Image Storage"),
        ("481.1", "RT", "RT Image Storage"),
    )
)


#: Of what is no image: the two that every peer has.
PLAIN_TRANSFER_SYNTAXES: Mapping[str, str] = MappingProxyType(
    {uid: STORAGE_TRANSFER_SYNTAXES[uid] for uid in (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN)}
)

PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
#: The one SOP Instance of Storage Commitment (PS3.4 J.3.5).
STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"

#: PS3.4 C.5.1.1: relational queries and combined date-time matching; no fuzzy semantic matching of person
#: names, no timezone query adjustment, no conversion of enhanced multi-frame images.
EXTENDED_FIND = bytes((1, 1, 0, 0, 0))
#: PS3.4 C.5.2.1 and C.5.3.1: relational retrieval; no conversion of enhanced multi-frame images.
EXTENDED_RETRIEVE = bytes((1, 0))

#: Statement 2.3, read as Query/Retrieve (PS3.4 C.6), and what rests on it.
SERVICE_CLASSES: tuple[SOPClass, ...] = tuple(
    SOPClass(
        uid=uid,
        name=name.replace("Retrieve -", "Retrieve Information Model -"),
        short="",
        service=service,
        transfer_syntaxes=PLAIN_TRANSFER_SYNTAXES,
        extended=extended,
    )
    for uid, service, extended, name in (
        (PATIENT_ROOT_FIND, QUERY_SERVICE, EXTENDED_FIND, "Patient Root Query/Retrieve - FIND"),
        (PATIENT_ROOT_MOVE, RETRIEVE_SERVICE, EXTENDED_RETRIEVE, "Patient Root Query/Retrieve - MOVE"),
        (PATIENT_ROOT_GET, RETRIEVE_SERVICE, EXTENDED_RETRIEVE, "Patient Root Query/Retrieve - GET"),
        (STUDY_ROOT_FIND, QUERY_SERVICE, EXTENDED_FIND, "Study Root Query/Retrieve - FIND"),
        (STUDY_ROOT_MOVE, RETRIEVE_SERVICE, EXTENDED_RETRIEVE, "Study Root Query/Retrieve - MOVE"),
        (STUDY_ROOT_GET, RETRIEVE_SERVICE, EXTENDED_RETRIEVE, "Study Root Query/Retrieve - GET"),
        (STORAGE_COMMITMENT, COMMITMENT_SERVICE, b"", "Storage Commitment Push Model"),
    )
)


def sop_classes(additional: Iterable[SOPClass] = ()) -> Mapping[str, SOPClass]:
    """Abstract Syntax UID to SOP Class: the statement's 31, the other services', then any additional ones."""
    return MappingProxyType(
        {c.uid: c for c in (VERIFICATION, *STORAGE_CLASSES, *SERVICE_CLASSES, *additional)}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CharacterSet:
    """A row of statement section 6."""

    #: As the statement writes it.
    term: str
    #: The standard's Defined Term that it is read as (PS3.3 C.12.1.1.2); "": the default repertoire.
    defined_term: str
    name: str


#: Statement 6, in its order, with the readings for its misprints.
CHARACTER_SETS: tuple[CharacterSet, ...] = tuple(
    CharacterSet(term=term, defined_term=defined_term, name=name)
    for term, defined_term, name in (
        ("ISO_IR_6", "", "ASCII"),
        ("ISO_IR_100", "ISO_IR 100", "Latin Alphabet No. 1 Unextended"),
        ("ISO_IR_101", "ISO_IR 101", "Latin Alphabet No. 2 Unextended"),
        ("ISO_IR_109", "ISO_IR 109", "Latin Alphabet No. 3 Unextended"),
        ("ISO_IR_110", "ISO_IR 110", "Latin Alphabet No. 4 Unextended"),
        ("ISO_IR_144", "ISO_IR 144", "Cyrillic Unextended"),
        ("ISO_IR_127", "ISO_IR 127", "Arabic Unextended"),
        ("ISO_IR_126", "ISO_IR 126", "Greek Unextended"),
        ("ISO_IR_138", "ISO_IR 138", "Hebrew Unextended"),
        ("ISO_IR_148", "ISO_IR 148", "Latin Alphabet No. 5 (Turkish) Unextended"),
        ("ISO_IR_13", "ISO_IR 13", "JIS X 0201 Katakana Unextended"),
        ("ISO_IR_87", "ISO 2022 IR 87", "JIS X 0202 Kanji Unextended"),
        ("ISO_IR_166", "ISO_IR 166", "TIS 620-2533 (Thai) Unextended"),
        ("ISO_IR_192", "ISO_IR 192", "Unicode in UTF-8"),
        ("ISO_2022_IR_6", "ISO 2022 IR 6", "ASCII"),
        ("ISO_2022_IR_100", "ISO 2022 IR 100", "Latin Alphabet No. 1 Extended"),
        ("ISO_2022_IR_101", "ISO 2022 IR 101", "Latin Alphabet No. 2 Extended"),
        ("ISO_2022_IR_109", "ISO 2022 IR 109", "Latin Alphabet No. 3 Extended"),
        ("ISO_2022_IR_110", "ISO 2022 IR 110", "Latin Alphabet No. 4 Extended"),
        ("ISO_2022_IR_144", "ISO 2022 IR 144", "Cyrillic Extended"),
        ("ISO_2022_IR_127", "ISO 2022 IR 127", "Arabic Extended"),
        ("ISO_2022_IR_126", "ISO 2022 IR 126", "Greek Extended"),
        ("ISO_2022_IR_138", "ISO 2022 IR 138", "Hebrew Extended"),
        ("ISO_2022_IR_148", "ISO 2022 IR 148", "Latin Alphabet No. 5 (Turkish) Extended"),
        ("ISO_2022_IR_13", "ISO 2022 IR 13", "JIS X 0201 Katakana Extended"),
        ("ISO_2022_IR_166", "ISO 2022 IR 166", "TIS 620-2533 (Thai) Extended"),
        ("ISO_2022_IR_87", "ISO 2022 IR 87", "JIS X 0208 (Kanji) Extended"),
        ("ISO_2022_IR_159", "ISO 2022 IR 159", "JIS X 0212 (Kanji) Extended"),
        ("ISO_2022_IR_149", "ISO 2022 IR 149", "KS X 1001 (Hangul and Hanja) Extended"),
        ("GB18030", "GB18030", "Chinese (Simplified) Extended"),
    )
)
