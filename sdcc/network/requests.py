"""Requests that this side makes over an association, whichever side opened it.

Whoever has the association hands over the responses that come, and knows what else does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from sdcc.conformance import STORAGE_COMMITMENT
from sdcc.dimse.command import RESPONSE
from sdcc.dimse.messages import Request, Response
from sdcc.dimse.status import Status
from sdcc.interfaces import AssociationLost, IRequests, OperationFacts
from sdcc.network.sending import Sender
from sdcc.upper_layer.negotiation import PresentationContext

#: The longest (0000,0110).
MAXIMUM_MESSAGE_ID = 0xFFFF
#: The statuses of responses that are not the last.
NOT_LAST = frozenset({Status.PENDING, Status.PENDING_WITH_UNSUPPORTED_KEYS})


def own_contexts(
    contexts: Mapping[int, PresentationContext], *, is_requestor: bool
) -> Mapping[int, PresentationContext]:
    """Those that this side may make requests on: as SCU, or where its role of SCP has events to report.

    :param is_requestor: whether this side asked for the association.
    """

    def is_own(context: PresentationContext) -> bool:
        roles = (context.requestor_is_scu, context.requestor_is_scp)
        is_scu, is_scp = roles if is_requestor else roles[::-1]
        return is_scu or (is_scp and context.abstract_syntax == STORAGE_COMMITMENT)

    return MappingProxyType({id: context for id, context in contexts.items() if is_own(context)})


@implementer(IRequests)
class Requests:
    """One request at a time (PS3.7 D.3.3.3); whoever comes meanwhile waits for its turn.

    :param contexts: of :func:`own_contexts`.
    :param invoked: told of each request whose turn has come, when it is answered or never will be.
    """

    def __init__(
        self,
        sender: Sender,
        contexts: Mapping[int, PresentationContext],
        *,
        clock: IReactorTime,
        invoked: Callable[[OperationFacts], None],
    ) -> None:
        self.contexts = contexts
        self._sender = sender
        self._clock = clock
        self._invoked = invoked
        self._turn = DeferredLock()
        self._message_id = 0
        self._asked: Request | None = None
        self._answer: Deferred[Response] | None = None
        self._lost = ""
        #: Whether the last request is whole and has no answer yet.
        self.is_awaiting = False

    @property
    def is_under_way(self) -> bool:
        """Whether a request is being sent, or has no answer yet."""
        return self._turn.locked

    async def request(
        self, context_id: int, message: Request, data_set: AsyncIterator[bytes] | None = None
    ) -> Response:
        """See :class:`~sdcc.interfaces.IRequests`. Cancelled before the answer, it aborts the association.

        :param message: its Message ID, and whether it has a Data Set, are set here.
        """
        await self._turn.acquire()
        try:
            self._check()
        except AssociationLost:
            self._turn.release()
            raise
        started = self._clock.seconds()
        size, response = 0, None
        try:
            asked = replace(message, message_id=self._next_id(), has_data_set=data_set is not None)
            answer: Deferred[Response] = Deferred()
            self._asked, self._answer = asked, answer
            if data_set is None:
                await self._sender.send(context_id, asked.encode())
            else:
                size = await self._sender.stream(context_id, asked.encode(), data_set)
            self._check()
            self.is_awaiting = not answer.called
            response = await answer
            return response
        finally:
            if self.is_awaiting:  # who asked has given up, and what comes would answer nothing
                self._sender.abort("a request was given up before its answer")
            self._asked = self._answer = None
            self.is_awaiting = False
            self._turn.release()
            seconds = self._clock.seconds() - started
            self._invoked(_facts(message, response, size=size, seconds=seconds))

    def take(self, response: Response) -> bool:
        """Take a response that came; gives whether it is one to what was asked."""
        asked, answer = self._asked, self._answer
        if asked is None or answer is None or answer.called:
            return False
        if (response.message_id_being_responded_to, response.command_field) != (
            asked.message_id,
            asked.command_field | RESPONSE,
        ):
            return False
        if response.status not in NOT_LAST:
            self.is_awaiting = False
            answer.callback(response)
        return True

    def end(self, cause: str) -> None:
        """The association is gone: whoever waits for an answer, or asks from now on, is told so."""
        self._lost = self._lost or cause
        if self.is_awaiting and self._answer is not None:
            self.is_awaiting = False
            self._answer.errback(AssociationLost(self._lost))

    def _check(self) -> None:
        if self._lost:
            raise AssociationLost(self._lost)

    def _next_id(self) -> int:
        self._message_id = self._message_id % MAXIMUM_MESSAGE_ID + 1
        return self._message_id


def _facts(request: Request, response: Response | None, *, size: int, seconds: float) -> OperationFacts:
    """
    :param response: the last; None: it never came.
    :param size: bytes of the request's Data Set.
    """
    return OperationFacts(
        command_field=request.command_field,
        sop_class_uid=request.affected_sop_class_uid or "",
        sop_instance_uid=request.affected_sop_instance_uid or "",
        is_ours=True,
        status=Status.PROCESSING_FAILURE if response is None else response.status,
        size=size,
        seconds=seconds,
        is_answered=response is not None,
    )
