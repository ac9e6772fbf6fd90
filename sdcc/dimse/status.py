"""The statuses that SDCC answers with."""

from __future__ import annotations

from enum import IntEnum

#: Of peers, besides Bxxx: attributes that were not known, or out of their range (PS3.7 Annex C).
_WARNINGS = frozenset({0x0001, 0x0107, 0x0116})


class Status(IntEnum):
    """(0000,0900): PS3.7 Annex C, for C-STORE PS3.4 B.2.3, for Query/Retrieve PS3.4 C.4.

    Peers may answer with others: a status that was received stays an `int`.
    """

    #: PS3.7 C.1.1: performed.
    SUCCESS = 0x0000
    #: PS3.7 C.5: a general failure; here, a fault of the program.
    PROCESSING_FAILURE = 0x0110
    #: PS3.7 C.5: the N-ACTION's SOP Instance is not the one that the service knows.
    NO_SUCH_SOP_INSTANCE = 0x0112
    #: PS3.7 C.5: a value is none that is allowed, or absent; here, in the N-ACTION's Data Set.
    INVALID_ARGUMENT_VALUE = 0x0115
    #: PS3.7 C.5: the SOP Instance UID breaks the rules of UIDs.
    INVALID_SOP_INSTANCE = 0x0117
    #: PS3.7 C.5: of N-ACTION and its likes: the SOP Class is not one of this Presentation Context.
    NO_SUCH_SOP_CLASS = 0x0118
    #: PS3.7 C.5: of C-STORE and its likes: the SOP Class is not one of this Presentation Context.
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    #: PS3.7 C.5: the N-EVENT-REPORT or N-ACTION is of a type that there is not.
    NO_SUCH_ACTION = 0x0123
    #: PS3.7 C.5: the calling AE may not do this.
    NOT_AUTHORIZED = 0x0124
    #: PS3.7 C.5: the command is not one that is performed here.
    UNRECOGNIZED_OPERATION = 0x0211
    #: PS3.7 C.5: what the N-ACTION asks for cannot be taken on at present.
    RESOURCE_LIMITATION = 0x0213
    #: PS3.4 B.2.3, A7xx: disk or index cannot take the object now.
    OUT_OF_RESOURCES = 0xA700
    #: PS3.4 C.4.1.1.4: the index cannot answer now. C-MOVE and C-GET: matches cannot be counted.
    UNABLE_TO_CALCULATE_MATCHES = 0xA701
    #: PS3.4 C.4.2.1.5: no sub-operation could be performed.
    UNABLE_TO_PERFORM_SUB_OPERATIONS = 0xA702
    #: PS3.4 C.4.2.1.5: no such Move Destination.
    MOVE_DESTINATION_UNKNOWN = 0xA801
    #: PS3.4 B.2.3, A9xx: the Data Set is not the object that the command announced.
    DATA_SET_DOES_NOT_MATCH = 0xA900
    #: PS3.4 C.4.1.1.4: the Identifier does not match the SOP Class (level, unique keys).
    IDENTIFIER_DOES_NOT_MATCH = 0xA900
    #: PS3.4 C.4.2.1.5: sub-operations complete, one or more failures or warnings.
    SUB_OPERATIONS_WITH_FAILURES = 0xB000
    #: PS3.4 B.2.3, Cxxx: the Data Set cannot be parsed as far as it must be.
    CANNOT_UNDERSTAND = 0xC000
    #: PS3.4 C.4.1.1.4: ended by a C-CANCEL-RQ.
    CANCEL = 0xFE00
    #: PS3.4 C.4.1.1.4: one of several responses, all keys supported as required.
    PENDING = 0xFF00
    #: PS3.4 C.4.1.1.4: like PENDING; one or more optional keys were not supported.
    PENDING_WITH_UNSUPPORTED_KEYS = 0xFF01


def is_warning(status: int) -> bool:
    """Whether it was done all the same (PS3.7 Annex C)."""
    return status >> 12 == 0xB or status in _WARNINGS
