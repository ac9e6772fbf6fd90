"""The messages of one established association: requests taken in turn, performed, answered.

What the peer sends while an operation is performed that may be cancelled, or has sub-operations over
the same association, is looked at all the same: a new request is put off, the rest has its effect.
A C-STORE hears nothing before its end.

It knows operations and Presentation Contexts and neither transport nor association: what is to
be sent or ended goes through :class:`Channel`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from sdcc.dimse.command import CommandError, CommandField
from sdcc.dimse.fragments import DataSetPiece, Received
from sdcc.dimse.messages import CancelRequest, Request, Response
from sdcc.dimse.status import Status
from sdcc.interfaces import (
    AssociationLost,
    Ending,
    IConversation,
    IOperation,
    OperationFacts,
    Outcome,
    Session,
)
from sdcc.network.conversation import Conversation, Silence
from sdcc.network.flow import Flow, Hold
from sdcc.network.inbox import Inbox
from sdcc.network.limits import Account
from sdcc.network.requests import Requests, own_contexts
from sdcc.network.sending import Sender
from sdcc.services.registry import Registry
from sdcc.upper_layer.framing import Fragment
from sdcc.upper_layer.negotiation import PresentationContext
from sdcc.upper_layer.pdu import Pieces

#: What may wait while an operation is being performed, in bytes, before nothing more is read (the read that
#: passes it waits too).
QUEUE_LIMIT = 64 * 1024
#: What is served before the reactor turns to others: so many fragments, of which a request counts as many.
TURN = 1024
REQUEST_SHARE = 32
#: Requests whose operations say nothing before their one response.
SILENT = frozenset({CommandField.C_STORE_RQ, CommandField.C_ECHO_RQ})


@dataclass(slots=True)
class Performance:
    """One request on its way through."""

    request: Request
    context: PresentationContext
    operation: IOperation
    #: None: it is one of the :data:`SILENT`.
    conversation: Conversation | None
    started: float
    #: Bytes of its Data Set so far.
    size: int = 0


class Channel(Protocol):
    """What an exchange asks of its association."""

    def send(self, pdus: Pieces) -> None:
        """Send P-DATA-TF PDUs; nothing happens where the association is gone."""

    def answer_release(self) -> None:
        """Everything before the peer's A-RELEASE-RQ is answered."""

    def abort(self, cause: str, ending: Ending) -> None:
        """The peer broke PS3.7, or it cannot go on; `cause` is for the log."""

    def progressed(self) -> None:
        """The peer got on, or it is its part from now on to get on."""

    def performed(
        self, performance: Performance, outcome: Outcome, seconds: float, *, answered: bool
    ) -> None:
        """An operation has ended."""

    def invoked(self, operation: OperationFacts) -> None:
        """A request of ours has been answered, or will not be any more."""

    def drained(self) -> None:
        """After :meth:`Exchange.drain`: nothing is under way any more."""


