"""What goes out over one association: messages one after the other, as far as the transport takes them.

Whoever has the association says when the transport takes no more, and when all is over. Nothing is
known here of what the messages say, or of what comes in.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from sdcc.dimse.fragments import Cutter, fragment_room, fragments
from sdcc.interfaces import AssociationLost
from sdcc.upper_layer.pdu import Pieces

#: What is given to the transport at once, in bytes, of a Data Set that comes in longer pieces.
PORTION = 256 * 1024
#: What is sent before the reactor turns to others, in bytes, and what a message, and each of its PDUs, costs
#: of them beyond its own: a peer may announce that it takes no more than two bytes at once.
TURN = 1024 * 1024
MESSAGE_SHARE = 32 * 1024
PDU_SHARE = 256


class Sender:
    """Sends messages whole: none begins inside another (PS3.8 Annex E).

    :param send: sends P-DATA-TF PDUs; nothing happens where the association is gone.
    :param abort: ends the association, for a reason that is for the log.
    :param maximum_length: of P-DATA-TF, as the peer announced; 0: no limit.
    :param progressed: called when it becomes the peer's part to get on, because a message is whole or the
        transport takes no more; and when the peer has taken what it was sent.
    """

    def __init__(
        self,
        *,
        send: Callable[[Pieces], None],
        abort: Callable[[str], None],
        maximum_length: int,
        clock: IReactorTime,
        progressed: Callable[[], None] = lambda: None,
    ) -> None:
        self._send = send
        self.abort = abort
        self._maximum_length = maximum_length
        self._clock = clock
        self._progressed = progressed
        self._message = DeferredLock()
        self._left = TURN
        self._next_turn: IDelayedCall | None = None
        self._waiting: list[Deferred[None]] = []
        #: Why nothing can be sent; empty: it can.
        self._lost = ""
        try:
            room = self._fragment_room = fragment_room(maximum_length)
            #: What a byte of a Data Set costs of a turn.
            self._weight = 1 + PDU_SHARE / room
            self._portion = int(PORTION / self._weight)
        except ValueError as error:
            self._lost = f"the peer announced that it can take no message: {error}"
        #: Whether the transport takes no more for now.
        self.is_paused = False

    @property
    def is_inside_message(self) -> bool:
        """Whether a message has begun that is not whole, or waits to begin."""
        return self._message.locked

    # --- from the association ---

    def pause(self) -> None:
        if not self.is_paused:
            self.is_paused = True
            self._progressed()

    def resume(self) -> None:
        self.is_paused = False
        self._progressed()
        self._wake()

    def heard(self) -> None:
        """Something of the peer's was read: that is a turn of the reactor, in which others have had theirs.

        Without this, what is sent next would be held up by what was sent before the peer answered.
        """
        self._left = TURN

    def end(self, cause: str) -> None:
        """The association is gone: whoever waits is told so, in words that name no peer."""
        self._lost = self._lost or cause
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        self._wake()

    # --- sending ---

    def send_at_once(self, context_id: int, command_set: bytes, data_set: bytes | None = None) -> None:
        """Send a message whatever the transport takes. No other must be under way.

        :raises AssociationLost: nobody is there, or the peer can take no message.
        """
        if self._lost:
            raise AssociationLost(self._lost)
        chunks = None if data_set is None else (data_set,)
        pdus = b"".join(fragments(context_id, command_set, chunks, maximum_length=self._maximum_length))
        self._left -= len(pdus) + MESSAGE_SHARE
        self._send([pdus])

    async def send(self, context_id: int, command_set: bytes, data_set: bytes | None = None) -> None:
        """Send a message, and come back when the transport takes more and others have had their turn.

        :raises AssociationLost: the message is not sent, or nothing can be any more.
        """
        await self._message.acquire()
        try:
            await self.room()
            self.send_at_once(context_id, command_set, data_set)
            self._progressed()
        finally:
            self._message.release()
        await self.room()

    async def stream(
        self,
        context_id: int,
        command_set: bytes,
        data_set: AsyncIterator[bytes | bytearray],
        length: int | None = None,
    ) -> int:
        """Send a message of whose Data Set no more is asked for than the transport takes; gives its bytes.

        :param length: bytes of `data_set`, where that is known: its last PDU then need not wait until it has
            ended.
        :raises AssociationLost: the message is not sent, or not whole.
        :raises Exception: what `data_set` raised; the association is aborted then, because a message that
            was begun cannot be taken back, unless nothing of it had been sent.
        """
        await self._message.acquire()
        has_begun = is_whole = False
        size = 0
        try:
            await self.room()
            # It goes with the first of the Data Set, and not before: it may be that nothing can be read.
            before = b"".join(fragments(context_id, command_set, maximum_length=self._maximum_length))
            cutter = Cutter(context_id, is_command=False, room=self._fragment_room)
            async for chunk in data_set:
                size += len(chunk)
                is_whole = size == length
                for portion in cutter.portions(chunk, self._portion, before=before, is_last=is_whole):
                    has_begun, before = True, b""
                    await self._send_portion(portion)
                if is_whole:
                    break
            if not is_whole:
                has_begun = True
                await self._send_portion([before, cutter.end()])
            self._left -= MESSAGE_SHARE
            self._progressed()
            return size
        except AssociationLost:
            raise
        except BaseException:
            if has_begun:
                self.abort("a message that was begun could not be made whole")
            raise
        finally:
            self._message.release()
            if isinstance(data_set, AsyncGenerator):
                await data_set.aclose()

    async def _send_portion(self, portion: Pieces) -> None:
        if self._left <= 0 or self.is_paused or self._lost:
            await self.room()
        self._left -= int(sum(map(len, portion)) * self._weight)
        self._send(portion)

    # --- waiting ---

    async def whole(self) -> None:
        """No message is begun or waits to begin that was there before."""
        await self._message.acquire()
        self._message.release()

    async def room(self) -> None:
        """The transport takes more, and others have had their turn.

        :raises AssociationLost: nobody is there any more.
        """
        if self._left <= 0 and self._next_turn is None and not self._lost:
            self._next_turn = self._clock.callLater(0, self._begin_turn)
        while not self._lost and (self.is_paused or self._next_turn is not None):
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting
        if self._lost:
            raise AssociationLost(self._lost)

    def _begin_turn(self) -> None:
        self._next_turn = None
        self._left = TURN
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            if not deferred.called:  # by its waiter, who has given up
                deferred.callback(None)
