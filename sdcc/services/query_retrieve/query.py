"""The Query part of the Query/Retrieve Service Class as SCP (PS3.4 Annex C): C-FIND, in both roots.

Answers go out as the index finds matches, as fast as the peer takes them: nothing is gathered. Of the
index it knows only :mod:`sdcc.interfaces`.
"""

from __future__ import annotations

from contextlib import aclosing

from twisted.logger import Logger
from zope.interface import implementer

from sdcc.conformance import QUERY_SERVICE
from sdcc.dimse.command import CommandField
from sdcc.dimse.messages import FindRequest
from sdcc.dimse.status import Status
from sdcc.interfaces import AssociationLost, IIndex, IOperation, IServiceProvider, Outcome, Session
from sdcc.services.operation import Decided
from sdcc.services.query_retrieve.answers import Answers
from sdcc.services.query_retrieve.identifiers import BadIdentifier, GatheredIdentifier
from sdcc.services.query_retrieve.questions import Question, read_question


@implementer(IServiceProvider)
class QueryProvider:
    """C-FIND.

    :param maximum_answers: to one query; 0: no limit.
    """

    service = QUERY_SERVICE
    command_fields = frozenset({CommandField.C_FIND_RQ})

    def __init__(self, index: IIndex, *, maximum_answers: int = 0) -> None:
        self._index = index
        self.reconfigure(maximum_answers=maximum_answers)

    def reconfigure(self, *, maximum_answers: int) -> None:
        """Give so many answers at most to each query that begins from now on."""
        self._maximum_answers = maximum_answers

    def begin(self, request: FindRequest, transfer_syntax_uid: str, session: Session) -> IOperation:
        if not request.has_data_set:
            return Decided(
                Status.CANNOT_UNDERSTAND, "C-FIND-RQ without an Identifier", on_written=session.on_written
            )
        return _Find(self._index, session, self._maximum_answers)


@implementer(IOperation)
class _Find:
    """One C-FIND."""

    _log = Logger()

    def __init__(self, index: IIndex, session: Session, maximum_answers: int) -> None:
        self._index = index
        self._session = session
        self._conversation = session.conversation
        self._maximum_answers = maximum_answers
        self._identifier = GatheredIdentifier(session)
        #: Of the query, once it is known; for the log.
        self._level = ""

    def write(self, data: memoryview) -> None:
        self._identifier.write(data)

    async def complete(self) -> Outcome:
        try:
            question = read_question(self._identifier.whole(), self._conversation.context)
        except BadIdentifier as fault:
            offending = () if fault.tag is None else (fault.tag,)
            return self._ended(fault.status, str(fault), offending)
        self._level = question.identifier.level
        try:
            return await self._answer(question)
        except AssociationLost:
            return self._ended(Status.CANCEL, "the peer is gone")
        except (OSError, ValueError) as fault:
            self._log.warn(
                "C-FIND of {ae}: the index cannot be read: {fault}",
                ae=self._session.provenance.calling_ae,
                fault=fault,
            )
            return self._ended(Status.OUT_OF_RESOURCES, "The index cannot be read, see the log")
        except Exception:  # the boundary of an operation: what was asked is recorded all the same
            self._log.failure("C-FIND of {ae} failed", ae=self._session.provenance.calling_ae)
            return self._ended(Status.PROCESSING_FAILURE, "A fault of the program")

    async def _answer(self, question: Question) -> Outcome:
        conversation = self._conversation
        answers = Answers(
            question,
            transfer_syntax_uid=conversation.context.transfer_syntax,
            retrieve_ae=self._session.provenance.called_ae,
        )
        answered = 0
        status = Status.PENDING if question.is_supported else Status.PENDING_WITH_UNSUPPORTED_KEYS
        async with aclosing(self._index.find(question.query)) as matches:
            async for match in matches:
                if conversation.is_cancelled:
                    return self._ended(Status.CANCEL)
                if match is None:
                    continue
                if answered == self._maximum_answers != 0:
                    return self._ended(
                        Status.OUT_OF_RESOURCES,
                        f"More than {self._maximum_answers} match, which is the limit",
                    )
                await conversation.respond(Outcome(status=status, data_set=answers.identifier(match)))
                answered += 1
        return self._ended(Status.CANCEL if conversation.is_cancelled else Status.SUCCESS)

    def _ended(self, status: Status, comment: str = "", offending_element: tuple[int, ...] = ()) -> Outcome:
        return Outcome(
            status=status,
            comment=comment,
            size=self._identifier.size,
            offending_element=offending_element,
            note=f"{self._level} level" if self._level else "",
            identifier=self._identifier.kept,
        )

    async def abandon(self) -> None:
        pass