class Exchange:
    """PS3.7's message exchange, as SCP, one operation at a time (PS3.7 D.3.3.3).

    :param maximum_length: of P-DATA-TF, as the peer announced; 0: no limit.
    :param new_session: what an operation may know of the association, given what it may say to its peer.
    """

    _log = Logger()

    def __init__(
        self,
        channel: Channel,
        *,
        contexts: Mapping[int, PresentationContext],
        maximum_length: int,
        registry: Registry,
        new_session: Callable[[IConversation], Session],
        account: Account,
        flow: Flow,
        clock: IReactorTime,
    ) -> None:
        self._channel = channel
        self._contexts = contexts
        self._registry = registry
        self.account = account
        self._flow = flow
        self._clock = clock
        self._sender = Sender(
            send=channel.send,
            abort=partial(channel.abort, ending=Ending.GIVEN_UP),
            progressed=channel.progressed,
            maximum_length=maximum_length,
            clock=clock,
        )
        self._requests = Requests(
            self._sender, own_contexts(contexts, is_requestor=False), clock=clock, invoked=channel.invoked
        )
        self._new_session = new_session
        self._silent_session = new_session(Silence(self._requests))
        self._inbox = Inbox(contexts)
        self._is_release_asked = False
        #: The request whose Data Set is coming, or which is being performed.
        self.current: Performance | None = None
        self._is_performing = False
        #: It is performed, but its response waits for the end of a message of ours.
        self._is_answering = False
        self._completion: Deferred[None] | None = None
        self._is_serving = False
        self._next_turn: IDelayedCall | None = None
        self._is_draining = False
        self._is_over = False

    # --- facts ---

    @property
    def is_inside_message(self) -> bool:
        return self._inbox.is_inside_message

    @property
    def is_performing(self) -> bool:
        """Whether what comes is no progress: a turn of the peer's ends when it reads, or answers us."""
        return self._is_performing

    @property
    def is_our_turn(self) -> bool:
        """The peer has done its part and waits for us.

        Not while it must read, or answer a request of ours, before the operation can go on. A C-STORE goes
        on whatever else there is.
        """
        current = self.current
        if current is None or not self._is_performing:
            return False
        if current.conversation is None and not self._is_answering:
            return True
        return not (self._sender.is_paused or self._requests.is_awaiting)

    # --- from the association ---

    def receive(self, received: list[Fragment]) -> None:
        self._sender.heard()
        self._inbox.add(received)
        self.serve()

    def receive_release(self) -> None:
        self._is_release_asked = True
        self.serve()

    def pause(self) -> None:
        """The peer does not read what it is sent."""
        self._sender.pause()
        self._hold_reading()

    def resume(self) -> None:
        self._sender.resume()
        self.serve()

    def drain(self) -> None:
        """Begin nothing new; :meth:`Channel.drained` is called when nothing is under way."""
        self._is_draining = True
        self.serve()

    def go_on(self) -> None:
        """After :meth:`drain`: begin again what comes, and what has come meanwhile."""
        self._is_draining = False
        self.serve()

    def end(self, cause: str) -> None:
        """The association is gone. A request that came whole is still performed, another is abandoned.

        :param cause: for whoever had still something to say to the peer.
        """
        self._is_over = True
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        self._inbox.clear()
        current = self.current
        if current is not None and not self._is_performing:
            self.current = None
            self._completion = ensureDeferred(self._abandon(current.operation))
        if current is not None and current.conversation is not None:
            current.conversation.end(cause)
        self._sender.end(cause)
        self._requests.end(cause)

    async def settled(self) -> None:
        """After :meth:`end`: nothing of this exchange is under way any more."""
        if self._completion is not None:
            await self._completion

    # --- serving ---

    def serve(self) -> None:
        """Take from the queue until an operation is being performed, the peer must read first, or it is
        others' turn."""
        if self._is_serving:
            return
        self._is_serving = True
        try:
            self._take_turn()
            if self._is_release_asked and self._has_answered_all:
                self._channel.answer_release()
        except CommandError as error:
            self._channel.abort(str(error), Ending.PROTOCOL_FAULT)
        except Exception:  # the boundary: a fault of the program costs this association alone
            self._program_fault(Failure())
        finally:
            self._is_serving = False
        self._hold_reading()
        if self._is_draining and not self._is_over and not self._is_under_way:
            self._channel.drained()

    def _hold_reading(self) -> None:
        if self._inbox.size > QUEUE_LIMIT:
            self._flow.hold(Hold.QUEUE)
        else:
            self._flow.let_go(Hold.QUEUE)
        if self._sender.is_paused and not self._is_listening:
            self._flow.hold(Hold.ANSWERS)
        else:
            self._flow.let_go(Hold.ANSWERS)

    def _take_turn(self) -> None:
        left = TURN
        inbox = self._inbox
        while not self._is_over and self._next_turn is None:
            may_begin = self._may_begin
            is_due = may_begin and inbox.put_off
            if not is_due and not (inbox.fragments and (may_begin or self._is_listening)):
                return
            if left <= 0:
                self._next_turn = self._clock.callLater(0, self._begin_turn)
                return
            left -= self._act(inbox.take_put_off() if is_due else inbox.take(may_begin))

    def _begin_turn(self) -> None:
        self._next_turn = None
        self.serve()

    @property
    def _may_begin(self) -> bool:
        """Whether a request that comes next may be begun.

        One also while the peer does not read on in a message of ours, which its response will wait for: it
        may first want to be rid of its own.
        """
        if self._is_performing or (self._sender.is_paused and not self._sender.is_inside_message):
            return False
        return not self._is_draining or self._is_inside_request

    @property
    def _is_listening(self) -> bool:
        """Whether what comes is looked at though no request may be begun.

        It may be a C-CANCEL-RQ or the answer to a request of ours.
        """
        if self._is_performing:
            return self.current is not None and self.current.conversation is not None
        return self._requests.is_under_way

    @property
    def _has_answered_all(self) -> bool:
        return not (self._is_over or self._is_performing or self._sender.is_paused) and self._inbox.is_empty

    @property
    def _is_inside_request(self) -> bool:
        return self.current is not None or self._inbox.is_inside_request

    @property
    def _is_under_way(self) -> bool:
        return self._is_inside_request or self._requests.is_under_way

    def _act(self, received: Received | None) -> int:
        """Gives the share of the turn that it took."""
        if isinstance(received, DataSetPiece):
            self._write(received)
        elif received is not None:
            message = received.message
            if isinstance(message, Response):
                if not self._requests.take(message):
                    raise CommandError(f"a response ({message.command_field:04X}H) to no request of ours")
            elif isinstance(message, CancelRequest):
                self._cancel(message)
            else:
                self._begin(self._contexts[received.context_id], message)
                return REQUEST_SHARE
        return 1

    def _cancel(self, cancel: CancelRequest) -> None:
        """PS3.7 9.3.2.3: ignored but for the operation that is being performed."""
        current = self.current
        if current is None or current.conversation is None:
            return
        if current.request.message_id == cancel.message_id_being_responded_to:
            current.conversation.is_cancelled = True

    def _begin(self, context: PresentationContext, message: Request) -> None:
        conversation, session = None, self._silent_session
        if message.command_field not in SILENT:
            conversation = Conversation(context, self._requests, partial(self._respond, context, message))
            session = self._new_session(conversation)
        operation = self._registry.begin(message, context, session)
        self.current = Performance(message, context, operation, conversation, self._clock.seconds())
        if not message.has_data_set:
            self._complete(self.current)

    def _write(self, piece: DataSetPiece) -> None:
        current = self.current
        assert current is not None, "the assembler lets no Data Set pass before its Command Set"
        data = piece.data
        current.size += len(data)
        self.account.add(len(data))
        current.operation.write(data)
        if piece.is_last:
            self._complete(current)

    # --- performing ---

    def _complete(self, current: Performance) -> None:
        self.account.begin_operation()
        self._is_performing = True
        completion = ensureDeferred(self._perform(current)).addErrback(self._program_fault)
        if not completion.called:
            self._completion = completion

    async def _perform(self, current: Performance) -> None:
        try:
            outcome = await current.operation.complete()
        except AssociationLost as lost:  # in the midst of what it had to say
            outcome = Outcome(status=Status.PROCESSING_FAILURE, comment=str(lost))
        except Exception:  # the boundary: a fault of the program costs this operation alone
            self._log.failure("{request} failed", request=type(current.request).__name__)
            outcome = Outcome(status=Status.PROCESSING_FAILURE, comment="fault of the program, see the log")
        while self._sender.is_inside_message:  # again, where another one began as soon as that was whole
            self._is_answering = True
            await self._sender.whole()
            self._is_answering = False
        self.account.end_operation()
        if current.conversation is not None:
            current.conversation.end("the operation has ended")
        answered = not self._is_over and self._answer(current, outcome)
        self.current = self._completion = None
        self._is_performing = False
        seconds = self._clock.seconds() - current.started
        self._channel.performed(current, outcome, seconds, answered=answered)
        self.serve()

    def _answer(self, current: Performance, outcome: Outcome) -> bool:
        """Gives whether the peer can take the response."""
        response = self._registry.response(current.request, outcome).encode()
        try:
            self._sender.send_at_once(current.context.id, response, outcome.data_set)
        except AssociationLost as lost:  # it is there, but can take no message
            self._channel.abort(str(lost), Ending.PROTOCOL_FAULT)
            return False
        return True

    async def _respond(self, context: PresentationContext, request: Request, outcome: Outcome) -> None:
        """Send a response that is not the last."""
        response = self._registry.response(request, outcome).encode()
        await self._sender.send(context.id, response, outcome.data_set)

    def _program_fault(self, failure: Failure) -> None:
        self._log.failure("an operation failed", failure)
        self._channel.abort("fault of the program", Ending.PROGRAM_FAULT)

    async def _abandon(self, operation: IOperation) -> None:
        await operation.abandon()
        self._completion = None
