"""The Storage Commitment Service Class as SCP, Push Model (PS3.4 Annex J): from an N-ACTION-RQ to its answer.

Success is answered when the request is written down, so that a report is certain to come; what it says of the
objects is found out afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger
from zope.interface import implementer

from sdcc.conformance import COMMITMENT_SERVICE, STORAGE_COMMITMENT_INSTANCE
from sdcc.dimse.command import CommandField
from sdcc.dimse.messages import ActionRequest, error_comment
from sdcc.dimse.status import Status
from sdcc.interfaces import IOperation, IServiceProvider, Outcome, RunInThread, Session
from sdcc.services.commitment.references import NotAcceptable, read_action_information
from sdcc.services.commitment.transactions import TooMuchOwed, TransactionInUse, Transactions
from sdcc.services.operation import Decided

#: The one Action Type (PS3.4 Table J.3-1).
REQUEST_STORAGE_COMMITMENT = 1
#: Bytes of a Data Set: 40,000 references; and of all that are not answered yet.
MAXIMUM_DATA_SET = 4 << 20
MAXIMUM_COLLECTED = 32 << 20


@implementer(IServiceProvider)
class CommitmentProvider:
    """N-ACTION.

    :param refusal: why nothing can be written down at present; None: it can.
    :param run_in_thread: for Data Sets that take a while to read.
    """

    service = COMMITMENT_SERVICE
    command_fields = frozenset({CommandField.N_ACTION_RQ})

    def __init__(
        self,
        transactions: Transactions,
        run_in_thread: RunInThread,
        refusal: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._transactions = transactions
        self._run_in_thread = run_in_thread
        self._refusal = refusal
        self._collected = Collected()

    def begin(self, request: ActionRequest, transfer_syntax_uid: str, session: Session) -> IOperation:
        def decided(status: Status, comment: str) -> IOperation:
            return Decided(status, error_comment(comment), on_written=session.on_written)

        if request.affected_sop_instance_uid != STORAGE_COMMITMENT_INSTANCE:
            return decided(
                Status.NO_SUCH_SOP_INSTANCE, f"The SOP Instance UID is not {STORAGE_COMMITMENT_INSTANCE}"
            )
        if request.action_type_id != REQUEST_STORAGE_COMMITMENT:
            return decided(Status.NO_SUCH_ACTION, f"The Action Type ID is not {REQUEST_STORAGE_COMMITMENT}")
        if not request.has_data_set:
            return decided(Status.INVALID_ARGUMENT_VALUE, "There is no Action Information")
        if (refusal := self._refusal()) is not None:
            return decided(Status.RESOURCE_LIMITATION, refusal)
        return _Action(self._transactions, self._run_in_thread, self._collected, transfer_syntax_uid, session)


class Collected:
    """Bytes of the Data Sets that are not answered yet."""

    def __init__(self) -> None:
        self.total = 0


@implementer(IOperation)
class _Action:
    """One N-ACTION."""

    _log = Logger()

    def __init__(
        self,
        transactions: Transactions,
        run_in_thread: RunInThread,
        collected: Collected,
        transfer_syntax_uid: str,
        session: Session,
    ) -> None:
        self._transactions = transactions
        self._run_in_thread = run_in_thread
        self._collected = collected
        self._transfer_syntax_uid = transfer_syntax_uid
        self._session = session
        self._size = 0
        self._data = bytearray()
        #: Why the Data Set goes by unread; empty: it does not.
        self._excess = ""
        #: For the log.
        self._note = ""

    def write(self, data: memoryview) -> None:
        self._session.on_written(len(data))  # bounded here, and nothing that the disk could make room for
        self._size += len(data)
        if self._size > MAXIMUM_DATA_SET:
            self._excess = f"The Data Set is longer than {MAXIMUM_DATA_SET} bytes"
        elif self._collected.total + len(data) > MAXIMUM_COLLECTED:
            self._excess = "Too many requests are coming in at present"
        if self._excess:
            self._let_go()
        else:
            self._data += data
            self._collected.total += len(data)

    async def complete(self) -> Outcome:
        try:
            status, comment = await self._answer()
        except Exception:  # the boundary of an operation: a fault of the program ends no association
            self._log.failure("N-ACTION failed")
            status, comment = Status.PROCESSING_FAILURE, "A fault of the program"
        finally:
            self._let_go()
        return Outcome(status=status, comment=error_comment(comment), size=self._size, note=self._note)

    async def abandon(self) -> None:
        self._let_go()

    async def _answer(self) -> tuple[Status, str]:
        if self._excess:
            return Status.RESOURCE_LIMITATION, self._excess
        session = self._session
        try:
            information = await self._run_in_thread(
                read_action_information, bytes(self._data), self._transfer_syntax_uid
            )
            self._note = (
                f"Storage Commitment {information.transaction_uid}, objects: {len(information.references)}"
            )
            await self._transactions.take(information, session.provenance, session.conversation)
        except NotAcceptable as fault:
            return fault.status, str(fault)
        except TransactionInUse:
            return Status.INVALID_ARGUMENT_VALUE, "Transaction UID (0008,1195) is in use by another request"
        except TooMuchOwed as refusal:
            return Status.RESOURCE_LIMITATION, str(refusal)
        except OSError as error:
            self._log.error(
                "A Storage Commitment Request cannot be written down: {error}", error=error.strerror
            )
            return Status.RESOURCE_LIMITATION, error.strerror or "The request cannot be written down"
        return Status.SUCCESS, ""

    def _let_go(self) -> None:
        self._collected.total -= len(self._data)
        self._data = bytearray()
