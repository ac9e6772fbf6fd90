"""How an association would be answered, and by which rule.

One judgement for `sdccctl explain`, which knows a configuration alone, and for a running server, with what
its limits and its disk say at the moment: the rules are those that live associations are judged by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sdcc import conformance
from sdcc.config import Configuration, Local, ports
from sdcc.config.reading import AE_TITLE, IP_ADDRESS, Kind, NotAllowed
from sdcc.interfaces.administration import CannotDo, Facts
from sdcc.network.acceptor import Accepted, Acceptor, Refused
from sdcc.network.limits import AssociationLimits
from sdcc.uid import is_uid
from sdcc.upper_layer.codes import ContextResult
from sdcc.upper_layer.items import ProposedContext
from sdcc.upper_layer.pdu import AssociateRQ

ACCEPTED, REFUSED = "accepted", "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An association that somebody might ask for."""

    calling: str
    called: str
    #: Where the peer calls from.
    address: str
    #: Where it calls to; 0: a port that has the called AE title.
    port: int = 0
    #: The Abstract Syntax that it proposes; empty: none.
    abstract: str = ""
    #: Empty: any that suits.
    transfer_syntax: str = ""


def check(question: Question) -> None:
    """:raises CannotDo: nobody can ask for such an association."""
    for name, value, kind in (
        ("calling", question.calling, AE_TITLE),
        ("called", question.called, AE_TITLE),
        ("address", question.address, IP_ADDRESS),
    ):
        _check(name, value, kind)
    for name, value in (("abstract", question.abstract), ("transfer_syntax", question.transfer_syntax)):
        if value and not is_uid(value):
            raise CannotDo(f"{name} = {value!r}: allowed: a UID")
    if question.transfer_syntax and not question.abstract:
        raise CannotDo("transfer_syntax needs abstract beside it")


def _check(name: str, value: str, kind: Kind) -> None:
    try:
        kind.read(value)
    except NotAllowed:
        raise CannotDo(f"{name} = {value!r}: allowed: {kind.allowed}") from None


async def explain(
    question: Question, configuration: Configuration, acceptor: Acceptor, limits: AssociationLimits
) -> Facts:
    """See :meth:`sdcc.interfaces.administration.IAdministration.explain`.

    :param limits: the acceptor's.
    :raises CannotDo: nobody can ask for such an association.
    """
    check(question)
    locals_ = _locals_of_port(configuration, question)
    request = AssociateRQ(
        called_ae_title=question.called,
        calling_ae_title=question.calling,
        application_context_name=conformance.DICOM_APPLICATION_CONTEXT,
        presentation_contexts=tuple(_proposed(configuration, question)),
    )
    judgement = await acceptor.judge(request, question.address, locals_)
    if isinstance(judgement, Refused):
        return _facts(REFUSED, codes=judgement.codes, rule=judgement.rule)
    limits.release(judgement.slot)
    if not question.abstract:
        return _facts(ACCEPTED)
    return _context_answer(question.abstract, judgement, configuration)


def _facts(answer: str, *, codes: str = "", rule: str = "", context_result: str = "", but: str = "") -> Facts:
    return {"answer": answer, "codes": codes, "rule": rule, "context_result": context_result, "but": but}


def _locals_of_port(configuration: Configuration, question: Question) -> Mapping[str, Local]:
    """The local AEs, by title, of the port in question; of the first one where several may be meant.

    :raises CannotDo: there is none.
    """
    there = [locals_ for (_, number), locals_ in ports(configuration.locals) if question.port in (0, number)]
    if not there:
        raise CannotDo(f"no [[local]] has port {question.port}")
    return next((locals_ for locals_ in there if question.called in locals_), there[0])


def _proposed(configuration: Configuration, question: Question) -> list[ProposedContext]:
    """The contexts of the request: one, or none where no Abstract Syntax is given."""
    if not question.abstract:
        return []
    suitable = configuration.sop_classes.get(question.abstract, conformance.VERIFICATION).transfer_syntaxes
    transfer_syntaxes = (question.transfer_syntax,) if question.transfer_syntax else tuple(suitable)
    return [ProposedContext(id=1, abstract_syntax=question.abstract, transfer_syntaxes=transfer_syntaxes)]


def _context_answer(abstract: str, accepted: Accepted, configuration: Configuration) -> Facts:
    """What the request's one context gets."""
    (answered,) = accepted.answer.presentation_contexts
    sop_class = configuration.sop_classes.get(abstract)
    if sop_class is None:
        return _context_refused(answered.result, f"{abstract} is not provided")
    if answered.result != ContextResult.ACCEPTANCE:
        takes = ", ".join(f"{name} ({uid})" for uid, name in sop_class.transfer_syntaxes.items())
        return _context_refused(answered.result, f"{sop_class.name} takes {takes}")
    rule = f"{sop_class.name} with {sop_class.transfer_syntaxes[answered.transfer_syntax]}"
    permission, but = accepted.permission, ""
    if sop_class.service not in permission.services:
        but = f"each request is answered 0124: {permission.rule} lack {sop_class.service!r}"
    return _facts(ACCEPTED, rule=rule, but=but)


def _context_refused(result: int, rule: str) -> Facts:
    name = ContextResult(result).name.lower().replace("_", "-")
    return _facts(REFUSED, codes=f"{result:d}", context_result=name, rule=rule)
