"""The attributes of a Data Set as SDCC and as pydicom read them, in one form."""

from __future__ import annotations

import contextlib
import json

import pydicom
from pydicom.datadict import keyword_for_tag

from sdcc.indexed import ATTRIBUTES, ITEM_ATTRIBUTES
from sdcc.interfaces import Instance, Series, Study


def fields(parsed):
    """Every attribute that was found, by keyword."""
    levels = {Study: parsed.study, Series: parsed.series, Instance: parsed.instance}
    found = {
        keyword_for_tag(tag): getattr(levels[level], field) for tag, (level, field, _) in ATTRIBUTES.items()
    }
    return {keyword: value for keyword, value in found.items() if value is not None}


def wanted(data_set):
    """Of pydicom's Data Set the same attributes, in the index's types."""
    return {
        keyword_for_tag(tag): value
        for tag in ATTRIBUTES
        if tag in data_set and (value := converted(data_set[tag])) is not None
    }


def converted(element):
    if element.VR == "SQ":
        return converted_items(element)
    values = element.value if element.VM > 1 else [element.value]
    if element.VR in ("DA", "TM"):
        with contextlib.suppress(ValueError):
            return getattr(pydicom.valuerep, element.VR)(values[0])
    if element.VR in ("IS", "US"):
        return values[0]
    return "\\".join(str(value).strip(" ") for value in values if value is not None) or None


def converted_items(sequence):
    """Of each item what the index holds of it."""
    items = [
        {
            name: value
            for tag, (name, _) in ITEM_ATTRIBUTES[sequence.tag].items()
            if tag in item and (value := converted(item[tag])) is not None
        }
        for item in sequence.value
    ]
    kept = [item for item in items if item]
    return json.dumps(kept, ensure_ascii=False) if kept else None
