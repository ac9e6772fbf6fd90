"""Why a Data Set cannot be converted."""

from __future__ import annotations


class CannotEncode(Exception):
    """What is stored cannot be said in the other Transfer Syntax; the text has no value of the Data Set."""
