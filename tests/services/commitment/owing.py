"""What stands around Storage Commitment: a journal in memory, associations, peers, objects to refer to."""

from __future__ import annotations

import datetime
import itertools

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from sdcc.conformance import EXPLICIT_VR_LITTLE_ENDIAN, STORAGE_COMMITMENT
from sdcc.dimse.command import RESPONSE
from sdcc.dimse.messages import Response
from sdcc.interfaces import (
    AssociationLost,
    ICaller,
    ICommitmentJournal,
    IConversation,
    Instance,
    IOwnAssociation,
    IRequests,
    Provenance,
    Series,
    StoredFile,
    StoredObject,
    Study,
)
from sdcc.upper_layer.negotiation import PresentationContext

CT = "1.2.840.10008.5.1.4.1.1.2"
PROVENANCE = Provenance(calling_ae="CT01", called_ae="SDCC", calling_address="127.0.0.1")


def failure_of(coroutine, kind):
    """What a coroutine that waits for nothing raises."""
    return SynchronousTestCase().failureResultOf(ensureDeferred(coroutine), kind).value


def store(index, uid, *, path=None):
    """Register an object; gives its path."""
    path = path or f"objects/{uid}.dcm"
    index.rows[uid] = StoredObject(
        study=Study(study_instance_uid="1.2"),
        series=Series(series_instance_uid="1.2.3"),
        instance=Instance(sop_instance_uid=uid, sop_class_uid=CT),
        file=StoredFile(
            path=path,
            size=1000,
            data_set_size=600,
            sha256="0" * 64,
            transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN,
            received_at=datetime.datetime(2024, 2, 29, tzinfo=datetime.UTC),
            provenance=PROVENANCE,
        ),
    )
    return path


@implementer(ICommitmentJournal)
class Journal:
    """:ivar faults: what a call raises, by its name.
    :ivar disk: what writing down waits for; None: nothing.
    """

    def __init__(self):
        self.requests = {}
        self.faults = {}
        self.disk = None
        self._numbers = itertools.count()

    def _call(self, name):
        if name in self.faults:
            raise self.faults[name]

    def prepare(self):
        raise AssertionError("not a service's business")

    async def names(self):
        self._call("names")
        return list(self.requests)

    async def add(self, request):
        if self.disk is not None:
            await self.disk
        self._call("add")
        name = f"1/{next(self._numbers)}.json"
        self.requests[name] = request
        return name

    async def read(self, name):
        self._call("read")
        return self.requests[name]

    async def remove(self, name):
        del self.requests[name]

    async def stop(self):
        raise AssertionError("not a service's business")


@implementer(IRequests)
class Requests:
    """An association on which a peer answers with the next of some statuses, the last one for ever.

    A status may also be a Deferred of one, or what is raised.
    """

    context = PresentationContext(
        id=5, abstract_syntax=STORAGE_COMMITMENT, transfer_syntax=EXPLICIT_VR_LITTLE_ENDIAN
    )

    def __init__(self, *statuses):
        self.contexts = {self.context.id: self.context}
        self.statuses = list(statuses or [0x0000])
        #: (context ID, message, Data Set) of each request.
        self.asked = []

    async def request(self, context_id, message, data_set=None, length=None):
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if isinstance(status, Exception):
            raise status
        self.asked.append((context_id, message, b"".join([block async for block in data_set])))
        if isinstance(status, Deferred):
            status = await status
        return Response(
            command_field=message.command_field | RESPONSE,
            message_id_being_responded_to=message.message_id,
            status=status,
        )


@implementer(IOwnAssociation)
class OwnAssociation(Requests):
    context = PresentationContext(
        id=1,
        abstract_syntax=STORAGE_COMMITMENT,
        transfer_syntax=EXPLICIT_VR_LITTLE_ENDIAN,
        requestor_is_scu=False,
        requestor_is_scp=True,
    )

    def __init__(self, *statuses):
        super().__init__(*statuses)
        self.ending = None

    async def release(self):
        self.ending = self.ending or "released"

    def abort(self):
        self.ending = "aborted"
        for status in self.statuses:
            if isinstance(status, Deferred) and not status.called:
                status.errback(AssociationLost("aborted"))


@implementer(ICaller)
class Caller:
    """:ivar remotes: who may be called.
    :ivar answers: associations, or what is raised in their place, for each attempt; the last one for ever.
    """

    def __init__(self, *answers):
        self.remotes = {"CT01"}
        self.answers = list(answers)
        #: (called, calling AE, contexts) of each attempt.
        self.attempts = []

    def may_call(self, ae_title):
        return ae_title in self.remotes

    async def open(self, called_ae, calling_ae, contexts):
        self.attempts.append((called_ae, calling_ae, contexts))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Deferred):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer


@implementer(IConversation)
class Conversation:
    is_cancelled = False

    def __init__(self, *statuses):
        self.requests = Requests(*statuses)
        self.context = self.requests.context

    def at_end(self, call):
        raise AssertionError("a report outlives its N-ACTION")

    async def respond(self, outcome):
        raise AssertionError("an N-ACTION has one response")
