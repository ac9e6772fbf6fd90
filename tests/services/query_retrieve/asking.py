"""Identifiers made by hand, and what is read out of them."""

from __future__ import annotations

import struct

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword

from sdcc import conformance
from sdcc.services.query_retrieve.identifiers import BadIdentifier
from sdcc.services.query_retrieve.questions import read_question
from sdcc.upper_layer.negotiation import PresentationContext

from ...interop.objects import element

EXPLICIT, IMPLICIT = conformance.EXPLICIT_VR_LITTLE_ENDIAN, conformance.IMPLICIT_VR_LITTLE_ENDIAN
PATIENT_ROOT, STUDY_ROOT = conformance.PATIENT_ROOT_FIND, conformance.STUDY_ROOT_FIND
RELATIONAL, COMBINED = b"\1", b"\0\1"


def context(model=STUDY_ROOT, *, syntax=EXPLICIT, extended=b""):
    return PresentationContext(id=1, abstract_syntax=model, transfer_syntax=syntax, extended=extended)


def identifier(keys, syntax=EXPLICIT):
    """The bytes of an Identifier; keys by keyword, or (tag, VR), in any order.

    A value is text or bytes. Keyword `level` is the Query/Retrieve Level.
    """
    found = {}
    for key, value in keys.items():
        keyword = "QueryRetrieveLevel" if key == "level" else key
        tag, vr = (
            keyword if isinstance(keyword, tuple) else (tag_for_keyword(keyword), dictionary_VR(keyword))
        )
        found[tag] = (vr, value)
    return b"".join(_element(tag, *found[tag], syntax) for tag in sorted(found))


def _element(tag, vr, value, syntax):
    explicit = element(tag >> 16, tag & 0xFFFF, vr, value)
    if syntax == EXPLICIT:
        return explicit
    value = explicit[12 if vr in ("OB", "OW", "SQ", "UN", "UT") else 8 :]
    return explicit[:4] + struct.pack("<L", len(value)) + value


def ask(keys, *, model=STUDY_ROOT, syntax=EXPLICIT, extended=b""):
    """What a C-FIND with these keys asks."""
    return read_question(identifier(keys, syntax), context(model, syntax=syntax, extended=extended))


def refused(keys, **options):
    """Why a C-FIND with these keys is not performed."""
    with pytest.raises(BadIdentifier) as raised:
        ask(keys, **options)
    return raised.value


def conditions(question):
    """How each field must match."""
    return {condition.field: condition.matching for condition in question.query.conditions}
