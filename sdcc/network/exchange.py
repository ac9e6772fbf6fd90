"""The messages of one established association: requests taken in turn, performed, answered.

It knows operations and Presentation Contexts and neither transport nor association: what is to
be sent or ended goes through :class:`Channel`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from sdcc.dimse.command import CommandError
from sdcc.dimse.fragments import CommandReceived, DataSetPiece, MessageAssembler, fragments
from sdcc.dimse.messages import CancelRequest, Request, Response
from sdcc.dimse.status import Status
from sdcc.interfaces import IOperation, Outcome, Session
from sdcc.network.flow import Flow, Hold
from sdcc.network.limits import Account
from sdcc.services.registry import Registry
from sdcc.upper_layer.framing import Fragment
from sdcc.upper_layer.negotiation import PresentationContext

#: What may wait while an operation is being performed, in bytes, before nothing more is read (the read that
#: passes it waits too), and what a fragment costs beyond its data.
QUEUE_LIMIT = 64 * 1024
FRAGMENT_COST = 256
#: What is served before the reactor turns to others: so many fragments, of which a request counts as many.
TURN = 1024
REQUEST_SHARE = 32


@dataclass(slots=True)
class Performance:
    """One request on its way through."""

    request: Request
    context: PresentationContext
    operation: IOperation
    started: float
    #: Bytes of its Data Set so far.
    size: int = 0


class Channel(Protocol):
    """What an exchange asks of its association."""

    def send(self, pdus: bytes) -> None:
        """Send P-DATA-TF PDUs; nothing happens where the association is gone."""

    def answer_release(self) -> None:
        """Everything before the peer's A-RELEASE-RQ is answered."""

    def abort(self, cause: str) -> None:
        """The peer broke PS3.7; `cause` is for the log."""

    def performed(
        self, performance: Performance, outcome: Outcome, seconds: float, *, answered: bool
    ) -> None:
        """An operation has ended."""

    def drained(self) -> None:
        """After :meth:`Exchange.drain`: nothing is under way any more."""


RELEASE = object()


