"""The messages of one established association that SDCC has opened: requests go out, responses come in.

It knows neither transport nor association: what is to be sent or ended goes through :class:`Channel`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from sdcc.dimse.command import CommandError
from sdcc.dimse.fragments import CommandReceived, MessageAssembler
from sdcc.dimse.messages import Message, Request, Response, command_name
from sdcc.interfaces import AssociationLost, Ending, OperationFacts
from sdcc.network.lost import AssociationAborted, NoResponse
from sdcc.network.progress import ProgressWatch
from sdcc.network.requests import Requests, own_contexts
from sdcc.network.sending import Sender
from sdcc.upper_layer.framing import Fragment
from sdcc.upper_layer.negotiation import PresentationContext
from sdcc.upper_layer.pdu import Pieces


class Channel(Protocol):
    """What an exchange asks of its association."""

    def send(self, pdus: Pieces) -> None:
        """Send P-DATA-TF PDUs; nothing happens where the association is gone."""

    def fail(self, error: AssociationLost, ending: Ending) -> None:
        """Abort, and tell whoever waits or asks why."""

    def invoked(self, operation: OperationFacts) -> None:
        """A request has been answered, or will not be any more."""


class OwnExchange:
    """
    :param maximum_length: of P-DATA-TF, as the peer announced; 0: no limit.
    :param timeout: seconds that the peer may make no progress for: take nothing more, or not answer.
    """

    def __init__(
        self,
        channel: Channel,
        contexts: Mapping[int, PresentationContext],
        *,
        maximum_length: int,
        clock: IReactorTime,
        timeout: float,
    ) -> None:
        self._channel = channel
        self._timeout = timeout
        self._assembler = MessageAssembler(contexts)
        self._sender = Sender(
            send=channel.send,
            abort=lambda cause: channel.fail(AssociationAborted(cause), Ending.GIVEN_UP),
            maximum_length=maximum_length,
            clock=clock,
            progressed=self._progressed,
        )
        self._requests = Requests(
            self._sender, own_contexts(contexts, is_requestor=True), clock=clock, invoked=channel.invoked
        )
        self._progress = ProgressWatch(
            clock,
            timeout,
            is_our_turn=lambda: not (self._sender.is_paused or self._requests.is_awaiting),
            expired=self._expired,
        )
        #: The request last made, and how many have been answered.
        self._asked = ""
        self.answered = 0
        self._responses: list[Response] = []
        #: The response whose Data Set, which is of no interest, is coming.
        self._unfinished: Response | None = None
        self._lost: AssociationLost | None = None

    @property
    def contexts(self) -> Mapping[int, PresentationContext]:
        return self._requests.contexts

    @property
    def is_under_way(self) -> bool:
        """Whether a request is being sent, or has no answer yet."""
        return self._requests.is_under_way

    async def request(
        self,
        context_id: int,
        message: Request,
        data_set: AsyncIterator[bytes | bytearray] | None,
        length: int | None,
    ) -> Response:
        """See :class:`~sdcc.interfaces.IRequests`."""
        self._asked = command_name(message.command_field)
        try:
            response: Response = await self._requests.request(context_id, message, data_set, length)
        except AssociationLost as error:
            raise self._lost or error from None
        self.answered += 1
        return response

    # --- from the association ---

    def receive(self, received: list[Fragment]) -> None:
        """What it makes of them is handed on by :meth:`hand_on`.

        :raises CommandError: the peer broke PS3.7.
        """
        self._sender.heard()
        for fragment in received:
            part = self._assembler.add(*fragment)
            if isinstance(part, CommandReceived):
                self._begin(part.message)
            elif part is not None and part.is_last and self._unfinished is not None:
                self._responses.append(self._unfinished)
                self._unfinished = None

    def _begin(self, message: Message) -> None:
        if not isinstance(message, Response):
            name = command_name(message.command_field)
            raise CommandError(f"the peer sent {name} over an association on which it may request nothing")
        if message.has_data_set:
            self._unfinished = message
        else:
            self._responses.append(message)

    def hand_on(self) -> None:
        """Give the responses that have come to whoever waits for them."""
        while self._responses:
            self._progressed()
            if not self._requests.take(self._responses.pop(0)):
                error = AssociationAborted("the peer sent what is no response to our request")
                self._channel.fail(error, Ending.PROTOCOL_FAULT)

    def pause(self) -> None:
        """The transport takes no more for now."""
        self._sender.pause()

    def resume(self) -> None:
        self._sender.resume()

    def end(self, error: AssociationLost) -> None:
        """The association is gone: whoever waits for an answer, or asks from now on, is told so."""
        self._lost = error
        self._progress.stop()
        self._sender.end(str(error))
        self._requests.end(str(error))

    # --- the peer's progress ---

    def _progressed(self) -> None:
        self._progress.progressed()

    def _expired(self) -> None:
        what = f"no more of {self._asked} taken" if self._sender.is_paused else f"no answer to {self._asked}"
        self._channel.fail(NoResponse(f"{what} within {self._timeout:g} s"), Ending.TIMEOUT)
