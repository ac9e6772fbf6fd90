"""One association that SDCC opens: its beginning, its end, and whatever the peer does in between.

Every step is bounded by a timeout, and whatever happens is an
:class:`~sdcc.interfaces.AssociationLost` that says which step it was. The messages between are
:mod:`sdcc.network.own_exchange`'s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from sdcc.dimse.command import CommandError
from sdcc.dimse.messages import Request, Response
from sdcc.interfaces import AssociationLost, Ending, IAssociationWatch, IOwnAssociation, OperationFacts
from sdcc.network.connection import Connection, peer_of
from sdcc.network.lost import AssociationAborted, AssociationRejected, NoResponse, NotConnected
from sdcc.network.own_exchange import OwnExchange
from sdcc.network.timeouts import Timeouts
from sdcc.printable import printable
from sdcc.upper_layer import negotiation
from sdcc.upper_layer.association import Association
from sdcc.upper_layer.errors import PeerError
from sdcc.upper_layer.framing import Fragment
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
from sdcc.upper_layer.negotiation import PresentationContext
from sdcc.upper_layer.pdu import AssociateAC, AssociateRJ, AssociateRQ, Pieces

#: Not of a class, whose name would take the place of this one.
log = Logger(namespace="sdcc.association")


@implementer(IOwnAssociation, IPushProducer)
class OwnAssociation(Connection):
    """
    :param request: what will be asked for as soon as the connection stands.
    :param maximum_length: bytes of the longest P-DATA-TF that `request` announces.
    :param name: for the log.
    :param opened: told of the peer's IP address when the association is established.
    """

    def __init__(
        self,
        request: AssociateRQ,
        *,
        maximum_length: int,
        clock: IReactorTime,
        timeouts: Timeouts,
        name: str,
        opened: Callable[[str], IAssociationWatch | None],
    ) -> None:
        association = Association(Role.REQUESTOR, maximum_length=maximum_length)
        super().__init__(association, clock, timeouts.artim)
        outputs = association.associate(request)
        assert outputs == [Effect.OPEN_TRANSPORT], "which the caller does"
        self._request = request
        self._timeouts = timeouts
        self._name = name
        self._opened = opened
        self._watch: IAssociationWatch | None = None
        #: The step under way, and whether what ends it has come.
        self._awaited: Deferred[None] | None = None
        self._has_come = False
        self._answer: AssociateAC | AssociateRJ | None = None
        self._exchange: OwnExchange | None = None
        self._is_paused = False
        self._is_released = False
        self._is_closed = False
        #: How the association ended.
        self._lost: AssociationLost | None = None
        self._ending = Ending.CONNECTION_LOST

    # --- steps ---

    async def establish(self) -> None:
        """Wait for the peer's answer.

        :raises AssociationLost: there is no association.
        """
        await self._step("A-ASSOCIATE-RQ")
        answer = self._answer
        if isinstance(answer, AssociateRJ):
            raise AssociationRejected(answer)
        if self._lost is not None or answer is None:
            raise self._gone
        try:
            contexts = negotiation.accepted_contexts(self._request, answer)
        except PeerError as error:
            raise AssociationAborted(str(error)) from None
        self._exchange = OwnExchange(
            self,
            contexts,
            maximum_length=answer.maximum_length,
            clock=self._clock,
            timeout=self._timeouts.dimse,
        )
        self._watch = self._opened(peer_of(self.transport).host)
        self.transport.registerProducer(self, True)
        proposed = len(self._request.presentation_contexts)
        over = " over TLS" if self.is_secure else ""
        self._say(log.info, f"opened{over}, {len(contexts)} of {proposed} contexts accepted")

    @property
    def contexts(self) -> Mapping[int, PresentationContext]:
        return MappingProxyType({}) if self._exchange is None else self._exchange.contexts

    async def request(
        self,
        context_id: int,
        message: Request,
        data_set: AsyncIterator[bytes | bytearray] | None = None,
        length: int | None = None,
    ) -> Response:
        if self._exchange is None or self._lost is not None:
            raise self._gone
        return await self._exchange.request(context_id, message, data_set, length)

    async def released(self) -> None:
        """The association has ended in order, and its connection is closed.

        :raises AssociationLost: it had ended before, or ends otherwise.
        """
        try:
            if not self.association.may_release or self._exchange is None or self._exchange.is_under_way:
                raise self._gone
            self.perform(self.association.release())
            await self._step("A-RELEASE-RQ")
        finally:
            self.abort()

    async def release(self) -> None:
        with suppress(AssociationLost):
            await self.released()

    def abort(self) -> None:
        self.fail(AssociationAborted("SDCC gave it up"), Ending.GIVEN_UP)

    @property
    def _gone(self) -> AssociationLost:
        return self._lost or AssociationAborted("the association has ended")

    async def _step(self, sent: str) -> None:
        """Wait for the peer's answer.

        :raises AssociationLost: there is none, or none in time.
        """
        timeout = self._timeouts.acse
        self._has_come = False
        self._awaited = Deferred()
        error = NoResponse(f"no answer to {sent} within {timeout:g} s")
        expiry = self._clock.callLater(timeout, self._lose, error, Ending.TIMEOUT)
        try:
            await self._awaited
        finally:
            self._awaited = None
            if expiry.active():
                expiry.cancel()
        if not self._has_come:
            raise self._gone

    # --- what the exchange asks for ---

    def send(self, pdus: Pieces) -> None:
        if self.association.may_send_data:
            self.perform(self.association.send_data(pdus))

    def invoked(self, operation: OperationFacts) -> None:
        if self._watch is not None:
            self._watch.performed(operation)
            if self._lost is not None:
                self._tell_end()

    def fail(self, error: AssociationLost, ending: Ending) -> None:
        """Leave nothing behind, whatever state this is in."""
        is_stuck = self._is_paused  # before the abort, with which the socket may take the rest and no close
        if self.association.may_abort:
            self.perform(self.association.abort())
            self._lose(error, ending)
        if is_stuck and not self._is_closed:
            self.transport.abortConnection()  # the peer does not read
        elif not self._is_closed:
            self._take_effect(Effect.CLOSE_TRANSPORT)

    # --- the transport ---

    def dataReceived(self, data: bytes) -> None:
        """What came is handed on when all of it has been looked at: an abort may have come with an answer."""
        super().dataReceived(data)
        self._go_on()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._is_closed = True
        self._is_paused = False
        super().connectionLost(reason)
        if self._is_released:
            self._has_come = True
            self._lose(AssociationAborted("the association was released"), Ending.RELEASED)

    def pauseProducing(self) -> None:
        self._is_paused = True
        if self._exchange is not None:
            self._exchange.pause()

    def resumeProducing(self) -> None:
        self._is_paused = False
        if self._exchange is not None:
            self._exchange.resume()

    def stopProducing(self) -> None:
        """The connection is lost; connectionLost says so too."""

    # --- what comes ---

    def indicate(self, indication: Indication) -> None:
        match indication:
            case AssociateConfirmation(answer):
                self._answer = answer
                self._has_come = True
            case DataIndication(fragments):
                self._received(fragments)
            case ReleaseConfirmation():
                self._is_released = True  # the step ends when the connection is closed
            case ReleaseIndication(collision):
                if self.association.may_answer_release:
                    self.perform(self.association.answer_release())
                if not collision:
                    self._lose(AssociationAborted("the peer released the association"), Ending.RELEASED)
            case AbortIndication(source, reason):
                error = AssociationAborted(f"the peer aborted, source {source:d}, reason {reason:d}")
                self._lose(error, Ending.PEER_ABORT)
            case ProviderAbortIndication(_, ""):
                self._lose(self._loss, Ending.CONNECTION_LOST)
            case ProviderAbortIndication(_, cause):
                self._lose(AssociationAborted(cause), Ending.PROTOCOL_FAULT)

    @property
    def _loss(self) -> AssociationLost:
        """With TLS 1.3 a peer refuses our certificate when for us the connection stands already."""
        if self._tls_cause and self._exchange is None:
            return NotConnected(f"TLS: {self._tls_cause}")
        return AssociationAborted(self._tls_cause or "the connection was lost")

    def _received(self, received: list[Fragment]) -> None:
        try:
            if self._exchange is None:
                raise CommandError("the peer sent a message before any request")
            self._exchange.receive(received)
        except CommandError as error:
            self.fail(AssociationAborted(str(error)), Ending.PROTOCOL_FAULT)

    def _lose(self, error: AssociationLost, ending: Ending) -> None:
        """The first error counts."""
        if self._lost is None:
            self._lost, self._ending = error, ending
            if self._exchange is not None and self._is_released:
                self._say(log.info, f"released, operations: {self._exchange.answered}")
            elif self._exchange is not None:
                self._say(log.warn, f"aborted: {error}")
        self._go_on()

    def _go_on(self) -> None:
        """Hand on what has come."""
        if self._exchange is not None:
            self._exchange.hand_on()
            if self._lost is not None:
                self._exchange.end(self._lost)
                if not self._exchange.is_under_way:
                    self._tell_end()
        if self._awaited is not None and not self._awaited.called and (self._has_come or self._lost):
            self._awaited.callback(None)

    def _tell_end(self) -> None:
        """When no request is under way any more."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.ended(self._ending, printable(str(self._lost)))

    def _say(self, say: Callable[..., None], what: str) -> None:
        say("{line}", line=f"{self._name} {printable(what)}")
