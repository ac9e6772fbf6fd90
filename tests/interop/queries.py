"""A small archive, and what is asked of it: PS3.4 C.2.2.2 as a table of queries and of what they must find.

Data alone, for SDCC and for whoever else is asked the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pydicom.dataset import Dataset, FileMetaDataset

ROOT = "1.2.826.0.1.3680043.9.7307.6"
CT, MR, SC = (f"1.2.840.10008.5.1.4.1.1.{suffix}" for suffix in ("2", "4", "7"))
EXPLICIT = "1.2.840.10008.1.2.1"
PATIENT_ROOT, STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.2.1"
UNIQUE_KEYS = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}

KANJI = r"\ISO 2022 IR 87"

CT_CODE = {"CodeValue": "C1", "CodingSchemeDesignator": "99TEST", "CodeMeaning": "CT of the abdomen"}
SC_CODE = {"CodeValue": "C2", "CodingSchemeDesignator": "99ELSE", "CodeMeaning": "Report"}
KANJI_CODE = {"CodeValue": "C1", "CodingSchemeDesignator": "99ELSE", "CodeMeaning": "検査"}


def request(number):
    return {"ScheduledProcedureStepID": f"S{number}", "RequestedProcedureID": "R1"}


#: By number: the study's attributes, then its series, each with its attributes and the number of its objects.
STUDIES: dict[int, tuple[dict[str, Any], list[tuple[dict[str, Any], int]]]] = {
    1: (
        {
            **{
                "PatientID": "P1",
                "PatientName": "DOE^JANE",
                "PatientSex": "F",
                "PatientBirthDate": "19600304",
            },
            **{"StudyDate": "20240101", "StudyTime": "101530.25", "AccessionNumber": "A1", "StudyID": "1"},
            **{"StudyDescription": "CT ABDOMEN 100%", "ReferringPhysicianName": "WHO^DOCTOR"},
            "ProcedureCodeSequence": [CT_CODE, SC_CODE],
        },
        [
            (
                {
                    **{"Modality": "CT", "SeriesNumber": 1, "SeriesDescription": "THIN", "SOPClassUID": CT},
                    "RequestAttributesSequence": [request(1)],
                },
                3,
            ),
            (
                {
                    **{"Modality": "CT", "SeriesNumber": 2, "SeriesDescription": "THICK", "SOPClassUID": CT},
                    "RequestAttributesSequence": [request(2), request(3)],
                },
                1,
            ),
            ({"Modality": "OT", "SeriesNumber": 3, "SOPClassUID": SC}, 1),
        ],
    ),
    2: (
        {
            **{
                "PatientID": "P1",
                "PatientName": "DOE^JANE",
                "PatientSex": "F",
                "PatientBirthDate": "19600304",
            },
            **{"StudyDate": "20240229", "StudyTime": "180000", "AccessionNumber": "A2", "StudyID": "2"},
            **{"StudyDescription": "MR HEAD", "ReferringPhysicianName": "WHO^DOCTOR"},
        },
        [({"Modality": "MR", "SeriesNumber": 1, "SeriesDescription": "T1", "SOPClassUID": MR}, 2)],
    ),
    3: (
        {
            **{
                "PatientID": "P2",
                "PatientName": "Doe^John^M",
                "PatientSex": "M",
                "PatientBirthDate": "19591231",
            },
            **{"StudyDate": "20231231", "StudyTime": "235959.999", "AccessionNumber": "a1", "StudyID": "1"},
            "StudyDescription": "CT abdomen 100 mAs",
        },
        [({"Modality": "CT", "SeriesNumber": 1, "SOPClassUID": CT}, 1)],
    ),
    # without a date, and with a character that is a wild card in databases
    4: (
        {
            **{"PatientID": "P_4", "PatientName": "Müller^Jürgen", "SpecificCharacterSet": "ISO_IR 100"},
            **{"StudyDate": "", "StudyTime": "", "AccessionNumber": "", "StudyID": "4"},
        },
        [({"Modality": "MR", "SeriesNumber": "", "SOPClassUID": MR}, 1)],
    ),
    5: (
        {
            **{
                "PatientID": "PX4",
                "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
                "SpecificCharacterSet": KANJI,
            },
            **{"StudyDate": "20240115", "StudyTime": "0800", "AccessionNumber": "B1", "StudyID": "5"},
            **{"StudyDescription": "検査", "ProcedureCodeSequence": [KANJI_CODE]},
        },
        [({"Modality": "CT", "SeriesNumber": 11, "SOPClassUID": CT}, 1)],
    ),
    6: (
        {
            **{"PatientID": "P6", "PatientName": "Łoś^Ala", "SpecificCharacterSet": "ISO_IR 192"},
            **{"StudyDate": "20240115", "StudyTime": "12", "AccessionNumber": "B2", "StudyID": "6"},
            "StudyDescription": "a b",
        },
        [({"Modality": "MR", "SeriesNumber": 7, "SOPClassUID": MR}, 1)],
    ),
}


def objects():
    """Every object, as pydicom's Data Set with its File Meta Information."""
    for study, (attributes, series) in STUDIES.items():
        for number, (of_series, count) in enumerate(series, 1):
            for instance in range(1, count + 1):
                yield _object(
                    attributes | of_series,
                    study,
                    f"{study}.{number}",
                    f"{study}.{number}.{instance}",
                    instance,
                )


