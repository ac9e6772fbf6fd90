"""The numbers, against a second copy typed from PS3.8 9.3 and PS3.7 D.3.3."""

from __future__ import annotations

from enum import IntEnum

import pytest

from sdcc.upper_layer import codes

STANDARD: dict[type[IntEnum], str] = {
    codes.PDUType: (
        "01 a-associate-rq, 02 a-associate-ac, 03 a-associate-rj, 04 p-data-tf, "
        "05 a-release-rq, 06 a-release-rp, 07 a-abort"
    ),
    codes.ItemType: (
        "10 application-context, 20 presentation-context-rq, 21 presentation-context-ac, "
        "30 abstract-syntax, 40 transfer-syntax, 50 user-information, 51 maximum-length, "
        "52 implementation-class-uid, 53 asynchronous-operations-window, 54 role-selection, "
        "55 implementation-version-name, 56 sop-class-extended-negotiation, "
        "57 sop-class-common-extended-negotiation, 58 user-identity-rq, 59 user-identity-ac"
    ),
    codes.ContextResult: (
        "00 acceptance, 01 user-rejection, 02 no-reason, 03 abstract-syntax-not-supported, "
        "04 transfer-syntaxes-not-supported"
    ),
    codes.UserIdentityType: "01 username, 02 username-and-passcode, 03 kerberos, 04 saml, 05 json-web-token",
    codes.RejectResult: "01 rejected-permanent, 02 rejected-transient",
    codes.RejectSource: "01 service-user, 02 service-provider-acse, 03 service-provider-presentation",
    codes.RejectReasonUser: (
        "01 no-reason-given, 02 application-context-name-not-supported, "
        "03 calling-ae-title-not-recognized, 07 called-ae-title-not-recognized"
    ),
    codes.RejectReasonACSE: "01 no-reason-given, 02 protocol-version-not-supported",
    codes.RejectReasonPresentation: "01 temporary-congestion, 02 local-limit-exceeded",
    codes.AbortSource: "00 service-user, 02 service-provider",
    codes.AbortReason: (
        "00 reason-not-specified, 01 unrecognized-pdu, 02 unexpected-pdu, 04 unrecognized-pdu-parameter, "
        "05 unexpected-pdu-parameter, 06 invalid-pdu-parameter-value"
    ),
}


@pytest.mark.parametrize("kind", STANDARD, ids=lambda kind: kind.__name__)
def test_members_are_the_standards(kind: type[IntEnum]) -> None:
    members = ", ".join(f"{member:02x} {member.name.lower().replace('_', '-')}" for member in kind)
    assert members == STANDARD[kind]


def test_named_finds_the_member() -> None:
    assert codes.named(codes.AbortReason, 6) is codes.AbortReason.INVALID_PDU_PARAMETER_VALUE


def test_named_leaves_a_number_that_the_standard_does_not_have() -> None:
    code = codes.named(codes.AbortReason, 3)
    assert code == 3
    assert type(code) is int
