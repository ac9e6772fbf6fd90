"""The statuses that SDCC answers with."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """(0000,0900): PS3.7 Annex C, and for C-STORE PS3.4 B.2.3.

    Peers may answer with others: a status that was received stays an `int`.
    """

    #: PS3.7 C.1.1: performed.
    SUCCESS = 0x0000
    #: PS3.7 C.5: a general failure; here, a fault of the program.
    PROCESSING_FAILURE = 0x0110
    #: PS3.7 C.5: the SOP Instance UID breaks the rules of UIDs.
    INVALID_SOP_INSTANCE = 0x0117
    #: PS3.7 C.5: the SOP Class is not one of this Presentation Context.
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    #: PS3.7 C.5: the calling AE may not do this.
    NOT_AUTHORIZED = 0x0124
    #: PS3.7 C.5: the command is not one that is performed here.
    UNRECOGNIZED_OPERATION = 0x0211
    #: PS3.4 B.2.3, A7xx: disk or index cannot take the object now.
    OUT_OF_RESOURCES = 0xA700
    #: PS3.4 B.2.3, A9xx: the Data Set is not the object that the command announced.
    DATA_SET_DOES_NOT_MATCH = 0xA900
    #: PS3.4 B.2.3, Cxxx: the Data Set cannot be parsed as far as it must be.
    CANNOT_UNDERSTAND = 0xC000
