"""Associations that SDCC opens itself.

Now for Verification alone, as `sdccctl echo` needs it; every step is bounded by a timeout, and
whatever happens is an error that says which step it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure

from sdcc import conformance
from sdcc.dimse.command import RESPONSE, CommandError
from sdcc.dimse.fragments import CommandReceived, MessageAssembler, fragments
from sdcc.dimse.messages import EchoRequest, Message, Response
from sdcc.network.connection import Connection
from sdcc.upper_layer import negotiation
from sdcc.upper_layer.association import Association
from sdcc.upper_layer.errors import PeerError
from sdcc.upper_layer.framing import Fragment
from sdcc.upper_layer.items import (
    ImplementationClassUID,
    ImplementationVersionName,
    MaximumLength,
    ProposedContext,
)
from sdcc.upper_layer.machine import (
    AbortIndication,
    AssociateConfirmation,
    DataIndication,
    Effect,
    Indication,
    ProviderAbortIndication,
    ReleaseConfirmation,
    ReleaseIndication,
    Role,
)
from sdcc.upper_layer.pdu import AssociateAC, AssociateRJ, AssociateRQ


class RequestorError(Exception):
    """The peer did not do what was asked of it; the text says at which step."""


class NotConnected(RequestorError):
    """No transport connection could be opened."""


class AssociationRejected(RequestorError):
    """The peer answered A-ASSOCIATE-RJ."""

    def __init__(self, answer: AssociateRJ) -> None:
        super().__init__(f"the association was rejected: {answer}")
        self.answer = answer


class AssociationAborted(RequestorError):
    """The association ended before its time."""


class ContextRefused(RequestorError):
    """The association stands, but not the Presentation Context that was needed."""


class NoResponse(RequestorError):
    """A step took longer than its timeout."""


@dataclass(frozen=True, slots=True)
class EchoResult:
    """A C-ECHO-RSP."""

    status: int
    #: From the request to its response.
    seconds: float


class RequestorProtocol(Connection):
    """One association as requestor; each step is a coroutine to be awaited in turn.

    :param timeout: seconds that each step may take.
    """

    def __init__(
        self, clock: IReactorTime, *, artim_timeout: float, timeout: float, maximum_pdu_length: int
    ) -> None:
        association = Association(Role.REQUESTOR, maximum_length=maximum_pdu_length)
        super().__init__(association, clock, artim_timeout)
        self._timeout = timeout
        self._maximum_pdu_length = maximum_pdu_length
        self._awaited: Deferred[object] | None = None
        self._assembler = MessageAssembler(())
        self._peer_maximum_length = 0
        self._asked: EchoRequest | None = None
        self._is_released = False
        #: How the association ended before its time.
        self._ended = ""

    def propose(self, called_ae: str, calling_ae: str, *contexts: ProposedContext) -> None:
        """Say what will be asked for, before the connection is opened.

        :raises ValueError: an AE title does not fit.
        """
        self._request = AssociateRQ(
            called_ae_title=called_ae,
            calling_ae_title=calling_ae,
            application_context_name=conformance.DICOM_APPLICATION_CONTEXT,
            presentation_contexts=contexts,
            user_information=(
                MaximumLength(self._maximum_pdu_length),
                ImplementationClassUID(conformance.IMPLEMENTATION_CLASS_UID),
                ImplementationVersionName(conformance.IMPLEMENTATION_VERSION_NAME),
            ),
        )
        assert self.association.associate(self._request) == [Effect.OPEN_TRANSPORT]

    # --- steps ---

    async def established(self) -> Mapping[int, negotiation.PresentationContext]:
        """The contexts that the peer accepted."""
        answer = await self._step("A-ASSOCIATE-RQ")
        if isinstance(answer, AssociateRJ):
            raise AssociationRejected(answer)
        accepted = cast(AssociateAC, answer)
        try:
            contexts = negotiation.accepted_contexts(self._request, accepted)
        except PeerError as error:
            self._abort()
            raise AssociationAborted(str(error)) from None
        self._peer_maximum_length = accepted.maximum_length
        self._assembler = MessageAssembler(contexts)
        return contexts

    async def request(self, context_id: int, message: EchoRequest) -> Response:
        try:
            pdus = fragments(context_id, message.encode(), maximum_length=self._peer_maximum_length)
            data = b"".join(pdus)
        except ValueError as error:
            raise AssociationAborted(f"the peer announced that it can take no message: {error}") from None
        self._check(self.association.may_send_data)
        self.perform(self.association.send_data(data))
        self._asked = message
        return cast(Response, await self._step("C-ECHO-RQ"))

    async def released(self) -> None:
        """The association has ended in order, and its connection is closed."""
        self._check(self.association.may_release)
        self.perform(self.association.release())
        await self._step("A-RELEASE-RQ")

    def end(self) -> None:
        """Leave nothing behind, whatever state this is in."""
        self._abort()
        self.transport.abortConnection()

    def _check(self, possible: bool) -> None:
        if not possible:
            raise AssociationAborted(self._ended or "the association has ended")

    def _abort(self) -> None:
        if self.association.may_abort:
            self.perform(self.association.abort())

    async def _step(self, sent: str) -> object:
        self._awaited = Deferred()
        expiry = self._clock.callLater(
            self._timeout, self._fail, NoResponse(f"no answer to {sent} within {self._timeout:g} s")
        )
        try:
            return await self._awaited
        finally:
            self._awaited = None
            if expiry.active():
                expiry.cancel()

    def _fire(self, result: object) -> None:
        """End the step when what came together with its end has been looked at: it may be an abort."""
        self._clock.callLater(0, self._end_step, self._awaited, result)

    def _end_step(self, awaited: Deferred[object] | None, result: object) -> None:
        if awaited is not None and not awaited.called:
            awaited.callback(result)

    def _fail(self, error: RequestorError) -> None:
        if isinstance(error, AssociationAborted):
            self._ended = str(error)
        if self._awaited is not None and not self._awaited.called:
            self._awaited.errback(error)

    # --- what comes ---

    def indicate(self, indication: Indication) -> None:
        match indication:
            case AssociateConfirmation(answer):
                self._fire(answer)
            case DataIndication(fragments):
                self._received(fragments)
            case ReleaseConfirmation():
                self._is_released = True  # the step ends when the connection is closed
            case ReleaseIndication():
                if self.association.may_answer_release:
                    self.perform(self.association.answer_release())
                self._fail(AssociationAborted("the peer released the association"))
            case AbortIndication(source, reason):
                self._fail(AssociationAborted(f"the peer aborted, source {source:d}, reason {reason:d}"))
            case ProviderAbortIndication(_, cause):
                self._fail(AssociationAborted(cause or "the connection was lost"))

    def _received(self, received: list[Fragment]) -> None:
        try:
            for fragment in received:
                message = self._assembler.add(*fragment)
                if isinstance(message, CommandReceived):
                    self._answered(message.message)
        except CommandError as error:
            self._abort()
            self._fail(AssociationAborted(str(error)))

    def _answered(self, message: Message) -> None:
        asked = self._asked
        if (
            asked is None
            or not isinstance(message, Response)
            or message.command_field != asked.command_field | RESPONSE
            or message.message_id_being_responded_to != asked.message_id
        ):
            raise CommandError("the peer sent what is no response to our request")
        self._asked = None
        self._fire(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        if self._is_released:
            self._fire(None)


VERIFICATION_CONTEXT = ProposedContext(
    id=1,
    abstract_syntax=conformance.VERIFICATION.uid,
    transfer_syntaxes=tuple(conformance.VERIFICATION.transfer_syntaxes),
)


async def echo(
    reactor: IReactorTime,
    *,
    address: str,
    port: int,
    called_ae: str,
    calling_ae: str,
    artim_timeout: float,
    timeout: float,
    maximum_pdu_length: int,
) -> EchoResult:
    """Verify a peer: open an association, C-ECHO, release.

    :param timeout: seconds for the connection and for each answer.
    :raises RequestorError: which of its kinds says how far it came.
    """
    protocol = RequestorProtocol(
        reactor, artim_timeout=artim_timeout, timeout=timeout, maximum_pdu_length=maximum_pdu_length
    )
    protocol.propose(called_ae, calling_ae, VERIFICATION_CONTEXT)
    endpoint = HostnameEndpoint(reactor, address, port, timeout=timeout)
    try:
        await endpoint.connect(Factory.forProtocol(lambda: protocol))
    except (ConnectError, DNSLookupError, ValueError) as error:  # ValueError: no valid host name
        raise NotConnected(f"no connection to {address}:{port}: {error}") from None
    try:
        contexts = await protocol.established()
        if VERIFICATION_CONTEXT.id not in contexts:
            raise ContextRefused("the peer accepted the association but not Verification")
        started = reactor.seconds()
        response = await protocol.request(
            VERIFICATION_CONTEXT.id,
            EchoRequest(message_id=1, affected_sop_class_uid=conformance.VERIFICATION.uid),
        )
        result = EchoResult(response.status, reactor.seconds() - started)
        await protocol.released()
    finally:
        protocol.end()
    return result
