"""Who may talk: an A-ASSOCIATE request, judged.

The rules stand in `RULES` in the order of the design's table, and the first that applies
answers. Live associations and `sdccctl explain` are judged by the same ones. Which
Presentation Contexts are accepted is negotiation's part; this file sees no transport.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sdcc import conformance
from sdcc.config import Access, Configuration, Local, Remote
from sdcc.network.addresses import IPAddress, Resolve, ip_address
from sdcc.network.limits import AssociationLimits, Slot
from sdcc.upper_layer import negotiation
from sdcc.upper_layer.codes import (
    RejectReasonPresentation,
    RejectReasonUser,
    RejectResult,
    RejectSource,
)
from sdcc.upper_layer.encoding import SHOWN
from sdcc.upper_layer.machine import PROTOCOL_VERSION_NOT_SUPPORTED
from sdcc.upper_layer.pdu import AssociateAC, AssociateRJ, AssociateRQ


@dataclass(frozen=True, slots=True)
class Permission:
    """What the calling AE may use."""

    services: frozenset[str]
    #: Whose services these are, and why.
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The association may be: what is answered and what it was granted."""

    answer: AssociateAC
    contexts: Mapping[int, negotiation.PresentationContext]
    permission: Permission
    slot: Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The association may not be."""

    answer: AssociateRJ
    #: That of the rule in :data:`RULES`.
    name: str
    #: The rule in words, naming its key and what is allowed.
    rule: str

    @property
    def codes(self) -> str:
        """Result, source and reason as PS3.8 9.3.4 numbers them."""
        return f"{self.answer.result:d}/{self.answer.source:d}/{self.answer.reason:d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What changes from one request to the next besides the request: asked anew for each."""

    is_stopping: Callable[[], bool]
    #: Why nothing can be stored at present, if so.
    storage_refusal: Callable[[], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request with all that the rules look at."""

    request: AssociateRQ
    address: IPAddress
    locals: Mapping[str, Local]
    remote: Remote | None
    #: The remote's own addresses; empty where there is no remote.
    remote_addresses: frozenset[IPAddress]
    sop_classes: Mapping[str, conformance.SOPClass]
    access: Access
    limits: AssociationLimits
    circumstances: Circumstances


Rule: TypeAlias = Callable[[Case], Refused | None]

#: What an unknown caller may use that `[access] unknown_callers = "accept"` lets in from elsewhere.
STRANGERS_SERVICES = frozenset({conformance.VERIFICATION_SERVICE, conformance.STORAGE_SERVICE})


def refused_by_user(name: str, reason: RejectReasonUser, rule: str) -> Refused:
    answer = AssociateRJ(RejectResult.REJECTED_PERMANENT, RejectSource.SERVICE_USER, reason)
    return Refused(answer=answer, name=name, rule=rule)


def refused_for_now(name: str, reason: RejectReasonPresentation, rule: str) -> Refused:
    answer = AssociateRJ(RejectResult.REJECTED_TRANSIENT, RejectSource.SERVICE_PROVIDER_PRESENTATION, reason)
    return Refused(answer=answer, name=name, rule=rule)


def wrong_protocol_version(request: AssociateRQ) -> Refused:
    version = f"{request.protocol_version:04X}H"
    return Refused(
        answer=PROTOCOL_VERSION_NOT_SUPPORTED,
        name="protocol_version",
        rule=f"protocol version {version} lacks bit 0",
    )


def protocol_version(case: Case) -> Refused | None:
    """The machine's AE-6 has answered this already where the request came over a connection."""
    if case.request.protocol_version & 1:
        return None
    return wrong_protocol_version(case.request)


def application_context(case: Case) -> Refused | None:
    name = case.request.application_context_name
    if name in conformance.APPLICATION_CONTEXTS:
        return None
    allowed = " or ".join(sorted(conformance.APPLICATION_CONTEXTS))
    return refused_by_user(
        "application_context",
        RejectReasonUser.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED,
        f"application context {name[:SHOWN]!r} is not {allowed}",
    )


def called_ae(case: Case) -> Refused | None:
    called = case.request.called_ae
    if called in case.locals:
        return None
    allowed = ", ".join(repr(title) for title in case.locals)
    return refused_by_user(
        "called_ae",
        RejectReasonUser.CALLED_AE_TITLE_NOT_RECOGNIZED,
        f"called AE title {called!r} is no [[local]] of this port: it has {allowed}",
    )


def calling_ae(case: Case) -> Refused | None:
    calling, access = case.request.calling_ae, case.access
    if case.remote is None:
        let_in = access.unknown_callers == "accept" or (
            access.unknown_callers == "loopback" and case.address.is_loopback
        )
        cause = f"no [[remote]] {calling!r}, and [access] unknown_callers = {access.unknown_callers!r}"
    else:
        let_in = not access.check_address or case.address in case.remote_addresses
        cause = f"[[remote]] {calling!r} calls from {case.remote.address} ([access] check_address)"
    if let_in:
        return None
    return refused_by_user("calling_ae", RejectReasonUser.CALLING_AE_TITLE_NOT_RECOGNIZED, cause)


def association_limits(case: Case) -> Refused | None:
    exceeded = case.limits.exceeded(case.locals[case.request.called_ae], case.remote)
    if exceeded is None:
        return None
    return refused_for_now("association_limits", RejectReasonPresentation.LOCAL_LIMIT_EXCEEDED, exceeded)


def circumstances(case: Case) -> Refused | None:
    if case.circumstances.is_stopping():
        cause: str | None = "stopping"
    elif not proposes_only_storage(case):
        return None
    else:
        cause = case.circumstances.storage_refusal()
    if cause is None:
        return None
    return refused_for_now("circumstances", RejectReasonPresentation.TEMPORARY_CONGESTION, cause)


def proposes_only_storage(case: Case) -> bool:
    """Whether nothing that SDCC provides but storage is proposed."""
    proposed = {
        case.sop_classes[context.abstract_syntax].service
        for context in case.request.presentation_contexts
        if context.abstract_syntax in case.sop_classes
    }
    return proposed == {conformance.STORAGE_SERVICE}


def permission(case: Case) -> Permission:
    """Who is unknown and calls from elsewhere may send, but is shown nothing that others have sent."""
    if case.remote is not None:
        return Permission(case.remote.services, "the [[remote]]'s services")
    if case.address.is_loopback:
        return Permission(frozenset(conformance.SERVICES), "the services of a caller on this host")
    return Permission(
        STRANGERS_SERVICES,
        f"no [[remote]] {case.request.calling_ae!r}, and the services of an unknown caller from elsewhere, "
        f"{' and '.join(sorted(STRANGERS_SERVICES))},",
    )


#: The design's table "Who may talk", in its order.
RULES: tuple[Rule, ...] = (
    protocol_version,
    application_context,
    called_ae,
    calling_ae,
    association_limits,
    circumstances,
)


class Acceptor:
    """Judges the requests that come to one process.

    :param sop_classes: by UID, those that are provided.
    :param resolve: gives the addresses of a [[remote]]'s host name.
    """

    def __init__(
        self,
        configuration: Configuration,
        sop_classes: Mapping[str, conformance.SOPClass],
        limits: AssociationLimits,
        circumstances: Circumstances,
        resolve: Resolve,
    ) -> None:
        self._access = configuration.access
        self._sop_classes = sop_classes
        self._maximum_length = configuration.association.maximum_pdu_length
        self._limits = limits
        self._circumstances = circumstances
        self._resolve = resolve
        self._remotes = {remote.ae_title: remote for remote in configuration.remotes}

    def is_remote(self, ae_title: str) -> bool:
        return ae_title in self._remotes

    async def judge(
        self, request: AssociateRQ, address: str, locals_: Mapping[str, Local]
    ) -> Accepted | Refused:
        """Answer a request that came from `address` to a port that `locals_` share.

        An :class:`Accepted` has taken its slot: give it back when the association ends.
        """
        remote = self._remotes.get(request.calling_ae)
        case = Case(
            request=request,
            address=ip_address(address),
            locals=locals_,
            remote=remote,
            remote_addresses=await self._addresses(remote),
            sop_classes=self._sop_classes,
            access=self._access,
            limits=self._limits,
            circumstances=self._circumstances,
        )
        for rule in RULES:
            if (refused := rule(case)) is not None:
                return refused
        permitted = permission(case)
        answer = negotiation.accept(
            request, self._sop_classes, maximum_length=self._maximum_length, services=permitted.services
        )
        return Accepted(
            answer=answer,
            contexts=negotiation.accepted_contexts(request, answer),
            permission=permitted,
            slot=self._limits.take(request.called_ae, request.calling_ae),
        )

    async def _addresses(self, remote: Remote | None) -> frozenset[IPAddress]:
        if remote is None or not self._access.check_address:
            return frozenset()
        return await self._resolve(remote.address)
