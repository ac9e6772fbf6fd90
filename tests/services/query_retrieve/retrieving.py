"""An archive that is retrieved from, and the peers it is sent to, of a few lines each."""

from __future__ import annotations

import struct
from contextlib import suppress

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from zope.interface import implementer

from sdcc.conformance import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from sdcc.dimse.messages import GetRequest, MoveRequest, Response
from sdcc.interfaces import (
    AssociationLost,
    CannotConvert,
    ICaller,
    IConversation,
    IConverter,
    IOwnAssociation,
    IScratchFile,
    Provenance,
    Session,
)
from sdcc.queries import Condition, Holding, Level, SingleValue, UIDList
from sdcc.services.query_retrieve.retrieve import RetrieveProvider
from sdcc.upper_layer.negotiation import PresentationContext

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
JPEG = "1.2.840.10008.1.2.4.70"
EXPLICIT, IMPLICIT = EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN


def elements(pairs, *, explicit=False):
    """A Data Set of (tag, text)."""
    data = b""
    for tag, text in pairs:
        value = text.encode() + b" " * (len(text) % 2)
        head = (tag >> 16, tag & 0xFFFF)
        if explicit:
            vr = b"CS" if tag == 0x00080052 else b"LO" if tag == 0x00100020 else b"UI"
            data += struct.pack("<HH2sH", *head, vr, len(value)) + value
        else:
            data += struct.pack("<HHI", *head, len(value)) + value
    return data


def study(uid="1.2", **settings):
    return elements([(0x00080052, "STUDY"), (0x0020000D, uid)], **settings)


class Index:
    """Objects in order, and what else the test wants of it.

    :ivar fault: what it raises, and
    :ivar fault_after: after how many matches; None: at once, when it is asked how many there are.
    """

    def __init__(self):
        self.rows = {}
        self.queries = []
        self.open = 0
        self.fault = None
        self.fault_after = None

    def add(self, uid, sop_class=CT, syntax=EXPLICIT, data=b"data", *, path=None, study="1.2"):
        self.rows[uid] = {
            "sop_instance_uid": uid,
            "sop_class_uid": sop_class,
            "path": path or f"objects/{uid}.dcm",
            "data_set_size": len(data),
            "transfer_syntax_uid": syntax,
            "study_instance_uid": study,
            "patient_id": f"P{study}",
            "patient_name": None,
        }

    def _matches(self, query):
        found = list(self.rows.values())
        for condition in query.conditions:
            assert isinstance(condition, Condition)
            match condition.matching:
                case UIDList(uids):
                    wanted = set(uids)
                case SingleValue(value):
                    wanted = {value}
            if condition.field != "study_instance_uid":
                found = [row for row in found if row[condition.field] in wanted]
        return found

    async def holdings(self, query):
        self.queries.append(query)
        if self.fault is not None and self.fault_after is None:
            raise self.fault
        counts = {}
        for row in self._matches(query):
            key = row["sop_class_uid"], row["transfer_syntax_uid"]
            counts[key] = counts.get(key, 0) + 1
        return [
            Holding(sop_class_uid=sop_class, transfer_syntax_uid=syntax, count=count)
            for (sop_class, syntax), count in counts.items()
        ]

    async def find(self, query):
        assert query.level is Level.IMAGE
        self.queries.append(query)
        self.open += 1
        try:
            for number, row in enumerate(self._matches(query)):
                if self.fault is not None and number == self.fault_after:
                    raise self.fault
                yield {name: row[name] for name in query.wanted}
        finally:
            self.open -= 1


class Objects:
    """:ivar open: paths that are being read.
    :ivar faults: by path, after how many blocks reading fails.
    """

    def __init__(self):
        self.files = {}
        self.open = []
        self.read_paths = []
        self.faults = {}
        #: By path, what the first block waits for.
        self.waits = {}

    def absolute(self, path):
        return f"/storage/{path}"

    async def read(self, path, data_set_size):
        self.read_paths.append(path)
        if path in self.waits:
            await self.waits[path]
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory")
        data = self.files[path]
        assert len(data) == data_set_size
        self.open.append(path)
        try:
            for number, at in enumerate(range(0, len(data), 2)):
                if self.faults.get(path) == number:
                    raise OSError(5, "Input/output error")
                yield data[at : at + 2]
        finally:
            self.open.remove(path)


@implementer(IScratchFile)
class Scratch:
    def __init__(self, converter, data):
        self.path = "/scratch"
        self._converter = converter
        self._data = data

    async def read(self):
        if self._converter.read_fault is not None:
            raise self._converter.read_fault
        yield self._data

    async def remove(self):
        self._converter.left -= 1


@implementer(IConverter)
class Converter:
    """:ivar left: scratch files that are still there."""

    def __init__(self):
        self.asked = []
        self.fault = None
        self.read_fault = None
        self.left = 0

    async def convert(self, path, transfer_syntax_uid):
        self.asked.append((path, transfer_syntax_uid))
        if self.fault is not None:
            raise CannotConvert(self.fault)
        self.left += 1
        return Scratch(self, b"converted")


