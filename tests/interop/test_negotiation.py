"""Presentation contexts and user information, as pynetdicom proposes them and sees them answered."""

from __future__ import annotations

import itertools

import pytest
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import build_role

from .objects import CT, MR, TRANSFER_SYNTAXES
from .wire import ASSOCIATE_AC, EXPLICIT, IMPLICIT, VERIFICATION, items

BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG_LS = "1.2.840.10008.1.2.4.80"
DEFLATED = "1.2.840.10008.1.2.1.99"

#: Statement 2.3.2.2, typed from it: what follows 1.2.840.10008.5.1.4.1.1.
STORAGE_CLASSES = [
    f"1.2.840.10008.5.1.4.1.1.{suffix}"
    for suffix in (
        *(
            "1",
            "1.1",
            "1.1.1",
            "1.2",
            "1.2.1",
            "1.3",
            "1.3.1",
            "2",
            "3",
            "3.1",
            "4",
            "4.1",
            "4.2",
            "4.3",
            "5",
        ),
        *("6", "6.1", "7", "12.1", "12.2", "12.3", "20", "77.1", "77.1.1", "77.1.2", "77.1.3", "77.1.4"),
        *("77.2", "128", "481.1"),
    )
]
#: An association takes 128 contexts (PS3.8 9.3.2.2).
MOST_CONTEXTS = 128

ACCEPTANCE, NO_ABSTRACT_SYNTAX, NO_TRANSFER_SYNTAX = 0, 3, 4


def answers(association):
    """(Abstract Syntax, result, accepted Transfer Syntax) of each context, as it was answered."""
    assert association.is_established
    contexts = [*association.accepted_contexts, *association.rejected_contexts]
    return [
        (context.abstract_syntax, context.result, context.transfer_syntax[0] if context.result == 0 else None)
        for context in sorted(contexts, key=lambda context: context.context_id)
    ]


def test_every_stated_pair_is_accepted_and_no_other_of_verification(server, associate):
    """31 SOP Classes with nine Transfer Syntaxes, each pair alone in a context."""
    assert len(STORAGE_CLASSES) == 30
    pairs = list(itertools.product([VERIFICATION, *STORAGE_CLASSES], TRANSFER_SYNTAXES))
    answered = []
    for start in range(0, len(pairs), MOST_CONTEXTS):
        batch = pairs[start : start + MOST_CONTEXTS]
        answered += answers(associate(server, *((abstract, [syntax]) for abstract, syntax in batch)))
    assert answered == [
        (abstract, NO_TRANSFER_SYNTAX, None)
        if abstract == VERIFICATION and syntax != IMPLICIT
        else (abstract, ACCEPTANCE, syntax)
        for abstract, syntax in pairs
    ]


@pytest.mark.parametrize(
    ("abstract", "proposed", "answer"),
    [
        ("1.2.3.4.5", [IMPLICIT], (NO_ABSTRACT_SYNTAX, None)),
        ("1.2.840.10008.5.1.4.1.1.88.11", [IMPLICIT], (NO_ABSTRACT_SYNTAX, None)),  # Basic Text SR
        (CT, [JPEG_LS], (NO_TRANSFER_SYNTAX, None)),
        (CT, [JPEG_LS, DEFLATED], (NO_TRANSFER_SYNTAX, None)),
        (CT, [EXPLICIT, IMPLICIT], (ACCEPTANCE, EXPLICIT)),
        (CT, [IMPLICIT, EXPLICIT], (ACCEPTANCE, IMPLICIT)),
        (CT, [JPEG_LS, BIG_ENDIAN, IMPLICIT], (ACCEPTANCE, BIG_ENDIAN)),
        (CT, list(reversed(TRANSFER_SYNTAXES)), (ACCEPTANCE, TRANSFER_SYNTAXES[-1])),
        (VERIFICATION, [EXPLICIT, IMPLICIT], (ACCEPTANCE, IMPLICIT)),
    ],
)
def test_of_several_transfer_syntaxes_the_requestors_first_supported_is_taken(
    server, associate, abstract, proposed, answer
):
    association = associate(server, (abstract, proposed), (MR, [IMPLICIT]))
    assert answers(association) == [(abstract, *answer), (MR, ACCEPTANCE, IMPLICIT)]


def test_an_association_is_accepted_even_if_none_of_its_contexts_is(server, connect):
    """What to make of the results is left to the requestor."""
    peer = connect(server.address)
    answer = peer.associate((1, "1.2.3.4.5", IMPLICIT), (3, CT, JPEG_LS))
    assert answer.contexts == {1: (NO_ABSTRACT_SYNTAX, None), 3: (NO_TRANSFER_SYNTAX, None)}
    peer.release()


