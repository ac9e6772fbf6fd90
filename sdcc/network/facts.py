"""What observers are told, made of what the network knows."""

from __future__ import annotations

from sdcc.dimse.messages import MoveRequest
from sdcc.interfaces import OperationFacts, Outcome, RefusalFacts
from sdcc.network.acceptor import Refused
from sdcc.network.exchange import Performance
from sdcc.upper_layer.pdu import AssociateRQ


def refused(
    request: AssociateRQ, refusal: Refused, address: str, *, is_local: bool, is_remote: bool
) -> RefusalFacts:
    return RefusalFacts(
        calling_ae=request.calling_ae,
        called_ae=request.called_ae,
        address=address,
        codes=refusal.codes,
        rule=refusal.name,
        cause=refusal.rule,
        is_local=is_local,
        is_remote=is_remote,
    )


def refused_by_tls(address: str, cause: str) -> RefusalFacts:
    return RefusalFacts(
        calling_ae="",
        called_ae="",
        address=address,
        codes="",
        rule="tls",
        cause=cause,
        is_local=False,
        is_remote=False,
    )


def performed(
    performance: Performance, outcome: Outcome, seconds: float, *, is_answered: bool
) -> OperationFacts:
    """Of an operation that the peer invoked."""
    request, context = performance.request, performance.context
    return OperationFacts(
        command_field=request.command_field,
        sop_class_uid=context.abstract_syntax,
        sop_instance_uid=request.affected_sop_instance_uid or "",
        status=outcome.status,
        size=performance.size,
        seconds=seconds,
        is_answered=is_answered,
        durations=outcome.durations,
        stored=outcome.stored,
        has_replaced=outcome.has_replaced,
        identifier=outcome.identifier,
        transfer_syntax_uid=context.transfer_syntax,
        move_destination=request.move_destination.strip() if isinstance(request, MoveRequest) else "",
        transfers=outcome.transfers,
    )
