"""What one operation and its peer say to each other before the operation ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from zope.interface import implementer

from sdcc.interfaces import AssociationLost, IConversation, IRequests, Outcome
from sdcc.upper_layer.negotiation import PresentationContext


@implementer(IConversation)
class Conversation:
    """Of one operation that may have several responses.

    :param respond: sends a response to its request.
    """

    def __init__(
        self,
        context: PresentationContext,
        requests: IRequests,
        respond: Callable[[Outcome], Awaitable[None]],
    ) -> None:
        self.context = context
        self.requests = requests
        self.is_cancelled = False
        #: How many responses there were.
        self.responses = 0
        self._respond = respond
        self._over = ""
        self._at_end: list[Callable[[], None]] = []

    async def respond(self, outcome: Outcome) -> None:
        if self._over:
            raise AssociationLost(self._over)
        self.responses += 1
        await self._respond(outcome)

    def at_end(self, call: Callable[[], None]) -> None:
        """See :class:`~sdcc.interfaces.IConversation`."""
        self._at_end.append(call)

    def end(self, cause: str) -> None:
        """The association is gone, or the operation has had its last response."""
        self.is_cancelled = True
        self._over = cause
        calls, self._at_end = self._at_end, []
        for call in calls:
            call()


@implementer(IConversation)
class Silence:
    """Of all operations of an association that have one response and say nothing before it."""

    context = None
    is_cancelled = False

    def __init__(self, requests: IRequests) -> None:
        self.requests = requests

    def at_end(self, call: Callable[[], None]) -> None:
        raise RuntimeError("who says nothing need not know whether anybody listens")

    async def respond(self, outcome: Outcome) -> None:
        raise RuntimeError("this operation has one response: what `complete` gives")