def user_information(association):
    """The answer's items by their class; each comes once but for role selection."""
    assert association.is_established
    return {
        kind: [item for item in association.acceptor.primitive.user_information if isinstance(item, kind)]
        for kind in map(type, association.acceptor.primitive.user_information)
    }


def test_the_answer_says_who_sdcc_is_and_how_much_it_takes(server, associate):
    found = user_information(associate(server, (VERIFICATION, [IMPLICIT])))
    assert found.keys() == {
        MaximumLengthNotification,
        ImplementationClassUIDNotification,
        ImplementationVersionNameNotification,
    }
    assert [item.maximum_length_received for item in found[MaximumLengthNotification]] == [16384]
    (class_uid,) = found[ImplementationClassUIDNotification]
    assert class_uid.implementation_class_uid == "1.2.392.100224.1.2002.100.5"
    (version,) = found[ImplementationVersionNameNotification]
    assert version.implementation_version_name == "SDCC 1.1"


def asynchronous_window():
    item = AsynchronousOperationsWindowNegotiation()
    item.maximum_number_operations_invoked = 8
    item.maximum_number_operations_performed = 8
    return item


def extended():
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid = CT
    item.service_class_application_information = b"\x02\x00\x03\x00\x01\x00"
    return item


def common_extended():
    item = SOPClassCommonExtendedNegotiation()
    item.sop_class_uid = CT
    item.service_class_uid = "1.2.840.10008.4.2"
    return item


def identity(*, response):
    item = UserIdentityNegotiation()
    item.user_identity_type = 2
    item.primary_field = b"user"
    item.secondary_field = b"passcode"
    item.positive_response_requested = response
    return item


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(asynchronous_window(), id="asynchronous-operations-window"),
        pytest.param(extended(), id="extended-negotiation"),
        pytest.param(common_extended(), id="common-extended-negotiation"),
        pytest.param(identity(response=False), id="user-identity"),
        pytest.param(identity(response=True), id="user-identity-response-requested"),
    ],
)
def test_what_sdcc_does_not_do_is_read_and_not_answered(server, associate, item):
    association = associate(server, (CT, [IMPLICIT]), (VERIFICATION, [IMPLICIT]), negotiation=[item])
    assert type(item) not in user_information(association)
    assert association.send_c_echo().Status == 0


@pytest.mark.parametrize(
    ("proposed", "answered"),
    [
        # (SCU, SCP) of the requestor, who may retrieve: what it proposes
        ((True, False), (True, False)),
        ((True, True), (True, True)),
        ((False, True), (False, True)),
    ],
)
def test_the_requestor_may_be_scu_and_scp_of_what_is_stored(server, associate, proposed, answered):
    roles = [build_role(uid, scu_role=proposed[0], scp_role=proposed[1]) for uid in (CT, "1.2.3.4.5")]
    association = associate(server, (CT, [IMPLICIT]), ("1.2.3.4.5", [IMPLICIT]), negotiation=roles)
    found = association.acceptor.primitive.user_information
    assert [
        (item.sop_class_uid, item.scu_role, item.scp_role)
        for item in found
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation)
    ] == [(CT, *answered)], "no role for a class that was not accepted"


@pytest.mark.parametrize("name", ["1.2.840.10008.3.1.1.1", "1.2.840.1008.3.1.1.1"])
def test_both_application_contexts_are_accepted_and_the_proposed_one_answered(server, connect, name):
    peer = connect(server.address)
    answer = peer.associate((1, VERIFICATION, IMPLICIT), application_context=name)
    assert answer.type == ASSOCIATE_AC
    assert items(answer.body[68:])[0] == (0x10, name.encode())
    assert peer.echo() == 0
    peer.release()


def test_contexts_are_answered_by_their_ids(server, connect):
    """Odd numbers in any order, the same SOP Class more than once."""
    peer = connect(server.address)
    answer = peer.associate(
        (255, CT, IMPLICIT),
        (1, MR, JPEG_LS),
        (127, CT, EXPLICIT),
        (3, "1.2.3", IMPLICIT),
        (5, VERIFICATION, IMPLICIT),
    )
    assert answer.contexts == {
        255: (ACCEPTANCE, IMPLICIT),
        1: (NO_TRANSFER_SYNTAX, None),
        127: (ACCEPTANCE, EXPLICIT),
        3: (NO_ABSTRACT_SYNTAX, None),
        5: (ACCEPTANCE, IMPLICIT),
    }
    assert peer.echo(5) == 0
    peer.release()