def _object(attributes, study, series, instance, number):
    data_set = Dataset()
    data_set.SpecificCharacterSet = attributes.get("SpecificCharacterSet", "").split("\\")
    for keyword, value in attributes.items():
        if keyword != "SpecificCharacterSet":
            setattr(data_set, keyword, _value(value))
    data_set.StudyInstanceUID = f"{ROOT}.{study}"
    data_set.SeriesInstanceUID = f"{ROOT}.{series}"
    data_set.SOPInstanceUID = f"{ROOT}.{instance}"
    data_set.InstanceNumber = number
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    data_set.file_meta.TransferSyntaxUID = EXPLICIT
    return data_set


def _value(value):
    """A sequence's items are mappings here."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return value
    items = [Dataset() for _ in value]
    for data_set, item in zip(items, value, strict=True):
        for keyword, of_item in item.items():
            setattr(data_set, keyword, of_item)
    return items


class Asked(NamedTuple):
    """A query, and what it must find."""

    #: In words, as the table of differences has it.
    name: str
    keys: dict[str, Any]
    #: Patient IDs at PATIENT level; else the ends of UIDs, as "1.2" for study 1's second series.
    found: str
    level: str = "STUDY"
    model: str = STUDY_ROOT
    #: What was agreed on by SOP Class Extended Negotiation.
    extended: bytes = b""

    def identifier(self):
        """As pydicom's Data Set. A key whose value is bytes goes out as it is."""
        data_set = Dataset()
        data_set.QueryRetrieveLevel = self.level
        setattr(data_set, UNIQUE_KEYS[self.level], "")
        if "SpecificCharacterSet" in self.keys:
            data_set.SpecificCharacterSet = self.keys["SpecificCharacterSet"].split("\\")
        for keyword, value in self.keys.items():
            if keyword != "SpecificCharacterSet":
                setattr(data_set, keyword, _value(value))
        return data_set

    def answers(self, identifiers):
        """What was found, in the words of `found`."""
        values = [str(identifier[UNIQUE_KEYS[self.level]].value) for identifier in identifiers]
        return " ".join(sorted(value.removeprefix(f"{ROOT}.") for value in values))


def study(number):
    return f"{ROOT}.{number}"


ALL = "1 2 3 4 5 6"
RELATIONAL, COMBINED = b"\1", b"\0\1"