@implementer(IOwnAssociation)
class Association:
    """Takes what is sent to it.

    :ivar answers: by SOP Instance UID: a status, an exception, a Deferred, or a call that gives one of them.
    """

    def __init__(self, contexts, answers):
        self.contexts = contexts
        self.answers = answers
        self.received = []
        self.end = None

    async def request(self, context_id, message, data_set=None):
        assert context_id in self.contexts
        assert self.end is None
        data = b"".join([block async for block in data_set])
        self.received.append((self.contexts[context_id].transfer_syntax, message, data))
        answer = self.answers.get(message.affected_sop_instance_uid, 0)
        if callable(answer):
            answer = answer()
        if hasattr(answer, "addCallback"):
            answer = await answer
        if isinstance(answer, Exception):
            self.end = "lost"
            raise answer
        return Response(command_field=0x8001, message_id_being_responded_to=message.message_id, status=answer)

    async def release(self):
        self.end = self.end or "released"

    def abort(self):
        self.end = "aborted"


def accepted(contexts, *syntaxes):
    """What a peer accepts that takes these Transfer Syntaxes alone."""
    return {
        context.id: PresentationContext(
            id=context.id,
            abstract_syntax=context.abstract_syntax,
            transfer_syntax=next(uid for uid in context.transfer_syntaxes if uid in syntaxes),
        )
        for context in contexts
        if not set(syntaxes).isdisjoint(context.transfer_syntaxes)
    }


@implementer(ICaller)
class Caller:
    """:ivar refusals: why the next associations cannot be had; None: it can."""

    def __init__(self):
        self.known = {"WORKSTATION"}
        self.syntaxes = (EXPLICIT, IMPLICIT, JPEG)
        self.classes = None
        self.answers = {}
        self.refusals = []
        self.opened = []
        self.asked = []

    def may_call(self, ae_title):
        return ae_title in self.known

    async def open(self, called_ae, calling_ae, contexts):
        assert len(contexts) <= 128
        self.asked.append((called_ae, calling_ae, contexts))
        if self.refusals and (reason := self.refusals.pop(0)) is not None:
            raise AssociationLost(reason)
        of_classes = [c for c in contexts if self.classes is None or c.abstract_syntax in self.classes]
        self.opened.append(Association(accepted(of_classes, *self.syntaxes), self.answers))
        return self.opened[-1]


@implementer(IConversation)
class Conversation:
    """:ivar cancel_after: so many responses."""

    def __init__(self, context, requests):
        self.context = context
        self.requests = requests
        self.is_cancelled = False
        self.responses = []
        self.cancel_after = None
        self.fault = None
        #: What a response waits for.
        self.room = None
        self.at_end_calls = []

    def at_end(self, call):
        self.at_end_calls.append(call)

    def leave(self):
        """The peer is gone."""
        self.is_cancelled = True
        self.fault = AssociationLost("gone")
        for call in self.at_end_calls:
            call()

    async def respond(self, outcome):
        if self.fault is not None:
            raise self.fault
        self.responses.append(outcome)
        if len(self.responses) == self.cancel_after:
            self.is_cancelled = True
        if self.room is not None:
            await self.room


class Retrieving:
    """A provider, all that it knows of the world, and requests to it."""

    def __init__(self):
        self.index = Index()
        self.objects = Objects()
        self.converter = Converter()
        self.caller = Caller()
        self.clock = Clock()
        self.provider = RetrieveProvider(self.objects, self.index, self.converter, self.caller, self.clock)
        self.written = []
        self.syntax = IMPLICIT
        self.extended = b""
        self.requestor = Association(self.requestor_contexts(CT), {})
        self.conversation = None

    @staticmethod
    def requestor_contexts(*classes, syntax=EXPLICIT):
        return {
            2 * number + 3: PresentationContext(
                id=2 * number + 3,
                abstract_syntax=sop_class,
                transfer_syntax=syntax,
                requestor_is_scu=False,
                requestor_is_scp=True,
            )
            for number, sop_class in enumerate(classes)
        }

    def add(self, *uids, **settings):
        for uid in uids:
            self.index.add(uid, **settings)
            row = self.index.rows[uid]
            self.objects.files[row["path"]] = settings.get("data", b"data")

    def session(self, abstract_syntax):
        context = PresentationContext(
            id=1, abstract_syntax=abstract_syntax, transfer_syntax=self.syntax, extended=self.extended
        )
        self.conversation = self.conversation or Conversation(context, self.requestor)
        self.conversation.context = context
        return Session(
            conversation=self.conversation,
            provenance=Provenance(calling_ae="READER", called_ae="SDCC", calling_address="127.0.0.1"),
            services=frozenset({"retrieve"}),
            on_written=self.written.append,
        )

    def operation(self, request, identifier):
        session = self.session(request.affected_sop_class_uid)
        operation = self.provider.begin(request, self.syntax, session)
        for at in range(0, len(identifier), 100):
            operation.write(memoryview(identifier)[at : at + 100])
        return operation

    def move(
        self, identifier=None, *, destination="WORKSTATION", abstract_syntax=STUDY_ROOT_MOVE, priority=0
    ):
        """Begin a C-MOVE; a Deferred of its outcome."""
        request = MoveRequest(
            message_id=77,
            affected_sop_class_uid=abstract_syntax,
            move_destination=destination,
            priority=priority,
        )
        return self._begun(request, identifier)

    def get(self, identifier=None, *, abstract_syntax=STUDY_ROOT_GET):
        return self._begun(GetRequest(message_id=78, affected_sop_class_uid=abstract_syntax), identifier)

    def _begun(self, request, identifier):
        data = study(explicit=self.syntax == EXPLICIT) if identifier is None else identifier
        return ensureDeferred(self.operation(request, data).complete())

    def nothing_is_left(self):
        """Whether all that was opened is closed."""
        with suppress(AttributeError):
            assert all(association.end for association in self.caller.opened)
        assert (self.index.open, self.objects.open, self.converter.left) == (0, [], 0)
        assert self.clock.getDelayedCalls() == []
