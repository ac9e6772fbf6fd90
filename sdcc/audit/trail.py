"""The observer that records: what is told of associations becomes messages, in bounded memory."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from sdcc.allowance import Allowance, Withheld
from sdcc.audit import codes, events
from sdcc.audit.destination import Destination
from sdcc.audit.events import Node, StudyRecord
from sdcc.audit.message import Message
from sdcc.audit.syslog import Syslog
from sdcc.dimse.command import CommandField
from sdcc.dimse.status import Status
from sdcc.interfaces import (
    AssociationFacts,
    Ending,
    IAssociationWatch,
    IObserver,
    OperationFacts,
    RefusalFacts,
    StoredObject,
)

#: So many alerts about each address are recorded within so many seconds; the rest is counted.
ALERTS, PERIOD = 50, 10.0
#: What is received is recorded when its association ends, but at the latest so many seconds after the first
#: object of a study, or when so many studies wait.
LATEST, MOST_STUDIES = 60.0, 100

RETRIEVALS = frozenset({CommandField.C_MOVE_RQ, CommandField.C_GET_RQ})


@implementer(IObserver)
class AuditTrail:
    """
    :param source: the URI of the configuration.
    """

    def __init__(
        self,
        destination: Destination,
        syslog: Syslog,
        node: Node,
        *,
        source: str,
        clock: IReactorTime,
        now: Callable[[], datetime.datetime],
    ) -> None:
        self._destination = destination
        self._syslog = syslog
        self._node = node
        self._source = source
        self._clock = clock
        self._now = now
        self._alerts = Allowance(clock, self._more_alerts, each=ALERTS, period=PERIOD)

    # --- the application ---

    def started(self) -> None:
        """The server takes associations. What is recorded before waits until now."""
        self._destination.start()
        self._record(events.application_activity(self._node, codes.APPLICATION_START, self._now()))

    async def stopped(self) -> None:
        """Nothing more will happen; what waits is written first."""
        self._alerts.close()
        self._record(events.application_activity(self._node, codes.APPLICATION_STOP, self._now()))
        await self._destination.stop()

    def configuration_changed(self, keys: Iterable[str]) -> None:
        """:param keys: as the configuration names them, such as "[access].check_address"."""
        self._record(events.configuration_changed(self._node, keys, self._source, self._now()))

    # --- associations ---

    def opened(self, association: AssociationFacts) -> IAssociationWatch | None:
        """What is sent over those of ours is recorded with the retrieval that it is for."""
        return None if association.is_ours else _Watch(self, association)

    def refused(self, refusal: RefusalFacts) -> None:
        if self._alerts.permits(refusal.address):
            self._record(events.refused(self._node, refusal, self._now()))

    def not_opened(self, called_ae: str, cause: str) -> None:
        """Nothing was accessed, and nobody refused by us."""

    # --- what a watch records ---

    def queried(self, association: AssociationFacts, operation: OperationFacts) -> None:
        self._record(events.query(self._node, association, operation, self._now()))

    def retrieved(self, association: AssociationFacts, operation: OperationFacts) -> None:
        for transfer in operation.transfers:
            study = StudyRecord(
                study_instance_uid=transfer.study_instance_uid,
                patient_id=transfer.patient_id,
                patient_name=transfer.patient_name,
                instances=transfer.instances,
            )
            self._record(events.sent(self._node, association, operation, study, self._now()))

    def not_authorized(self, association: AssociationFacts, operation: OperationFacts) -> None:
        if self._alerts.permits(association.address):
            self._record(events.not_authorized(self._node, association, operation, self._now()))

    def received(self, association: AssociationFacts, study: StudyRecord, *, has_replaced: bool) -> None:
        self._record(events.received(self._node, association, study, self._now(), has_replaced=has_replaced))

    def later(self, call: Callable[[], None]) -> IDelayedCall:
        return self._clock.callLater(LATEST, call)

    def _more_alerts(self, withheld: Withheld) -> None:
        self._record(events.more_refused(self._node, withheld, PERIOD, self._now()))

    def _record(self, message: Message) -> None:
        self._destination.write(self._syslog.line(message))


@dataclass(slots=True)
class _Received:
    """Of one study and patient."""

    patient_name: str | None
    instances: Counter[str] = field(default_factory=Counter)
    has_replaced: bool = False


@implementer(IAssociationWatch)
class _Watch:
    """Of one association that a peer has opened."""

    def __init__(self, trail: AuditTrail, association: AssociationFacts) -> None:
        self._trail = trail
        self._association = association
        #: By Study Instance UID and Patient ID: a message is of one patient, and whoever mixed up two must
        #: be found out.
        self._received: dict[tuple[str, str | None], _Received] = {}
        self._recording: IDelayedCall | None = None

    def performed(self, operation: OperationFacts) -> None:
        if operation.is_ours:
            return
        command_field = operation.command_field
        if operation.stored is not None:
            self._stored(operation.stored, has_replaced=operation.has_replaced)
        elif operation.status == Status.NOT_AUTHORIZED:
            self._trail.not_authorized(self._association, operation)
        elif command_field == CommandField.C_FIND_RQ:
            self._trail.queried(self._association, operation)
        elif command_field in RETRIEVALS:
            self._trail.retrieved(self._association, operation)

    def ended(self, ending: Ending, cause: str) -> None:
        self._record_received()

    def _stored(self, stored: StoredObject, *, has_replaced: bool) -> None:
        study = stored.study
        key = study.study_instance_uid, study.patient_id
        received = self._received.get(key)
        if received is None:
            if len(self._received) >= MOST_STUDIES:
                self._record_received()
            received = self._received[key] = _Received(study.patient_name)
        received.instances[stored.instance.sop_class_uid] += 1
        received.has_replaced |= has_replaced
        if self._recording is None:
            self._recording = self._trail.later(self._record_received)

    def _record_received(self) -> None:
        if self._recording is not None and self._recording.active():
            self._recording.cancel()
        self._recording = None
        studies, self._received = self._received, {}
        for (uid, patient_id), received in studies.items():
            study = StudyRecord(
                study_instance_uid=uid,
                patient_id=patient_id,
                patient_name=received.patient_name,
                instances=received.instances,
            )
            self._trail.received(self._association, study, has_replaced=received.has_replaced)
