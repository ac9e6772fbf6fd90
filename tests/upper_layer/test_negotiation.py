"""Which Presentation Contexts are accepted, with what, and what both sides then have."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from sdcc import conformance
from sdcc.conformance import sop_classes
from sdcc.upper_layer.codes import AbortReason, ContextResult
from sdcc.upper_layer.encoding import UnknownItem
from sdcc.upper_layer.errors import PeerError
from sdcc.upper_layer.items import (
    AnsweredContext,
    AsynchronousOperationsWindow,
    ImplementationClassUID,
    ImplementationVersionName,
    MaximumLength,
    ProposedContext,
    RoleSelection,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityRequest,
)
from sdcc.upper_layer.negotiation import PresentationContext, accept, accepted_contexts
from sdcc.upper_layer.pdu import AssociateAC, AssociateRQ, decode

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
WORKLIST = "1.2.840.10008.5.1.4.31"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
#: The statement's nine, typed again.
NINE = {
    IMPLICIT,
    EXPLICIT,
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    JPEG_LOSSLESS,
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.5",
}

ACCEPTANCE = ContextResult.ACCEPTANCE
NO_ABSTRACT_SYNTAX = ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED
NO_TRANSFER_SYNTAX = ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED


def context(context_id: int, abstract_syntax: str, *transfer_syntaxes: str) -> ProposedContext:
    return ProposedContext(
        id=context_id, abstract_syntax=abstract_syntax, transfer_syntaxes=transfer_syntaxes
    )


def request(*contexts: ProposedContext, **fields: Any) -> AssociateRQ:
    given = {
        "called_ae_title": "SDCC            ",
        "calling_ae_title": "CT01            ",
        "application_context_name": "1.2.840.10008.3.1.1.1",
    }
    return AssociateRQ(presentation_contexts=contexts, **(given | fields))


def answer(*contexts: AnsweredContext) -> AssociateAC:
    return AssociateAC(
        called_ae_title="",
        calling_ae_title="",
        application_context_name="1.2.840.10008.3.1.1.1",
        presentation_contexts=contexts,
    )


def accepted(request: AssociateRQ, *services: str) -> AssociateAC:
    return accept(request, sop_classes(), maximum_length=16_384, services=frozenset(services))


# --- contexts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proposed", "result", "transfer_syntax"),
    [
        (context(1, VERIFICATION, IMPLICIT), ACCEPTANCE, IMPLICIT),
        (context(1, VERIFICATION, EXPLICIT, IMPLICIT), ACCEPTANCE, IMPLICIT),
        (context(1, VERIFICATION, EXPLICIT), NO_TRANSFER_SYNTAX, ""),
        (context(1, CT, EXPLICIT, IMPLICIT), ACCEPTANCE, EXPLICIT),
        (context(1, CT, IMPLICIT, EXPLICIT), ACCEPTANCE, IMPLICIT),
        (context(1, CT, DEFLATED, JPEG_LOSSLESS, IMPLICIT), ACCEPTANCE, JPEG_LOSSLESS),
        (context(1, CT, DEFLATED), NO_TRANSFER_SYNTAX, ""),
        (context(1, CT), NO_TRANSFER_SYNTAX, ""),
        (context(1, WORKLIST, IMPLICIT), NO_ABSTRACT_SYNTAX, ""),
        (context(1, WORKLIST, DEFLATED), NO_ABSTRACT_SYNTAX, ""),
        (context(1, "", IMPLICIT), NO_ABSTRACT_SYNTAX, ""),
        (context(1, "not a UID", IMPLICIT), NO_ABSTRACT_SYNTAX, ""),
        (context(255, CT, IMPLICIT), ACCEPTANCE, IMPLICIT),
    ],
)
def test_the_first_supported_transfer_syntax_in_the_requestors_order(
    proposed: ProposedContext, result: ContextResult, transfer_syntax: str
) -> None:
    (given,) = accepted(request(proposed)).presentation_contexts
    assert given == AnsweredContext(id=proposed.id, result=result, transfer_syntax=transfer_syntax)


def test_every_class_takes_its_transfer_syntaxes_and_no_other() -> None:
    """Verification takes Implicit VR Little Endian alone, each storage class all nine, the others two."""
    classes = sop_classes()
    assert len(classes) == 38
    allowed_of = {"verification": {IMPLICIT}, "storage": NINE}
    for (uid, sop_class), transfer_syntax in itertools.product(classes.items(), NINE | {DEFLATED}):
        allowed = allowed_of.get(sop_class.service, {IMPLICIT, EXPLICIT})
        (given,) = accepted(request(context(1, uid, transfer_syntax))).presentation_contexts
        assert given.result == (ACCEPTANCE if transfer_syntax in allowed else NO_TRANSFER_SYNTAX)


def test_additional_classes_are_accepted_as_the_others() -> None:
    additional = conformance.storage_class("1.2.3", "Private Storage", "XX")
    asked = request(context(1, "1.2.3", JPEG_LOSSLESS))
    (given,) = accept(asked, sop_classes([additional]), maximum_length=0).presentation_contexts
    assert given.result == ACCEPTANCE


def test_each_context_is_answered_on_its_own() -> None:
    """The same Abstract Syntax may be proposed several times; the answers keep the order."""
    asked = request(
        context(5, CT, JPEG_LOSSLESS),
        context(1, CT, IMPLICIT),
        context(9, CT, DEFLATED),
        context(3, WORKLIST, IMPLICIT),
    )
    results = [(c.id, c.result) for c in accepted(asked).presentation_contexts]
    assert results == [(5, ACCEPTANCE), (1, ACCEPTANCE), (9, NO_TRANSFER_SYNTAX), (3, NO_ABSTRACT_SYNTAX)]


def test_a_request_of_no_contexts_gets_an_answer_of_none() -> None:
    assert accepted(request()).presentation_contexts == ()


def test_every_id_there_is_can_be_answered() -> None:
    asked = request(*(context(number, CT, IMPLICIT) for number in range(1, 256, 2)))
    given = accepted(asked)
    assert len(accepted_contexts(asked, given)) == 128
    assert decode(2, given.encode()[6:]) == given


# --- the rest of the answer ----------------------------------------------------------------


def test_what_the_request_says_of_itself_comes_back_unchanged() -> None:
    """PS3.8 9.3.3, and both spellings of the application context."""
    asked = request(
        called_ae_title="  SDCC          ",
        calling_ae_title="CT\xe901" + "\0" * 11,
        reserved=bytes(range(32)),
        application_context_name="1.2.840.1008.3.1.1.1",
        protocol_version=3,
    )
    given = accepted(asked)
    assert given.called_ae_title == asked.called_ae_title
    assert given.calling_ae_title == asked.calling_ae_title
    assert given.reserved == asked.reserved
    assert given.application_context_name == "1.2.840.1008.3.1.1.1"
    assert given.protocol_version == 1


def test_the_user_information_is_our_own_and_no_more() -> None:
    """Windows, extended negotiations and identities are not answered, nor are unknown items."""
    asked = request(
        context(1, CT, IMPLICIT),
        user_information=(
            MaximumLength(100),
            ImplementationClassUID("1.2"),
            ImplementationVersionName("PEER"),
            AsynchronousOperationsWindow(0, 0),
            SOPClassExtendedNegotiation(CT, b"\x02"),
            SOPClassCommonExtendedNegotiation(sop_class_uid=CT, service_class_uid="1.2.840.10008.4.2"),
            UserIdentityRequest(identity_type=1, positive_response_requested=True, primary=b"anna"),
            UnknownItem(0x5F, b"?"),
        ),
        unknown=(UnknownItem(0x60, b"?"),),
    )
    given = accept(asked, sop_classes(), maximum_length=16_384)
    assert given.user_information == (
        MaximumLength(16_384),
        ImplementationClassUID("1.2.392.100224.1.2002.100.5"),
        ImplementationVersionName("SDCC 1.1"),
    )
    assert given.unknown == ()


@pytest.mark.parametrize(
    ("proposed", "answered"),
    [
        ((True, True), (True, False)),
        ((False, True), (False, False)),
        ((True, False), (True, False)),
        ((False, False), (False, False)),
    ],
)
def test_the_requestor_may_be_the_scu_and_never_the_scp(
    proposed: tuple[bool, bool], answered: tuple[bool, bool]
) -> None:
    """PS3.7 D.3.3.4: what was not proposed is not accepted either."""
    scu, scp = proposed
    roles = given_roles(RoleSelection(sop_class_uid=CT, scu=scu, scp=scp))
    assert roles == [(CT, *answered)]


def given_roles(*proposed: RoleSelection, services: tuple[str, ...] = ()) -> list[tuple[str, bool, bool]]:
    asked = request(
        context(1, CT, IMPLICIT),
        context(3, MR, DEFLATED),
        context(5, WORKLIST, IMPLICIT),
        context(7, GET, IMPLICIT),
        user_information=proposed,
    )
    answered = accepted(asked, *services).user_information
    roles = [item for item in answered if isinstance(item, RoleSelection)]
    return [(role.sop_class_uid, role.scu, role.scp) for role in roles]


@pytest.mark.parametrize("scu", [False, True])
@pytest.mark.parametrize("scp", [False, True])
def test_who_may_retrieve_may_be_the_scp_of_what_is_stored(scu: bool, scp: bool) -> None:
    """So a C-GET gives it back; and the requestor is the SCU as well, if it proposes to be."""
    role = RoleSelection(sop_class_uid=CT, scu=scu, scp=scp)
    assert given_roles(role, services=("retrieve",)) == [(CT, scu, scp)]
    assert given_roles(role, services=("storage", "query", "commitment")) == [(CT, scu, False)]


def test_who_may_retrieve_is_the_scp_of_nothing_else() -> None:
    role = RoleSelection(sop_class_uid=GET, scu=True, scp=True)
    assert given_roles(role, services=("retrieve",)) == [(GET, True, False)]


@pytest.mark.parametrize("uid", [MR, WORKLIST, VERIFICATION, "1.2.3", ""])
def test_roles_are_answered_for_accepted_classes_only(uid: str) -> None:
    assert given_roles(RoleSelection(sop_class_uid=uid, scu=True, scp=True)) == []


@pytest.mark.parametrize(
    ("proposed", "taken"),
    [
        ([[JPEG_LOSSLESS, IMPLICIT, EXPLICIT]], [EXPLICIT]),
        ([[JPEG_LOSSLESS, IMPLICIT]], [IMPLICIT]),
        ([[JPEG_LOSSLESS, EXPLICIT], [JPEG_LOSSLESS, EXPLICIT]], [JPEG_LOSSLESS, EXPLICIT]),
        ([[JPEG_LOSSLESS, EXPLICIT], [IMPLICIT]], [JPEG_LOSSLESS, IMPLICIT]),
        ([[IMPLICIT, EXPLICIT]], [IMPLICIT]),
        ([[JPEG_LOSSLESS]], [JPEG_LOSSLESS]),
        ([[DEFLATED]], [""]),
    ],
)
def test_who_is_given_objects_gets_a_context_that_all_can_be_converted_for(
    proposed: list[list[str]], taken: list[str]
) -> None:
    """As many peers propose what they like best first, and in the same context what they take as well."""
    contexts = [context(2 * number + 1, CT, *uids) for number, uids in enumerate(proposed)]

    def answered(role: RoleSelection, *services: str) -> list[str]:
        asked = request(*contexts, user_information=(role,))
        given = accept(asked, sop_classes(), maximum_length=16384, services=frozenset(services))
        return [answer.transfer_syntax for answer in given.presentation_contexts]

    getting = RoleSelection(sop_class_uid=CT, scu=False, scp=True)
    storing = RoleSelection(sop_class_uid=CT, scu=True, scp=False)
    first = [uids[0] if uids[0] in NINE else "" for uids in proposed]
    assert answered(getting, "retrieve") == taken
    assert answered(getting, "storage") == answered(storing, "retrieve") == first


def test_no_roles_are_answered_that_were_not_proposed() -> None:
    assert given_roles() == []


def test_a_class_is_answered_one_role_however_often_it_was_proposed() -> None:
    """Or as many as a request can hold would not fit into the answer."""
    proposed = [RoleSelection(sop_class_uid=CT, scu=True, scp=True)] * 2_000
    assert given_roles(*proposed) == [(CT, True, False)]


# --- SOP Class Extended Negotiation --------------------------------------------------------


def given_extensions(*proposed: SOPClassExtendedNegotiation) -> list[SOPClassExtendedNegotiation]:
    asked = request(
        context(1, FIND, IMPLICIT),
        context(3, MOVE, EXPLICIT, IMPLICIT),
        context(5, GET, IMPLICIT),
        context(7, GET[:-1] + "1", DEFLATED),
        context(9, CT, IMPLICIT),
        user_information=proposed,
    )
    answered = accepted(asked).user_information
    return [item for item in answered if isinstance(item, SOPClassExtendedNegotiation)]


@pytest.mark.parametrize(
    ("uid", "proposed", "answered"),
    [
        (FIND, b"\1", b"\1"),
        (FIND, b"\0", b"\0"),
        (FIND, b"\1\1", b"\1\1"),
        (FIND, b"\0\1", b"\0\1"),
        (FIND, b"\1\1\1", b"\1\1\0"),
        (FIND, b"\1\1\1\1", b"\1\1\0\0"),
        (FIND, b"\1\1\1\1\1", b"\1\1\0\0\0"),
        (FIND, b"\1" * 60_000, b"\1\1\0\0\0"),
        (FIND, b"\2\xff", b"\0\1"),
        (MOVE, b"\1", b"\1"),
        (MOVE, b"\1\1\1", b"\1\0"),
        (GET, b"\0\1", b"\0\0"),
    ],
)
def test_of_what_is_proposed_that_is_answered_which_is_supported(
    uid: str, proposed: bytes, answered: bytes
) -> None:
    """PS3.4 C.5: relational queries and retrieval, and combined date-time matching; nothing else."""
    given = given_extensions(SOPClassExtendedNegotiation(uid, proposed))
    assert given == [SOPClassExtendedNegotiation(uid, answered)]


@pytest.mark.parametrize("uid", [CT, VERIFICATION, WORKLIST, "1.2.840.10008.5.1.4.1.2.1.1", ""])
def test_extended_negotiation_is_answered_for_accepted_classes_only_that_have_one(uid: str) -> None:
    assert given_extensions(SOPClassExtendedNegotiation(uid, b"\1\1")) == []


def test_nothing_proposed_is_nothing_answered() -> None:
    assert given_extensions() == []
    assert given_extensions(SOPClassExtendedNegotiation(FIND, b"")) == []


def test_a_class_is_answered_once_however_often_it_was_extended() -> None:
    proposed = [SOPClassExtendedNegotiation(FIND, b"\0\0"), SOPClassExtendedNegotiation(FIND, b"\1")]
    assert given_extensions(*proposed * 100) == [SOPClassExtendedNegotiation(FIND, b"\1")]


# --- what both sides have then -------------------------------------------------------------


def test_both_sides_have_the_same_contexts() -> None:
    asked = request(
        context(1, VERIFICATION, IMPLICIT), context(3, CT, JPEG_LOSSLESS), context(5, WORKLIST, IMPLICIT)
    )
    given = accepted(asked)
    received = decode(2, given.encode()[6:])
    assert isinstance(received, AssociateAC)
    expected = {
        1: PresentationContext(id=1, abstract_syntax=VERIFICATION, transfer_syntax=IMPLICIT),
        3: PresentationContext(id=3, abstract_syntax=CT, transfer_syntax=JPEG_LOSSLESS),
    }
    assert accepted_contexts(asked, given) == expected
    assert accepted_contexts(asked, received) == expected


def test_both_sides_have_the_same_roles_and_extensions() -> None:
    asked = request(
        context(1, CT, IMPLICIT),
        context(3, CT, JPEG_LOSSLESS),
        context(5, MR, IMPLICIT),
        context(7, FIND, IMPLICIT),
        context(9, GET, IMPLICIT),
        user_information=(
            RoleSelection(sop_class_uid=CT, scu=False, scp=True),
            SOPClassExtendedNegotiation(FIND, b"\1\0\1"),
        ),
    )
    given = accepted(asked, "retrieve")
    received = decode(2, given.encode()[6:])
    assert isinstance(received, AssociateAC)
    for found in (accepted_contexts(asked, given), accepted_contexts(asked, received)):
        roles = {number: (c.requestor_is_scu, c.requestor_is_scp) for number, c in found.items()}
        assert roles == {
            **{1: (False, True), 3: (False, True)},
            **{5: (True, False), 7: (True, False), 9: (True, False)},
        }
        assert {number: c.extended for number, c in found.items()} == {
            **{1: b"", 3: b"", 5: b"", 9: b""},
            7: b"\1\0\0",
        }


@pytest.mark.parametrize(
    ("proposed", "answered", "roles"),
    [
        (None, None, (True, False)),
        ((True, True), None, (True, False)),
        ((False, True), None, (True, False)),
        (None, (False, True), (True, False)),
        ((True, True), (True, True), (True, True)),
        ((True, True), (False, True), (False, True)),
        ((False, True), (True, True), (False, True)),
        ((True, False), (True, True), (True, False)),
        ((True, True), (False, False), (False, False)),
    ],
)
def test_a_role_is_had_if_it_was_proposed_and_accepted_and_else_the_default(
    proposed: tuple[bool, bool] | None, answered: tuple[bool, bool] | None, roles: tuple[bool, bool]
) -> None:
    """PS3.7 D.3.3.4; a peer that accepts what nobody proposed gives nothing away."""

    def items(role: tuple[bool, bool] | None) -> tuple[RoleSelection, ...]:
        return () if role is None else (RoleSelection(sop_class_uid=CT, scu=role[0], scp=role[1]),)

    asked = request(context(1, CT, IMPLICIT), user_information=items(proposed))
    given = replace(
        answer(AnsweredContext(id=1, result=0, transfer_syntax=IMPLICIT)), user_information=items(answered)
    )
    found = accepted_contexts(asked, given)[1]
    assert (found.requestor_is_scu, found.requestor_is_scp) == roles


@pytest.mark.parametrize(
    ("proposed", "answered", "agreed"),
    [((), (b"\1",), b""), ((b"\1",), (), b""), ((b"\1\1",), (b"\1\0",), b"\1\0")],
)
def test_what_was_not_proposed_is_not_agreed_on(
    proposed: tuple[bytes, ...], answered: tuple[bytes, ...], agreed: bytes
) -> None:
    def items(fields: tuple[bytes, ...]) -> tuple[SOPClassExtendedNegotiation, ...]:
        return tuple(SOPClassExtendedNegotiation(FIND, field) for field in fields)

    asked = request(context(1, FIND, IMPLICIT), user_information=items(proposed))
    given = replace(
        answer(AnsweredContext(id=1, result=0, transfer_syntax=IMPLICIT)), user_information=items(answered)
    )
    assert accepted_contexts(asked, given)[1].extended == agreed


ASKED = request(context(1, CT, EXPLICIT, IMPLICIT), context(3, MR, IMPLICIT))


@pytest.mark.parametrize(
    ("results", "ids"),
    [
        ((), set()),
        ((AnsweredContext(id=3, result=0, transfer_syntax=IMPLICIT),), {3}),
        (
            (
                AnsweredContext(id=3, result=0, transfer_syntax=IMPLICIT),
                AnsweredContext(id=1, result=0, transfer_syntax=IMPLICIT),
            ),
            {1, 3},
        ),
        ((AnsweredContext(id=1, result=1), AnsweredContext(id=3, result=2)), set()),
        ((AnsweredContext(id=1, result=3), AnsweredContext(id=3, result=4)), set()),
        ((AnsweredContext(id=1, result=200),), set()),
    ],
)
def test_what_a_peer_does_not_accept_is_not_there(
    results: tuple[AnsweredContext, ...], ids: set[int]
) -> None:
    """Results may come in any order, or not at all."""
    assert set(accepted_contexts(ASKED, answer(*results))) == ids


@pytest.mark.parametrize("result", [0, 3])
def test_a_result_for_a_context_never_proposed_is_the_peers_fault(result: int) -> None:
    given = answer(AnsweredContext(id=7, result=result, transfer_syntax=IMPLICIT))
    with pytest.raises(PeerError, match="A-ASSOCIATE-AC: Presentation-context-ID 7 was not") as caught:
        accepted_contexts(ASKED, given)
    assert caught.value.reason is AbortReason.UNEXPECTED_PDU_PARAMETER


@pytest.mark.parametrize("uid", [EXPLICIT, JPEG_LOSSLESS, ""])
def test_a_transfer_syntax_never_proposed_for_the_context_is_the_peers_fault(uid: str) -> None:
    """Not one that another context proposed, either."""
    given = answer(AnsweredContext(id=3, result=0, transfer_syntax=uid))
    with pytest.raises(PeerError, match=f"Transfer Syntax '{uid}' of Presentation-context-ID 3") as caught:
        accepted_contexts(ASKED, given)
    assert caught.value.reason is AbortReason.INVALID_PDU_PARAMETER_VALUE
