"""Which Presentation Contexts an association gets (PS3.8 9.3.3.2, PS3.7 D.3.2 and D.3.3).

Pure: a request, an answer, and the SOP Classes there are. Whether the association may be at all
(AE titles, limits, the application context) is decided before and elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sdcc.conformance import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, SOPClass
from sdcc.upper_layer.codes import ContextResult
from sdcc.upper_layer.encoding import SHOWN, of_kind
from sdcc.upper_layer.errors import invalid_value, unexpected_parameter
from sdcc.upper_layer.items import (
    AnsweredContext,
    ImplementationClassUID,
    ImplementationVersionName,
    MaximumLength,
    ProposedContext,
    RoleSelection,
)
from sdcc.upper_layer.pdu import AssociateAC, AssociateRQ


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentationContext:
    """A Presentation Context that both sides agreed on."""

    id: int
    abstract_syntax: str
    transfer_syntax: str
    #: The roles of the association's requestor, as they were agreed (PS3.7 D.3.3.4).
    requestor_is_scu: bool = True
    requestor_is_scp: bool = False
    #: What was agreed on by SOP Class Extended Negotiation for the Abstract Syntax (PS3.7 D.3.3.5).
    extended: bytes = b""


def accept(request: AssociateRQ, sop_classes: Mapping[str, SOPClass], *, maximum_length: int) -> AssociateAC:
    """The acceptor's answer: a result for each context, accepted or not.

    Not answered, which says that they are not supported: the asynchronous operations window
    (PS3.7 D.3.3.3: one operation at a time), the extended negotiations (D.3.3.5, D.3.3.6), and a
    user identity, also where a response is requested (D.3.3.7).

    :param sop_classes: by UID, those of which this side is an SCP.
    :param maximum_length: bytes of the longest P-DATA-TF body that this side takes.
    """
    answers = tuple(_answer(context, sop_classes) for context in request.presentation_contexts)
    return AssociateAC(
        called_ae_title=request.called_ae_title,
        calling_ae_title=request.calling_ae_title,
        reserved=request.reserved,
        application_context_name=request.application_context_name,
        presentation_contexts=answers,
        user_information=(
            MaximumLength(maximum_length),
            ImplementationClassUID(IMPLEMENTATION_CLASS_UID),
            *_roles(request, answers),
            ImplementationVersionName(IMPLEMENTATION_VERSION_NAME),
        ),
    )


def _answer(context: ProposedContext, sop_classes: Mapping[str, SOPClass]) -> AnsweredContext:
    sop_class = sop_classes.get(context.abstract_syntax)
    if sop_class is None:
        return AnsweredContext(id=context.id, result=ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED)
    for uid in context.transfer_syntaxes:
        if uid in sop_class.transfer_syntaxes:
            return AnsweredContext(id=context.id, result=ContextResult.ACCEPTANCE, transfer_syntax=uid)
    return AnsweredContext(id=context.id, result=ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED)


def _roles(request: AssociateRQ, answers: tuple[AnsweredContext, ...]) -> Iterator[RoleSelection]:
    """This side is an SCP only: the requestor may be the SCU if it proposes that (PS3.7 D.3.3.4)."""
    proposed = {item.sop_class_uid: item.scu for item in of_kind(request.user_information, RoleSelection)}
    if not proposed:
        return
    accepted = {answer.id for answer in answers if answer.result == ContextResult.ACCEPTANCE}
    classes = {context.abstract_syntax for context in request.presentation_contexts if context.id in accepted}
    for uid, scu in proposed.items():
        if uid in classes:
            yield RoleSelection(sop_class_uid=uid, scu=scu, scp=False)


def accepted_contexts(request: AssociateRQ, answer: AssociateAC) -> Mapping[int, PresentationContext]:
    """The contexts of an association by their ID, whichever side answered.

    A context that the answer does not mention is not accepted.

    :raises PeerError: the answer has a context that the request has not, or a Transfer Syntax
        that was not proposed for it.
    """
    proposed = {context.id: context for context in request.presentation_contexts}
    contexts = {}
    for result in answer.presentation_contexts:
        context = proposed.get(result.id)
        if context is None:
            raise unexpected_parameter(
                f"{answer.name()}: Presentation-context-ID {result.id} was not proposed"
            )
        if result.result != ContextResult.ACCEPTANCE:
            continue
        if result.transfer_syntax not in context.transfer_syntaxes:
            uid = result.transfer_syntax[:SHOWN]
            raise invalid_value(
                f"{answer.name()}: Transfer Syntax {uid!r} of Presentation-context-ID {result.id} "
                "was not proposed for it"
            )
        contexts[result.id] = PresentationContext(
            id=result.id, abstract_syntax=context.abstract_syntax, transfer_syntax=result.transfer_syntax
        )
    return MappingProxyType(contexts)
