"""The Storage SOP Classes that the standard defines, for `additional_sop_classes`.

They are PS3.4 Annex B's, the retired ones included, because archives and old modalities go on
sending them. Objects without a patient (PS3.4 Annex GG: hanging protocols, color palettes, implant
templates, defined procedure protocols, inventories) are not among them, nor is Media Storage
Directory Storage, Storage Commitment, anything of Print Management, or what other bodies
define under DICOM's root (DICOS, DICONDE): a study of a patient is what SDCC keeps.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType

from pydicom._uid_dict import UID_dictionary  # the dictionary has no public name

from sdcc.conformance import NO_NAME, SOPClass, storage_class

_STORAGE_ROOTS = ("1.2.840.10008.5.1.4.1.1.", "1.2.840.10008.5.1.4.34.")
#: PS3.4 GG.3, those that share a root with objects of a patient.
_WITHOUT_PATIENT = frozenset(
    _STORAGE_ROOTS[0] + suffix
    for suffix in (
        "200.1",  # CT Defined Procedure Protocol
        "200.3",  # Protocol Approval
        "200.7",  # XA Defined Procedure Protocol
        "201.1",  # Inventory
    )
)
#: Of the standard, but not of the dictionary of pydicom 3.0.
_NOT_IN_DICTIONARY = {
    _STORAGE_ROOTS[0] + "9.100.1": "Waveform Presentation State Storage",
    _STORAGE_ROOTS[0] + "9.100.2": "Waveform Acquisition Presentation State Storage",
    _STORAGE_ROOTS[0] + "66.7": "Label Map Segmentation Storage",
    _STORAGE_ROOTS[0] + "66.8": "Height Map Segmentation Storage",
}
_SHORT = re.compile(r"\b[A-Z]{2,5}\b")


@functools.cache
def standard_storage_classes() -> Mapping[str, SOPClass]:
    """UID to SOP Class. Each takes the nine Transfer Syntaxes of the statement."""
    names = _NOT_IN_DICTIONARY | {
        uid: name + " (Retired)" * (retired == "Retired")
        for uid, (name, type_, info, retired, _) in UID_dictionary.items()
        if type_ == "SOP Class"
        and uid.startswith(_STORAGE_ROOTS)
        and "Storage" in name
        and not info
        and uid not in _WITHOUT_PATIENT
    }
    return MappingProxyType({uid: storage_class(uid, name, _short(name)) for uid, name in names.items()})


def other_name(uid: str) -> str | None:
    """The name of a UID that the standard defines as something else than a Storage SOP Class."""
    if uid in standard_storage_classes() or uid not in UID_dictionary:
        return None
    return UID_dictionary[uid][0]


def private_storage_class(uid: str) -> SOPClass:
    """A Storage SOP Class that the dictionary does not know, of a manufacturer or a newer standard."""
    return storage_class(uid, NO_NAME, "OT")


def _short(name: str) -> str:
    found = _SHORT.search(name)
    return found[0] if found else "OT"
