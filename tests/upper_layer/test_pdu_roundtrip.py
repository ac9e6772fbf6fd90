"""PDUs of every kind, generated: what is encoded decodes, here and in pynetdicom."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import pynetdicom.pdu
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdcc.upper_layer.codes import ContextResult, ItemType, UserIdentityType
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
    UserIdentityResponse,
)
from sdcc.upper_layer.pdu import (
    PDU,
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    PDataTF,
    PresentationDataValue,
    ReleaseRP,
    ReleaseRQ,
    decode,
)

HEADER = 6

# --- anything at all -----------------------------------------------------------------------

uids = st.text("0123456789.", min_size=1, max_size=64)
short_bytes = st.binary(max_size=20)
ae_titles = st.text(st.characters(max_codepoint=255), min_size=16, max_size=16)
unknown_types = st.integers(0, 255).filter(lambda number: number not in set(ItemType))
unknown_items = st.builds(UnknownItem, unknown_types, short_bytes)
unknown_tuples = st.lists(unknown_items, max_size=2).map(tuple)
context_ids = st.integers(0, 127).map(lambda number: 2 * number + 1)

proposed_contexts = st.builds(
    ProposedContext,
    id=context_ids,
    abstract_syntax=uids,
    transfer_syntaxes=st.lists(uids, max_size=4).map(tuple),
    unknown=unknown_tuples,
)
answered_contexts = st.one_of(
    st.builds(
        AnsweredContext,
        id=context_ids,
        result=st.just(ContextResult.ACCEPTANCE),
        transfer_syntax=uids,
        unknown=unknown_tuples,
    ),
    st.builds(AnsweredContext, id=context_ids, result=st.integers(1, 255)),
)
single_sub_items = st.one_of(
    st.builds(MaximumLength, st.integers(0, 2**32 - 1)),
    st.builds(ImplementationClassUID, uids),
    st.builds(ImplementationVersionName, st.from_regex(r"[!-~]{1,16}", fullmatch=True)),
    st.builds(AsynchronousOperationsWindow, st.integers(0, 65_535), st.integers(0, 65_535)),
    st.builds(
        UserIdentityRequest,
        identity_type=st.one_of(st.sampled_from(UserIdentityType), st.integers(0, 255)),
        positive_response_requested=st.booleans(),
        primary=short_bytes,
        secondary=short_bytes,
    ),
    st.builds(UserIdentityResponse, short_bytes),
)
other_sub_items = st.one_of(
    st.builds(RoleSelection, sop_class_uid=uids, scu=st.booleans(), scp=st.booleans()),
    st.builds(SOPClassExtendedNegotiation, uids, short_bytes),
    st.builds(
        SOPClassCommonExtendedNegotiation,
        sop_class_uid=uids,
        service_class_uid=uids,
        related_general_sop_classes=st.lists(uids, max_size=3).map(tuple),
    ),
    unknown_items,
)
user_information = (
    st.tuples(st.lists(single_sub_items, unique_by=type), st.lists(other_sub_items, max_size=4))
    .flatmap(lambda found: st.permutations(found[0] + found[1]))
    .map(tuple)
)


def associates(kind: type[PDU], contexts: st.SearchStrategy[Any]) -> st.SearchStrategy[PDU]:
    return st.builds(
        kind,
        protocol_version=st.integers(0, 65_535),
        called_ae_title=ae_titles,
        calling_ae_title=ae_titles,
        reserved=st.binary(min_size=32, max_size=32),
        application_context_name=st.one_of(st.just(""), uids),
        presentation_contexts=st.lists(contexts, unique_by=lambda context: context.id, max_size=5).map(tuple),
        user_information=user_information,
        unknown=unknown_tuples,
    )


data_values = st.builds(
    PresentationDataValue,
    context_id=st.integers(0, 255),
    is_command=st.booleans(),
    is_last=st.booleans(),
    data=short_bytes,
)
byte = st.integers(0, 255)
pdus = st.one_of(
    associates(AssociateRQ, proposed_contexts),
    associates(AssociateAC, answered_contexts),
    st.builds(AssociateRJ, byte, byte, byte),
    st.builds(PDataTF, st.lists(data_values, min_size=1, max_size=4).map(tuple)),
    st.builds(Abort, byte, byte),
)


@settings(max_examples=200, deadline=None)
@given(pdus)
def test_what_is_encoded_decodes_to_the_same(pdu: PDU) -> None:
    data = pdu.encode()
    assert struct.unpack_from(">BBI", data) == (pdu.pdu_type, 0, len(data) - HEADER)
    assert decode(data[0], data[HEADER:]) == pdu


@settings(max_examples=200, deadline=None)
@given(pdus, st.data())
def test_what_is_spliced_decodes_or_is_the_peers_fault(pdu: PDU, draw: st.DataObject) -> None:
    body = pdu.encode()[HEADER:]
    start = draw.draw(st.integers(0, len(body)))
    end = draw.draw(st.integers(start, len(body)))
    with contextlib.suppress(PeerError):
        decode(pdu.pdu_type, body[:start] + draw.draw(st.binary(max_size=8)) + body[end:])


# --- an independent peer -------------------------------------------------------------------

PEERS: dict[type[PDU], Any] = {
    AssociateRQ: pynetdicom.pdu.A_ASSOCIATE_RQ,
    AssociateAC: pynetdicom.pdu.A_ASSOCIATE_AC,
    AssociateRJ: pynetdicom.pdu.A_ASSOCIATE_RJ,
    PDataTF: pynetdicom.pdu.P_DATA_TF,
    ReleaseRQ: pynetdicom.pdu.A_RELEASE_RQ,
    ReleaseRP: pynetdicom.pdu.A_RELEASE_RP,
    Abort: pynetdicom.pdu.A_ABORT_RQ,
}

REQUEST = AssociateRQ(
    called_ae_title="SDCC",
    calling_ae_title="CT01",
    application_context_name="1.2.840.10008.3.1.1.1",
    presentation_contexts=(
        ProposedContext(
            id=1,
            abstract_syntax="1.2.840.10008.5.1.4.1.1.2",
            transfer_syntaxes=("1.2.840.10008.1.2.1", "1.2.840.10008.1.2"),
        ),
        ProposedContext(
            id=255, abstract_syntax="1.2.840.10008.1.1", transfer_syntaxes=("1.2.840.10008.1.2",)
        ),
    ),
    user_information=(
        MaximumLength(16_384),
        ImplementationClassUID("1.2.3"),
        AsynchronousOperationsWindow(2, 3),
        RoleSelection(sop_class_uid="1.2.840.10008.5.1.4.1.1.2", scu=False, scp=True),
        ImplementationVersionName("NAME"),
        SOPClassExtendedNegotiation("1.2.840.10008.5.1.4.1.1.2", b"\1\2\3"),
        SOPClassCommonExtendedNegotiation(
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            service_class_uid="1.2.840.10008.4.2",
            related_general_sop_classes=("1.2.4", "1.2.5.6"),
        ),
        UserIdentityRequest(
            identity_type=2, positive_response_requested=True, primary=b"anna", secondary=b"secret"
        ),
    ),
)
ANSWER = AssociateAC(
    called_ae_title="SDCC",
    calling_ae_title="CT01",
    application_context_name="1.2.840.10008.3.1.1.1",
    presentation_contexts=(
        AnsweredContext(id=1, result=ContextResult.ACCEPTANCE, transfer_syntax="1.2.840.10008.1.2.1"),
        AnsweredContext(id=255, result=ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED),
    ),
    user_information=(MaximumLength(0), ImplementationClassUID("1.2.3"), UserIdentityResponse(b"ticket")),
)
DATA = PDataTF(
    (
        PresentationDataValue(context_id=1, is_command=True, is_last=True, data=b"command"),
        PresentationDataValue(context_id=1, is_command=False, is_last=False, data=b"data"),
    )
)


@pytest.mark.parametrize(
    "pdu",
    [REQUEST, ANSWER, AssociateRJ(1, 1, 7), DATA, ReleaseRQ(), ReleaseRP(), Abort(2, 6)],
    ids=lambda pdu: pdu.name(),
)
def test_pynetdicom_writes_the_same_bytes_of_what_it_read(pdu: PDU) -> None:
    data = pdu.encode()
    peer = PEERS[type(pdu)]()
    peer.decode(data)
    assert peer.encode() == data


def test_pynetdicom_reads_the_same_request() -> None:
    peer = pynetdicom.pdu.A_ASSOCIATE_RQ()
    peer.decode(REQUEST.encode())
    assert (peer.called_ae_title, peer.calling_ae_title) == ("SDCC", "CT01")
    assert peer.application_context_name == REQUEST.application_context_name
    contexts = [
        (c.context_id, c.abstract_syntax, tuple(c.transfer_syntax)) for c in peer.presentation_context
    ]
    assert contexts == [
        (context.id, context.abstract_syntax, context.transfer_syntaxes)
        for context in REQUEST.presentation_contexts
    ]
    user = peer.user_information
    assert user.maximum_length == 16_384
    assert (user.async_ops_window.max_operations_invoked, user.async_ops_window.max_operations_performed) == (
        2,
        3,
    )
    assert [(role.scu_role, role.scp_role) for role in user.role_selection.values()] == [(0, 1)]
    (common,) = user.common_ext_neg
    assert common.service_class_uid == "1.2.840.10008.4.2"
    assert common.related_general_sop_class_identification == ["1.2.4", "1.2.5.6"]
    identity = user.user_identity
    assert (identity.id_type, identity.primary, identity.secondary) == (2, b"anna", b"secret")
    assert identity.response_requested is True