QUERIES = [
    # C.2.2.2.1 Single Value Matching
    Asked("single value", {"PatientID": "P1"}, "1 2"),
    Asked("single value: no part of it", {"PatientID": "P"}, ""),
    Asked("single value: case counts", {"AccessionNumber": "a1"}, "3"),
    Asked("single value: outer spaces do not", {"AccessionNumber": " A1 "}, "1"),
    Asked("single value: inner spaces do", {"StudyDescription": "MR  HEAD"}, ""),
    Asked("single value: underscore and percent sign are themselves", {"PatientID": "P_4"}, "4"),
    Asked("two keys must both match", {"PatientID": "P1", "AccessionNumber": "A2"}, "2"),
    Asked("two keys that contradict", {"PatientID": "P2", "AccessionNumber": "A2"}, ""),
    Asked("single date", {"StudyDate": "20240115"}, "5 6"),
    Asked("single date: ACR-NEMA's form", {"StudyDate": "2024.01.15"}, "5 6"),
    Asked("single time", {"StudyTime": "180000"}, "2"),
    Asked("single time: another form of the same", {"StudyTime": "080000.000"}, "5"),
    Asked("single time: what it leaves out is any", {"StudyTime": "1015"}, "1"),
    Asked("single integer", {"StudyInstanceUID": study(1), "SeriesNumber": 2}, "1.2", "SERIES"),
    # C.2.2.2.2 List of UID Matching
    Asked("list of UID", {"StudyInstanceUID": [study(1), study(3), study(99)]}, "1 3"),
    Asked("list of UID: of one", {"StudyInstanceUID": study(6)}, "6"),
    Asked(
        "list of UID: of objects",
        {
            "StudyInstanceUID": study(1),
            "SeriesInstanceUID": study("1.1"),
            "SOPInstanceUID": [study("1.1.1"), study("1.1.3"), study("2.1.1")],
        },
        "1.1.1 1.1.3",
        "IMAGE",
    ),
    # C.2.2.2.3 Universal Matching
    Asked("universal", {"PatientName": "", "AccessionNumber": ""}, ALL),
    Asked("universal: a value that is absent matches", {"StudyDate": ""}, ALL),
    Asked("universal: an asterisk alone", {"PatientName": "*"}, ALL),
    Asked("universal: an asterisk matches what is absent", {"AccessionNumber": "*"}, ALL),
    # C.2.2.2.4 Wild Card Matching
    Asked("wild card: the beginning", {"StudyDescription": "CT*"}, "1 3"),
    Asked("wild card: the end", {"StudyDescription": "*HEAD"}, "2"),
    Asked("wild card: the middle", {"StudyDescription": "*100*"}, "1 3"),
    Asked("wild card: none is a sequence too", {"StudyDescription": "*MR HEAD*"}, "2"),
    Asked("wild card: any one character", {"AccessionNumber": "?1"}, "1 3 5"),
    Asked("wild card: a question mark is not none", {"AccessionNumber": "A1?"}, ""),
    Asked("wild card: several", {"StudyDescription": "C?*A*N*"}, "1"),
    Asked("wild card: case counts", {"StudyDescription": "CT a*"}, "3"),
    Asked("wild card: underscore is itself", {"PatientID": "P_*"}, "4"),
    Asked("wild card: percent sign is itself", {"StudyDescription": "*100%"}, "1"),
    Asked("wild card: a bracket is itself", {"StudyDescription": "[CM]*"}, ""),
    Asked("wild card: what is absent does not match", {"AccessionNumber": "*1"}, "1 3 5"),
    Asked("wild card: not in a UID", {"StudyInstanceUID": f"{ROOT}.?"}, ""),
    # C.2.2.2.5 Range Matching
    Asked("dates: both ends are in it", {"StudyDate": "20240101-20240115"}, "1 5 6"),
    Asked("dates: from", {"StudyDate": "20240115-"}, "2 5 6"),
    Asked("dates: to", {"StudyDate": "-20240101"}, "1 3"),
    Asked("dates: what is absent is in none", {"StudyDate": "19000101-"}, "1 2 3 5 6"),
    Asked("dates: the first after the last", {"StudyDate": "20240229-20240101"}, ""),
    Asked("times: both ends are in it", {"StudyTime": "0800-180000"}, "1 2 5 6"),
    Asked("times: from", {"StudyTime": "1200-"}, "2 3 6"),
    Asked("times: to", {"StudyTime": "-080000"}, "5"),
    Asked("times: the end is the whole minute", {"StudyTime": "1000-1015"}, "1"),
    Asked("date and time by themselves", {"StudyDate": "20240101-20240229", "StudyTime": "1000-1200"}, "1 6"),
    Asked(
        "date and time as one instant",
        {"StudyDate": "20240101-20240229", "StudyTime": "1000-1200"},
        "1 5 6",
        extended=COMBINED,
    ),
    # C.2.2.2.6 Sequence Matching
    Asked("sequence: an item that matches is enough", {"ProcedureCodeSequence": [{"CodeValue": "C2"}]}, "1"),
    Asked(
        "sequence: all keys in one item",
        {"ProcedureCodeSequence": [{"CodeValue": "C1", "CodingSchemeDesignator": "99ELSE"}]},
        "5",
    ),
    Asked("sequence: a wild card", {"ProcedureCodeSequence": [{"CodeMeaning": "*abdomen"}]}, "1"),
    Asked(
        "sequence: text in kanji",
        {"SpecificCharacterSet": KANJI, "ProcedureCodeSequence": [{"CodeMeaning": "検?"}]},
        "5",
    ),
    Asked(
        "sequence: with another key",
        {"ProcedureCodeSequence": [{"CodeValue": "C1"}], "PatientID": "P*"},
        "1 5",
    ),
    Asked("sequence: what is absent does not match", {"ProcedureCodeSequence": [{"CodeValue": "?*"}]}, "1 5"),
    Asked("sequence: universal, without an item", {"ProcedureCodeSequence": []}, ALL),
    Asked("sequence: universal, an item without keys", {"ProcedureCodeSequence": [{}]}, ALL),
    Asked("sequence: universal, keys without values", {"ProcedureCodeSequence": [{"CodeValue": ""}]}, ALL),
    Asked(
        "sequence: of a series",
        {
            "StudyInstanceUID": study(1),
            "RequestAttributesSequence": [{"ScheduledProcedureStepID": "S3", "RequestedProcedureID": "R1"}],
        },
        "1.2",
        "SERIES",
    ),
    # person names
    Asked("name: case does not count", {"PatientName": "doe^jane"}, "1 2"),
    Asked("name: all of it", {"PatientName": "DOE"}, ""),
    Asked("name: its beginning", {"PatientName": "DOE*"}, "1 2 3"),
    Asked("name: across components", {"PatientName": "D*^J*"}, "1 2 3"),
    Asked("name: components left empty", {"PatientName": "DOE^JANE^^^"}, "1 2"),
    Asked("name: the alphabetic group of three", {"PatientName": "Yamada^Tarou"}, "5"),
    Asked(
        "name: the ideographic group alone", {"SpecificCharacterSet": KANJI, "PatientName": "山田^太郎"}, "5"
    ),
    Asked("name: the phonetic group alone", {"SpecificCharacterSet": KANJI, "PatientName": "やまだ*"}, "5"),
    Asked("name: a group in its place", {"SpecificCharacterSet": KANJI, "PatientName": "=山田^太郎"}, "5"),
    Asked(
        "name: a group in another's place",
        {"SpecificCharacterSet": KANJI, "PatientName": "=やまだ^たろう"},
        "",
    ),
    Asked("name: in Latin 1", {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "müller^jürgen"}, "4"),
    Asked(
        "name: in UTF-8, stored in Latin 1",
        {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "MÜLLER*"},
        "4",
    ),
    Asked(
        "name: in Latin 2, stored in UTF-8",
        {"SpecificCharacterSet": "ISO_IR 101", "PatientName": "łoś^ala"},
        "6",
    ),
    Asked("text in kanji", {"SpecificCharacterSet": KANJI, "StudyDescription": "検*"}, "5"),
    # the levels, and what is reckoned from those below
    Asked("patients", {"PatientID": "", "PatientName": "DOE*"}, "P1 P2", "PATIENT", PATIENT_ROOT),
    Asked("patients: one answer each", {"PatientID": ""}, "P1 P2 P6 PX4 P_4", "PATIENT", PATIENT_ROOT),
    Asked("studies of a patient", {"PatientID": "P1"}, "1 2", "STUDY", PATIENT_ROOT),
    Asked("series of a study", {"StudyInstanceUID": study(1)}, "1.1 1.2 1.3", "SERIES"),
    Asked(
        "series by their attributes", {"StudyInstanceUID": study(1), "Modality": "CT"}, "1.1 1.2", "SERIES"
    ),
    Asked(
        "objects of a series",
        {"StudyInstanceUID": study(1), "SeriesInstanceUID": study("1.1")},
        "1.1.1 1.1.2 1.1.3",
        "IMAGE",
    ),
    Asked(
        "objects by their number",
        {"StudyInstanceUID": study(1), "SeriesInstanceUID": study("1.1"), "InstanceNumber": 2},
        "1.1.2",
        "IMAGE",
    ),
    Asked(
        "a series of another study",
        {"StudyInstanceUID": study(2), "SeriesInstanceUID": study("1.1")},
        "",
        "IMAGE",
    ),
    Asked("modalities in study", {"ModalitiesInStudy": "OT"}, "1"),
    Asked("modalities in study: one of several", {"ModalitiesInStudy": ["MR", "OT"]}, "1 2 4 6"),
    Asked("modalities in study: a wild card", {"ModalitiesInStudy": "C*"}, "1 3 5"),
    Asked("SOP Classes in study", {"SOPClassesInStudy": [SC, CT]}, "1 3 5"),
    # relational queries
    Asked(
        "relational: series of all studies",
        {"Modality": "CT"},
        "1.1 1.2 3.1 5.1",
        "SERIES",
        extended=RELATIONAL,
    ),
    Asked(
        "relational: by a patient's name",
        {"PatientName": "DOE^JANE", "Modality": "CT"},
        "1.1 1.2",
        "SERIES",
        extended=RELATIONAL,
    ),
    Asked(
        "relational: an object by its UID alone",
        {"SOPInstanceUID": study("2.1.2")},
        "2.1.2",
        "IMAGE",
        extended=RELATIONAL,
    ),
]


class Refused(NamedTuple):
    """A query that is not performed."""

    name: str
    keys: dict[str, Any]
    status: int
    level: str = "STUDY"
    model: str = STUDY_ROOT

    identifier = Asked.identifier


REFUSED = [
    Refused("no level of the model", {}, 0xA900, "PATIENT"),
    Refused("series without a study", {}, 0xA900, "SERIES"),
    Refused("series of a list of studies", {"StudyInstanceUID": [study(1), study(2)]}, 0xA900, "SERIES"),
    Refused("objects without a series", {"StudyInstanceUID": study(1)}, 0xA900, "IMAGE"),
    Refused("studies of no patient", {"PatientID": ""}, 0xA900, "STUDY", PATIENT_ROOT),
    Refused("studies of patients with a wild card", {"PatientID": "P*"}, 0xA900, "STUDY", PATIENT_ROOT),
    Refused("two items in a sequence", {"ProcedureCodeSequence": [CT_CODE, SC_CODE]}, 0xA900),
]
