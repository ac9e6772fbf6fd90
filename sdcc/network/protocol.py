"""An association that a peer opens: judged, then served until it ends.

Here are its beginning and its end, its timers and its lines in the log; the messages between
are :mod:`sdcc.network.exchange`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from twisted.internet.defer import ensureDeferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure
from zope.interface import implementer

from sdcc.config import Local
from sdcc.dimse.messages import command_name
from sdcc.dimse.status import Status
from sdcc.interfaces import Ending, IAssociationWatch, OperationFacts, Outcome, Provenance, Session
from sdcc.network import facts
from sdcc.network.acceptor import Accepted, Refused, wrong_protocol_version
from sdcc.network.activity import NOTHING, Activity
from sdcc.network.connection import Connection, peer_of
from sdcc.network.exchange import Exchange, Performance
from sdcc.network.flow import Flow, Hold
from sdcc.network.limits import Account
from sdcc.network.progress import ProgressWatch
from sdcc.network.surroundings import Surroundings
from sdcc.printable import ae_value, byte_count, printable
from sdcc.upper_layer.association import Association
from sdcc.upper_layer.codes import AbortSource
from sdcc.upper_layer.encoding import SHOWN
from sdcc.upper_layer.machine import (
    AbortIndication,
    AssociateIndication,
    AssociateRejected,
    DataIndication,
    Indication,
    ProviderAbortIndication,
    ReleaseIndication,
    Role,
    State,
)
from sdcc.upper_layer.pdu import AssociateRQ, Pieces

#: Not of a class, whose name would take the place of this one. The lines that every association and every
#: operation writes have one field, `line`: twisted.logger takes several times as long for one as an f-string.
log = Logger(namespace="sdcc.association")

#: What is read at once of an association's transport, in bytes: each turn of the reactor costs about as
#: much as 64 KiB do.
READ_SIZE = 256 * 1024
#: The statuses of operations that ended as their peers wanted them to.
ORDINARY = frozenset({Status.SUCCESS, Status.CANCEL})


@implementer(IPushProducer)
class AcceptorProtocol(Connection):
    """One connection to a port of ours.

    :param locals_: the local AEs of that port, by title.
    :param closed: called when the connection is gone and nothing of it is under way any more.

    :ivar number: of its association, once one was asked for; as the log has it.
    """

    number = 0

    def __init__(
        self,
        surroundings: Surroundings,
        locals_: Mapping[str, Local],
        closed: Callable[[AcceptorProtocol], None],
    ) -> None:
        settings = surroundings.settings
        association = Association(Role.ACCEPTOR, maximum_length=settings.maximum_pdu_length)
        super().__init__(association, surroundings.clock, settings.artim_timeout)
        self._surroundings = surroundings
        self._locals = locals_
        self._closed = closed
        self._name = ""
        self._accepted: Accepted | None = None
        self._exchange: Exchange | None = None
        self._progress: ProgressWatch | None = None
        self._parting = ""
        self._has_sent = False
        self._gathered = 0
        self._is_in_log = False
        self._performed_count = 0
        self._watch: IAssociationWatch | None = None
        #: How the association ended, in a word and for the log; None: it has not.
        self._ending: tuple[Ending, str] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is an association."""
        return self._accepted is not None

    # --- the transport ---

    @property
    def activity(self) -> Activity:
        exchange = self._exchange
        if exchange is None:
            return NOTHING
        doing = None if exchange.current is None else self._described(exchange.current)
        return Activity(doing, exchange.account.bytes)

    def connectionMade(self) -> None:
        peer = peer_of(self.transport)
        self._address = peer.host
        self._name = f"{peer.host}:{peer.port}"
        self._flow = Flow(self.transport)
        self.transport.registerProducer(self, True)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        self._has_sent = True
        super().dataReceived(data)
        if not self._is_in_log and self.association.state is State.STA13:
            self._is_in_log = True
            cause = self.association.fault or "a PDU out of place"
            self._log_stranger("{name} aborted before an A-ASSOCIATE-RQ: {cause}", cause=cause)
        exchange = self._exchange
        if self._progress is not None and exchange is not None and not exchange.is_performing:
            has_begun = exchange.is_inside_message or self.association.is_inside_pdu
            self._progress.received(len(data), inside_message=has_begun)
        self._hold(self.association.gathered)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._flow.close()
        self._hold(0)
        super().connectionLost(reason)
        self._end(Ending.CONNECTION_LOST, "the connection was lost")
        if not self._is_in_log and self._tls_cause:
            cause = self._tls_cause
            self._surroundings.observers.refused(partial(facts.refused_by_tls, self._address, cause))
            self._log_stranger("{name} refused, TLS: {cause}", cause=cause)
        elif not self._is_in_log and self._has_sent:
            self._log_stranger("{name} left before its A-ASSOCIATE-RQ was whole")
        ensureDeferred(self._settle()).addErrback(self._program_fault)

    def _hold(self, gathered: int) -> None:
        """Count the bytes of a PDU that is not whole; where all connections' are too many, end this one."""
        before, self._gathered = self._gathered, gathered
        gathering = self._surroundings.gathering
        if not gathering.replace(before, gathered):
            self._close(f"requests that are not whole take more than {gathering.limit >> 20} MiB")

    async def _settle(self) -> None:
        if self._exchange is not None:
            await self._exchange.settled()
        self._tell_end()
        self._closed(self)

    # the transport's view of us, as the producer of our answers

    def pauseProducing(self) -> None:
        if self._exchange is not None:
            self._exchange.pause()
        else:  # TLS has answers of its own, and a peer may ask for them without end
            self._flow.hold(Hold.ANSWERS)

    def resumeProducing(self) -> None:
        if self._exchange is not None:
            self._exchange.resume()
        else:
            self._flow.let_go(Hold.ANSWERS)

    def stopProducing(self) -> None:
        """The connection is lost; connectionLost says so too."""

    # --- the beginning ---

    def indicate(self, indication: Indication) -> None:
        match indication:
            case DataIndication(fragments):
                if self._exchange is not None:
                    self._exchange.receive(fragments)
            case AssociateIndication(request):
                self._requested(request)
                ensureDeferred(self._judge(request)).addErrback(self._program_fault)
            case AssociateRejected(request):
                self._requested(request)
                self._refused(request, wrong_protocol_version(request))
            case ReleaseIndication():
                if self._exchange is not None:
                    self._exchange.receive_release()
            case AbortIndication(source, reason):
                by = "the peer" if source == AbortSource.SERVICE_USER else "the peer's service-provider"
                self._aborted(f"by {by}, source {source:d}, reason {reason:d}", Ending.PEER_ABORT)
            case ProviderAbortIndication(_, ""):
                self._aborted(self._loss, Ending.CONNECTION_LOST)
            case ProviderAbortIndication(reason, cause):
                self._aborted(f"source 2, reason {reason:d}: {cause}", Ending.PROTOCOL_FAULT)

    @property
    def _loss(self) -> str:
        return "by the loss of its connection" + (f", TLS: {self._tls_cause}" if self._tls_cause else "")

    def _requested(self, request: AssociateRQ) -> None:
        self._is_in_log = True
        self.number = self._surroundings.next_number()
        self._name = f"{printable(request.called_ae)}<-{printable(request.calling_ae)}({self.number})"

    async def _judge(self, request: AssociateRQ) -> None:
        judgement = await self._surroundings.acceptor.judge(request, self._address, self._locals)
        if not self.association.may_answer:  # the peer left while a host name was resolved
            if isinstance(judgement, Accepted):
                self._surroundings.limits.release(judgement.slot)
        elif isinstance(judgement, Refused):
            self._refused(request, judgement)
            self.perform(self.association.reject(judgement.answer))
        else:
            self._establish(request, judgement)

    def _refused(self, request: AssociateRQ, refused: Refused) -> None:
        around = self._surroundings
        around.observers.refused(
            lambda: facts.refused(
                request,
                refused,
                self._address,
                is_local=request.called_ae in self._locals,
                is_remote=around.acceptor.is_remote(request.calling_ae),
            )
        )
        self._log_stranger(
            "{name} refused {codes}: {rule} (from {address})",
            codes=refused.codes,
            rule=refused.rule,
            address=self._address,
        )

    def _log_stranger(self, text: str, **fields: object) -> None:
        """A line about a peer that has no association."""
        self._surroundings.refusals.warn(self._address, text, name=self._name, **fields)

    def _establish(self, request: AssociateRQ, accepted: Accepted) -> None:
        around = self._surroundings
        self.transport.bufferSize = READ_SIZE
        self._accepted = accepted
        account = Account(
            around.waiting,
            pause=partial(self._flow.hold, Hold.WAITING_BYTES),
            resume=self._read_on,
        )
        provenance = Provenance(
            calling_ae=ae_value(request.calling_ae),
            called_ae=ae_value(request.called_ae),
            calling_address=self._address,
        )
        self._exchange = exchange = Exchange(
            self,
            contexts=accepted.contexts,
            maximum_length=request.maximum_length,
            registry=around.registry,
            new_session=lambda conversation: Session(
                conversation=conversation,
                provenance=provenance,
                services=accepted.permission.services,
                on_written=account.remove,
            ),
            account=account,
            flow=self._flow,
            clock=around.clock,
        )
        self._progress = ProgressWatch(
            around.clock,
            around.settings.idle_timeout,
            is_our_turn=lambda: exchange.is_our_turn or self._flow.is_held(Hold.WAITING_BYTES),
            expired=self._idle,
        )
        log.info(
            "{line}",
            line=f"{self._name} opened from {self._address}{self._over}, {len(accepted.contexts)} of "
            f"{len(request.presentation_contexts)} contexts accepted",
        )
        self.association.announce(accepted.answer.maximum_length)
        self._watch = around.observers.opened(
            number=self.number,
            calling_ae=provenance.calling_ae,
            called_ae=provenance.called_ae,
            address=self._address,
            is_ours=False,
            is_remote=around.acceptor.is_remote(request.calling_ae),
            is_secure=self.is_secure,
        )
        self.perform(self.association.accept(accepted.answer))

    @property
    def _over(self) -> str:
        """For the log: the name in a peer's certificate decides nothing, but should be known."""
        if self._secured is None:
            return ""
        name = self._secured.peer_name
        return f" over TLS, certificate of {printable(repr(name))}" if name else " over TLS"

    def _read_on(self) -> None:
        self._flow.let_go(Hold.WAITING_BYTES)
        self.progressed()  # until now it could make none

    # --- what the exchange asks for ---

    def send(self, pdus: Pieces) -> None:
        if self.association.may_send_data:
            self.perform(self.association.send_data(pdus))

    def answer_release(self) -> None:
        if self.association.may_answer_release:
            self.perform(self.association.answer_release())
            log.info("{line}", line=f"{self._name} released, operations: {self._performed_count}")
            self._end(Ending.RELEASED, "the peer released the association")

    def abort(self, cause: str, ending: Ending) -> None:
        if self.association.may_abort:
            self.perform(self.association.abort())
            self._aborted(f"source 0: {cause}", ending)

    def progressed(self) -> None:
        if self._progress is not None:
            self._progress.progressed()

    def performed(
        self, performance: Performance, outcome: Outcome, seconds: float, *, answered: bool
    ) -> None:
        self._performed_count += 1
        self.progressed()
        size = f"{byte_count(performance.size)} " if performance.request.has_data_set else ""
        conversation = performance.conversation
        before = f" after {conversation.responses} pending" if conversation and conversation.responses else ""
        unanswered = "" if answered else ", not answered"
        told = "; ".join(filter(None, (outcome.comment, outcome.note)))
        log.emit(
            LogLevel.info if outcome.status in ORDINARY else LogLevel.warn,
            "{line}",
            line=f"{self._name} {self._described(performance)} {outcome.status:04X} "
            f"{size}{seconds * 1000:.1f} ms{before}{unanswered}{': ' if told else ''}{told}",
        )
        if self._watch is not None:
            self._watch.performed(facts.performed(performance, outcome, seconds, is_answered=answered))
            if self._ending is not None:
                self._tell_end()

    def invoked(self, operation: OperationFacts) -> None:
        if self._watch is not None:
            self._watch.performed(operation)

    def drained(self) -> None:
        self.abort(self._parting, Ending.STOPPING)
        self._flow.close()  # what had come before may yet say that the association is over
        self.lose()

    def _described(self, performance: Performance) -> str:
        """`C-STORE CT 1.2.3`: the request, a few letters for its SOP Class, its instance."""
        request = performance.request
        sop_class = self._surroundings.sop_classes[performance.context.abstract_syntax]
        command = command_name(request.command_field).removesuffix("-RQ")
        instance = (request.affected_sop_instance_uid or "")[:SHOWN]
        return printable(" ".join(filter(None, (command, sop_class.short, instance))))

    # --- the end ---

    @property
    def has_association(self) -> bool:
        """Whether one was established whose operations are not all over."""
        return self._exchange is not None

    def drain(self, cause: str) -> None:
        """End now if nothing is under way, else as soon as nothing is.

        :param cause: for the log.
        """
        self._parting = cause
        if self._exchange is None:
            self.drained()
        else:
            self._exchange.drain()

    def go_on(self) -> None:
        """After :meth:`drain`: one that has not ended stays."""
        if self._exchange is not None:
            self._exchange.go_on()

    def cut(self) -> None:
        """End at once."""
        self.abort("SDCC is stopping", Ending.STOPPING)
        self.transport.abortConnection()

    def _close(self, cause: str) -> None:
        """End at once, without an A-ABORT: what is not sent yet is dropped."""
        if self._accepted is not None:
            log.warn("{name} closed: {cause}", name=self._name, cause=cause)
            self._end(Ending.PROTOCOL_FAULT, f"the association was closed: {cause}")
        elif self.association.state is not State.STA13:  # of which the log says already how it ended
            self._is_in_log = True
            self._log_stranger("{name} closed: {cause}", cause=cause)
        self.association.transport_closed()  # nothing that this indicates is news
        self.transport.abortConnection()

    def _idle(self) -> None:
        self.abort(f"no progress for {self._surroundings.settings.idle_timeout:g} s", Ending.TIMEOUT)

    def _aborted(self, how: str, ending: Ending) -> None:
        log.warn("{name} aborted {how}", name=self._name, how=how)
        self._end(ending, f"the association was aborted {how}")

    def _end(self, ending: Ending, cause: str) -> None:
        """The association exists no more; its connection may, until the peer closes it."""
        self._flow.open_for_good()
        if self._progress is not None:
            self._progress.stop()
        if self._exchange is not None:
            self._exchange.end(cause)
        if self._accepted is not None:
            self._surroundings.limits.release(self._accepted.slot)
            self._accepted = None
            self._ending = ending, cause
            if self._exchange is None or not self._exchange.is_performing:
                self._tell_end()

    def _tell_end(self) -> None:
        """When nothing is performed any more: what had come whole still is."""
        watch, self._watch = self._watch, None
        if watch is not None and self._ending is not None:
            watch.ended(*self._ending)

    def _program_fault(self, failure: Failure) -> None:
        log.failure("{name} failed", failure, name=self._name)
        self.abort("fault of the program", Ending.PROGRAM_FAULT)
