"""The numbers that the DICOM Upper Layer protocol gives to things.

Nothing here knows how they are written into bytes. A peer may send a number that the standard has
no name for: :func:`named` lets it stay a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import TypeVar

Code = TypeVar("Code", bound=IntEnum)


def named(codes: type[Code], value: int) -> Code | int:
    """The member of `codes` that has this value, or the value itself where none has."""
    try:
        return codes(value)
    except ValueError:
        return value


class PDUType(IntEnum):
    """PS3.8 9.3.2 to 9.3.8: the first byte of a PDU."""

    #: Asks for an association.
    A_ASSOCIATE_RQ = 0x01
    #: Accepts it.
    A_ASSOCIATE_AC = 0x02
    #: Rejects it.
    A_ASSOCIATE_RJ = 0x03
    #: Carries Presentation Data Values.
    P_DATA_TF = 0x04
    #: Asks for the association's release.
    A_RELEASE_RQ = 0x05
    #: Agrees to it.
    A_RELEASE_RP = 0x06
    #: Ends the association at once.
    A_ABORT = 0x07


class ItemType(IntEnum):
    """PS3.8 9.3.2, 9.3.3 and Annex D, PS3.7 D.3.3: the first byte of an item or sub-item."""

    #: PS3.8 9.3.2.1.
    APPLICATION_CONTEXT = 0x10
    #: In an A-ASSOCIATE-RQ, PS3.8 9.3.2.2.
    PRESENTATION_CONTEXT_RQ = 0x20
    #: In an A-ASSOCIATE-AC, PS3.8 9.3.3.2.
    PRESENTATION_CONTEXT_AC = 0x21
    #: Within a Presentation Context, PS3.8 9.3.2.2.1.
    ABSTRACT_SYNTAX = 0x30
    #: Within a Presentation Context, PS3.8 9.3.2.2.2.
    TRANSFER_SYNTAX = 0x40
    #: PS3.8 9.3.2.3; the sub-items below lie within it.
    USER_INFORMATION = 0x50
    #: PS3.8 D.1.
    MAXIMUM_LENGTH = 0x51
    #: PS3.7 D.3.3.2.
    IMPLEMENTATION_CLASS_UID = 0x52
    #: PS3.7 D.3.3.3.
    ASYNCHRONOUS_OPERATIONS_WINDOW = 0x53
    #: PS3.7 D.3.3.4.
    ROLE_SELECTION = 0x54
    #: PS3.7 D.3.3.2.
    IMPLEMENTATION_VERSION_NAME = 0x55
    #: PS3.7 D.3.3.5.
    SOP_CLASS_EXTENDED_NEGOTIATION = 0x56
    #: PS3.7 D.3.3.6.
    SOP_CLASS_COMMON_EXTENDED_NEGOTIATION = 0x57
    #: In an A-ASSOCIATE-RQ, PS3.7 D.3.3.7.
    USER_IDENTITY_RQ = 0x58
    #: In an A-ASSOCIATE-AC, PS3.7 D.3.3.7.
    USER_IDENTITY_AC = 0x59


class ContextResult(IntEnum):
    """PS3.8 9.3.3.2: what became of a proposed Presentation Context."""

    #: The one value with which the Transfer Syntax beside it is significant.
    ACCEPTANCE = 0
    #: The service-user does not want it.
    USER_REJECTION = 1
    #: The service-provider does not want it and does not say why.
    NO_REASON = 2
    #: The Abstract Syntax is not supported.
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    #: None of the Transfer Syntaxes is supported.
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


class UserIdentityType(IntEnum):
    """PS3.7 D.3.3.7: what the fields of a user identity hold."""

    #: Primary: the user name, in UTF-8.
    USERNAME = 1
    #: Primary: the user name, secondary: the passcode, in UTF-8.
    USERNAME_AND_PASSCODE = 2
    #: Primary: a Kerberos service ticket.
    KERBEROS = 3
    #: Primary: a SAML assertion.
    SAML = 4
    #: Primary: a JSON Web Token.
    JSON_WEB_TOKEN = 5


class RejectResult(IntEnum):
    """PS3.8 9.3.4: whether asking again may help."""

    #: It does not.
    REJECTED_PERMANENT = 1
    #: It may.
    REJECTED_TRANSIENT = 2


class RejectSource(IntEnum):
    """PS3.8 9.3.4: who rejects; it decides what the reason means."""

    #: With a :class:`RejectReasonUser`.
    SERVICE_USER = 1
    #: The ACSE related function, with a :class:`RejectReasonACSE`.
    SERVICE_PROVIDER_ACSE = 2
    #: The presentation related function, with a :class:`RejectReasonPresentation`.
    SERVICE_PROVIDER_PRESENTATION = 3


class RejectReasonUser(IntEnum):
    """PS3.8 9.3.4: reasons of the service-user."""

    #: No reason is given.
    NO_REASON_GIVEN = 1
    #: The application context name is not supported.
    APPLICATION_CONTEXT_NAME_NOT_SUPPORTED = 2
    #: The calling AE title is not recognized.
    CALLING_AE_TITLE_NOT_RECOGNIZED = 3
    #: The called AE title is not recognized.
    CALLED_AE_TITLE_NOT_RECOGNIZED = 7


class RejectReasonACSE(IntEnum):
    """PS3.8 9.3.4: reasons of the service-provider's ACSE related function."""

    #: No reason is given.
    NO_REASON_GIVEN = 1
    #: Bit 0 of the protocol version is not set.
    PROTOCOL_VERSION_NOT_SUPPORTED = 2


class RejectReasonPresentation(IntEnum):
    """PS3.8 9.3.4: reasons of the service-provider's presentation related function."""

    #: For a while there is too much to do.
    TEMPORARY_CONGESTION = 1
    #: As many associations are open as may be.
    LOCAL_LIMIT_EXCEEDED = 2


class AbortSource(IntEnum):
    """PS3.8 9.3.8: who aborts."""

    #: The reason is then not significant, and 0.
    SERVICE_USER = 0
    #: With an :class:`AbortReason`.
    SERVICE_PROVIDER = 2


class AbortReason(IntEnum):
    """PS3.8 9.3.8: why the service-provider aborts."""

    #: None of the others.
    REASON_NOT_SPECIFIED = 0
    #: The PDU's type is none of the seven.
    UNRECOGNIZED_PDU = 1
    #: The PDU does not belong here and now.
    UNEXPECTED_PDU = 2
    #: A field or item of the PDU is none of the standard's.
    UNRECOGNIZED_PDU_PARAMETER = 4
    #: A field or item of the PDU does not belong there, or comes twice.
    UNEXPECTED_PDU_PARAMETER = 5
    #: A field or item of the PDU holds what it may not hold.
    INVALID_PDU_PARAMETER_VALUE = 6


#: What the reason of an A-ASSOCIATE-RJ means, by its source.
REJECT_REASONS: Mapping[int, type[IntEnum]] = MappingProxyType(
    {
        RejectSource.SERVICE_USER: RejectReasonUser,
        RejectSource.SERVICE_PROVIDER_ACSE: RejectReasonACSE,
        RejectSource.SERVICE_PROVIDER_PRESENTATION: RejectReasonPresentation,
    }
)
