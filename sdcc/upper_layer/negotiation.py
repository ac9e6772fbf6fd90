"""Which Presentation Contexts an association gets (PS3.8 9.3.3.2, PS3.7 D.3.2 and D.3.3).

Pure: a request, an answer, and the SOP Classes there are. Whether the association may be at all
(AE titles, limits, the application context) is decided before and elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from sdcc.conformance import (
    CONVERTED,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    RETRIEVE_SERVICE,
    STORAGE_SERVICE,
    SOPClass,
)
from sdcc.upper_layer.codes import ContextResult
from sdcc.upper_layer.encoding import SHOWN, Item, of_kind
from sdcc.upper_layer.errors import invalid_value, unexpected_parameter
from sdcc.upper_layer.items import (
    AnsweredContext,
    ImplementationClassUID,
    ImplementationVersionName,
    MaximumLength,
    ProposedContext,
    RoleSelection,
    SOPClassExtendedNegotiation,
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


def accept(
    request: AssociateRQ,
    sop_classes: Mapping[str, SOPClass],
    *,
    maximum_length: int,
    services: frozenset[str] = frozenset(),
) -> AssociateAC:
    """The acceptor's answer: a result for each context, accepted or not.

    Not answered, which says that they are not supported: the asynchronous operations window
    (PS3.7 D.3.3.3: one operation at a time), the extended negotiation of classes that have none
    (D.3.3.5), the common one (D.3.3.6), and a user identity, also where a response is requested (D.3.3.7).

    :param sop_classes: by UID, those of which this side is an SCP.
    :param maximum_length: bytes of the longest P-DATA-TF body that this side takes.
    :param services: that the requestor may use. With that of retrieving it may be the SCP of what is stored,
        which is how a C-GET gives it back.
    """
    may_retrieve = RETRIEVE_SERVICE in services
    answers = [_answer(context, sop_classes) for context in request.presentation_contexts]
    if may_retrieve:
        _leave_ways_back(request, answers, sop_classes)
    results = zip(request.presentation_contexts, answers, strict=True)
    accepted = {
        context.abstract_syntax: sop_classes[context.abstract_syntax]
        for context, answer in results
        if answer.result == ContextResult.ACCEPTANCE
    }
    return AssociateAC(
        called_ae_title=request.called_ae_title,
        calling_ae_title=request.calling_ae_title,
        reserved=request.reserved,
        application_context_name=request.application_context_name,
        presentation_contexts=tuple(answers),
        user_information=(
            MaximumLength(maximum_length),
            ImplementationClassUID(IMPLEMENTATION_CLASS_UID),
            *_roles(request, accepted, may_retrieve=may_retrieve),
            ImplementationVersionName(IMPLEMENTATION_VERSION_NAME),
            *_extended(request, accepted),
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


def _leave_ways_back(
    request: AssociateRQ, answers: list[AnsweredContext], sop_classes: Mapping[str, SOPClass]
) -> None:
    """What a requestor that is to be given objects would like best may be what few of them lie in.

    So one of the contexts of a class is to have what all can be converted to, if it proposes that.
    """
    places: dict[str, list[int]] = {}
    for at, context in enumerate(request.presentation_contexts):
        places.setdefault(context.abstract_syntax, []).append(at)
    for uid, role in _proposed_roles(request.user_information).items():
        sop_class = sop_classes.get(uid)
        if role.scp and sop_class is not None and sop_class.service == STORAGE_SERVICE:
            _leave_a_way_back(request.presentation_contexts, answers, places.get(uid, ()))


def _leave_a_way_back(
    proposed: Sequence[ProposedContext], answers: list[AnsweredContext], places: Sequence[int]
) -> None:
    """:param places: of the contexts of one class."""
    if any(answers[at].transfer_syntax in CONVERTED for at in places):
        return
    for at in reversed(places):  # what is preferred comes first, and stays
        for uid in CONVERTED:
            if uid in proposed[at].transfer_syntaxes:
                answers[at] = replace(answers[at], transfer_syntax=uid)
                return


def _proposed_roles(user_information: Iterable[Item]) -> Mapping[str, RoleSelection]:
    """By SOP Class; of several the last."""
    return {item.sop_class_uid: item for item in of_kind(user_information, RoleSelection)}


def _roles(
    request: AssociateRQ, accepted: Mapping[str, SOPClass], *, may_retrieve: bool
) -> Iterator[RoleSelection]:
    """Of the accepted classes, what the requestor may be of that which it proposes (PS3.7 D.3.3.4)."""
    for uid, proposed in _proposed_roles(request.user_information).items():
        if (sop_class := accepted.get(uid)) is not None:
            may_be_scp = may_retrieve and sop_class.service == STORAGE_SERVICE
            yield RoleSelection(sop_class_uid=uid, scu=proposed.scu, scp=proposed.scp and may_be_scp)


def _extensions(user_information: Iterable[Item]) -> Mapping[str, bytes]:
    """By SOP Class; of several the last."""
    items = of_kind(user_information, SOPClassExtendedNegotiation)
    return {item.sop_class_uid: item.information for item in items}


def _extended(
    request: AssociateRQ, accepted: Mapping[str, SOPClass]
) -> Iterator[SOPClassExtendedNegotiation]:
    """Of the accepted classes that have such fields, as many as are proposed, with what is supported."""
    for uid, proposed in _extensions(request.user_information).items():
        if (sop_class := accepted.get(uid)) is not None:
            fields = bytes(theirs & ours for theirs, ours in zip(proposed, sop_class.extended, strict=False))
            if fields:
                yield SOPClassExtendedNegotiation(uid, fields)


def accepted_contexts(request: AssociateRQ, answer: AssociateAC) -> Mapping[int, PresentationContext]:
    """The contexts of an association by their ID, whichever side answered.

    A context that the answer does not mention is not accepted, nor is what it says of roles and extended
    negotiation where that was not proposed.

    :raises PeerError: the answer has a context that the request has not, or a Transfer Syntax
        that was not proposed for it.
    """
    proposed = {context.id: context for context in request.presentation_contexts}
    roles, answered_roles = map(_proposed_roles, (request.user_information, answer.user_information))
    extensions, answered_extensions = map(_extensions, (request.user_information, answer.user_information))
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
        uid = context.abstract_syntax
        is_scu, is_scp = _agreed(roles.get(uid), answered_roles.get(uid))
        contexts[result.id] = PresentationContext(
            id=result.id,
            abstract_syntax=uid,
            transfer_syntax=result.transfer_syntax,
            requestor_is_scu=is_scu,
            requestor_is_scp=is_scp,
            extended=answered_extensions.get(uid, b"") if uid in extensions else b"",
        )
    return MappingProxyType(contexts)


def _agreed(proposed: RoleSelection | None, answered: RoleSelection | None) -> tuple[bool, bool]:
    """Whether the requestor is SCU, and SCP: the former unless both sides say otherwise (PS3.7 D.3.3.4)."""
    if proposed is None or answered is None:
        return True, False
    return proposed.scu and answered.scu, proposed.scp and answered.scp