class Exchange:
    """PS3.7's message exchange, as SCP, one operation at a time (PS3.7 D.3.3.3).

    :param maximum_length: of P-DATA-TF, as the peer announced; 0: no limit.
    """

    _log = Logger()

    def __init__(
        self,
        channel: Channel,
        *,
        contexts: Mapping[int, PresentationContext],
        maximum_length: int,
        registry: Registry,
        session: Session,
        account: Account,
        flow: Flow,
        clock: IReactorTime,
    ) -> None:
        self._channel = channel
        self._contexts = contexts
        self._maximum_length = maximum_length
        self._registry = registry
        self._session = session
        self._account = account
        self._flow = flow
        self._clock = clock
        self._assembler = MessageAssembler(contexts)
        self._queue: deque[Fragment | object] = deque()
        self._queued = 0
        #: The request whose Data Set is coming, or which is being performed.
        self._current: Performance | None = None
        self._completion: Deferred[None] | None = None
        self._is_serving = False
        self._next_turn: IDelayedCall | None = None
        self._is_draining = False
        self._is_over = False

    # --- facts ---

    @property
    def is_inside_message(self) -> bool:
        return not self._assembler.is_between_messages

    @property
    def is_performing(self) -> bool:
        """The peer has done its part and waits for us."""
        return self._completion is not None

    # --- from the association ---

    def receive(self, received: list[Fragment]) -> None:
        self._queue.extend(received)
        self._queued += sum(len(fragment.data) + FRAGMENT_COST for fragment in received)
        self.serve()

    def receive_release(self) -> None:
        self._queue.append(RELEASE)
        self.serve()

    def drain(self) -> None:
        """Begin nothing new; :meth:`Channel.drained` is called when nothing is under way."""
        self._is_draining = True
        self.serve()

    def end(self) -> None:
        """The association is gone. A request that came whole is still performed, another is abandoned."""
        self._is_over = True
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        self._queue.clear()
        self._queued = 0
        if self._current is not None and self._completion is None:
            current, self._current = self._current, None
            self._completion = ensureDeferred(self._abandon(current.operation))

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
        except CommandError as error:
            self._channel.abort(str(error))
        except Exception:  # the boundary: a fault of the program costs this association alone
            self._program_fault(Failure())
        finally:
            self._is_serving = False
        if self._queued > QUEUE_LIMIT:
            self._flow.hold(Hold.QUEUE)
        else:
            self._flow.let_go(Hold.QUEUE)
        if self._is_draining and not self._is_over and not self._is_under_way:
            self._channel.drained()

    def _take_turn(self) -> None:
        left = TURN
        while self._may_serve():
            if left <= 0:
                self._next_turn = self._clock.callLater(0, self._begin_turn)
                return
            item = self._queue.popleft()
            if isinstance(item, Fragment):
                self._queued -= len(item.data) + FRAGMENT_COST
                left -= self._take(item)
            else:
                self._channel.answer_release()

    def _begin_turn(self) -> None:
        self._next_turn = None
        self.serve()

    def _may_serve(self) -> bool:
        if not self._queue or self._is_over or self._completion is not None or self._next_turn is not None:
            return False
        if self._is_draining and not self._is_under_way and self._queue[0] is not RELEASE:
            return False
        return not self._flow.is_held(Hold.ANSWERS)

    @property
    def _is_under_way(self) -> bool:
        return self._current is not None or self.is_inside_message

    def _take(self, fragment: Fragment) -> int:
        """Gives the share of the turn that it took."""
        received = self._assembler.add(*fragment)
        if isinstance(received, DataSetPiece):
            self._write(received.data, is_last=received.is_last)
        elif isinstance(received, CommandReceived):
            self._begin(received)
            return REQUEST_SHARE
        return 1

    def _begin(self, received: CommandReceived) -> None:
        message = received.message
        if isinstance(message, Response):
            raise CommandError(f"a response ({message.command_field:04X}H) to no request of ours")
        if isinstance(message, CancelRequest):
            return  # operations are performed one by one: what it would cancel has been answered
        context = self._contexts[received.context_id]
        operation = self._registry.begin(message, context, self._session)
        self._current = Performance(message, context, operation, self._clock.seconds())
        if not message.has_data_set:
            self._complete(self._current)

    def _write(self, data: memoryview, *, is_last: bool) -> None:
        current = self._current
        assert current is not None, "the assembler lets no Data Set pass before its Command Set"
        current.size += len(data)
        self._account.add(len(data))
        current.operation.write(data)
        if is_last:
            self._complete(current)

    # --- performing ---

    def _complete(self, current: Performance) -> None:
        self._account.begin_operation()
        completion = ensureDeferred(self._perform(current)).addErrback(self._program_fault)
        if not completion.called:
            self._completion = completion

    async def _perform(self, current: Performance) -> None:
        try:
            outcome = await current.operation.complete()
        except Exception:  # the boundary: a fault of the program costs this operation alone
            self._log.failure("{request} failed", request=type(current.request).__name__)
            outcome = Outcome(status=Status.PROCESSING_FAILURE, comment="fault of the program, see the log")
        self._account.end_operation()
        self._current = self._completion = None
        answered = not self._is_over and self._answer(current, outcome)
        seconds = self._clock.seconds() - current.started
        self._channel.performed(current, outcome, seconds, answered=answered)
        self.serve()

    def _answer(self, current: Performance, outcome: Outcome) -> bool:
        """Gives whether the peer can take the response."""
        response = self._registry.response(current.request, outcome).encode()
        try:
            pdus = b"".join(fragments(current.context.id, response, maximum_length=self._maximum_length))
        except ValueError as error:
            self._channel.abort(str(error))
            return False
        self._channel.send(pdus)
        return True

    def _program_fault(self, failure: Failure) -> None:
        self._log.failure("an operation failed", failure)
        self._channel.abort("fault of the program")

    async def _abandon(self, operation: IOperation) -> None:
        await operation.abandon()
        self._completion = None
