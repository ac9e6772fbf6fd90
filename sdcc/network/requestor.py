"""What SDCC asks of a peer for the administrator: whether it answers C-ECHO."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from sdcc import conformance
from sdcc.dimse.messages import EchoRequest
from sdcc.network.caller import Caller
from sdcc.network.lost import ContextRefused
from sdcc.upper_layer.items import ProposedContext

VERIFICATION_CONTEXT = ProposedContext(
    id=1,
    abstract_syntax=conformance.VERIFICATION.uid,
    transfer_syntaxes=tuple(conformance.VERIFICATION.transfer_syntaxes),
)


@dataclass(frozen=True, slots=True)
class EchoResult:
    """A C-ECHO-RSP."""

    status: int
    #: From the request to its response.
    seconds: float


async def echo(caller: Caller, clock: IReactorTime, *, called_ae: str, calling_ae: str) -> EchoResult:
    """Verify a peer: open an association, C-ECHO, release.

    :raises AssociationLost: which of its kinds says how far it came.
    """
    association = await caller.open(called_ae, calling_ae, (VERIFICATION_CONTEXT,))
    try:
        if VERIFICATION_CONTEXT.id not in association.contexts:
            raise ContextRefused("the peer accepted the association but not Verification")
        started = clock.seconds()
        response = await association.request(
            VERIFICATION_CONTEXT.id,
            EchoRequest(message_id=1, affected_sop_class_uid=conformance.VERIFICATION.uid),
        )
        result = EchoResult(response.status, clock.seconds() - started)
        await association.released()
    finally:
        association.abort()
    return result
