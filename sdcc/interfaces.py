"""The contracts between the layers, and the values that cross them.

Services know this module and never the archive or the index behind it; `sdcc.service`
alone chooses the implementations. Nothing here performs I/O or knows Twisted's reactor.
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from zope.interface import Attribute, Interface

from sdcc.queries import Holding, Match, Query

T = TypeVar("T")


class RunInThread(Protocol):
    """Runs a blocking call in a worker thread and gives an awaitable of its result.

    The awaitable fires in the reactor's thread; the call's exception is raised from it.
    """

    def __call__(self, call: Callable[..., T], /, *arguments: object) -> Awaitable[T]: ...


# --- what is known of an object -----------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Who sent an object, and to whom; AE titles as an AE value can hold them (PS3.5 6.2)."""

    calling_ae: str
    called_ae: str
    #: The peer's IP address; empty where only the object's file is known.
    calling_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What a C-STORE-RQ and its Presentation Context say of the Data Set to come."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The Study level, with the patient's attributes as this study gave them.

    Text is Unicode, several values are joined by a backslash; None: absent or empty.
    The field names are the index's column names.
    """

    study_instance_uid: str
    patient_id: str | None = None
    issuer_of_patient_id: str | None = None
    patient_name: str | None = None
    patient_birth_date: datetime.date | None = None
    patient_sex: str | None = None
    study_id: str | None = None
    study_date: datetime.date | None = None
    study_time: datetime.time | None = None
    accession_number: str | None = None
    referring_physician_name: str | None = None
    study_description: str | None = None
    patient_birth_time: datetime.time | None = None
    other_patient_ids: str | None = None
    ethnic_group: str | None = None
    patient_age: str | None = None
    patient_size: str | None = None
    patient_weight: str | None = None
    occupation: str | None = None
    patient_comments: str | None = None
    additional_patient_history: str | None = None
    admitting_diagnoses_description: str | None = None
    name_of_physicians_reading_study: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The Series level; a Series is known by its own UID within its Study's."""

    series_instance_uid: str
    modality: str | None = None
    series_number: int | None = None
    series_date: datetime.date | None = None
    series_time: datetime.time | None = None
    series_description: str | None = None
    body_part_examined: str | None = None
    laterality: str | None = None
    protocol_name: str | None = None
    manufacturer: str | None = None
    manufacturer_model_name: str | None = None
    station_name: str | None = None
    institution_name: str | None = None
    institutional_department_name: str | None = None
    performing_physician_name: str | None = None
    operators_name: str | None = None
    frame_of_reference_uid: str | None = None
    performed_procedure_step_start_date: datetime.date | None = None
    performed_procedure_step_start_time: datetime.time | None = None
    performed_procedure_step_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The attributes of one SOP Instance that its own Data Set gives."""

    sop_instance_uid: str
    sop_class_uid: str
    instance_number: int | None = None
    acquisition_date: datetime.date | None = None
    acquisition_time: datetime.time | None = None
    content_date: datetime.date | None = None
    content_time: datetime.time | None = None
    image_type: str | None = None
    number_of_frames: int | None = None
    samples_per_pixel: int | None = None
    photometric_interpretation: str | None = None
    rows: int | None = None
    columns: int | None = None
    bits_allocated: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """Where an object lies and how it came there."""

    #: Relative to the storage directory, with "/" between its parts.
    path: str
    #: Bytes of the file, and of the Data Set within it.
    size: int
    data_set_size: int
    #: SHA-256 of the Data Set, lower case hexadecimal.
    sha256: str
    transfer_syntax_uid: str
    #: When the last byte had come; aware, UTC.
    received_at: datetime.datetime
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One durable object as the index registers it: a row of each level."""

    study: Study
    series: Series
    instance: Instance
    file: StoredFile
    #: What could not be read of the Data Set, in words; None: everything could.
    fault: str | None = None

    @property
    def kept(self) -> Kept:
        return Kept(
            path=self.file.path,
            sha256=self.file.sha256,
            sop_class_uid=self.instance.sop_class_uid,
            sop_instance_uid=self.instance.sop_instance_uid,
            transfer_syntax_uid=self.file.transfer_syntax_uid,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A registered object's file, and what its row says that proves it to be what was received."""

    #: :attr:`StoredFile.path`.
    path: str
    sha256: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LooseRow:
    """A row of the index with no row above it, or a study's or series' with no object below it.

    Registration leaves none: another hand, or a database that was damaged.
    """

    level: Literal["study", "series", "instance"]
    #: In its table.
    key: int
    uid: str
    #: An instance's :attr:`StoredFile.path`.
    path: str | None
    #: It holds no object; else there is no row above it.
    is_empty: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """A committed registration."""

    #: The path of the file that this object took the place of, which no row names any more.
    replaced: str | None = None


# --- why an object is not kept ------------------------------------------------------------


class NotStored(Exception):
    """An object was not kept. The text is for the Error Comment and the log: no patient data in it."""


class OutOfResources(NotStored):
    """The disk or the index could not take the object (PS3.4 Table B.2-1, A7xx)."""


class Unstorable(OutOfResources):
    """The index works, but cannot hold what it would have to of this object."""


class DataSetMismatch(NotStored):
    """The Data Set's SOP Class or Instance UID differs from the Command Set's (A9xx)."""


class CannotUnderstand(NotStored):
    """The Data Set cannot be parsed as far as its UIDs, or lacks one of them (Cxxx)."""


class OutcomeUnknown(OutOfResources):
    """Whether the registration was committed is not known yet; the object's file must stay.

    :ivar settled: fires with the :class:`Registered` when the commit turns out to have
        happened, with None when it certainly did not and never will, whoever has found
        the file meanwhile (the caller removes it).
    """

    def __init__(self, reason: str, settled: Awaitable[Registered | None]) -> None:
        super().__init__(reason)
        self.settled = settled


# --- the archive ---------------------------------------------------------------------------


class IReception(Interface):
    """One object on its way to the disk. Called from the reactor's thread; none of it blocks."""

    def write(data: memoryview) -> None:
        """Take the next bytes of the Data Set, copying them.

        Never raises: a fault of the disk is kept for :meth:`complete`, and the bytes that
        follow it are let go. `on_written` is called with the number of bytes as soon as they
        no longer wait in memory.
        """

    async def complete() -> StoredObject:
        """Make the object durable under its final path: file and directory entries synced.

        :raises OutOfResources: the disk failed or is full, or the object is too large.
        :raises DataSetMismatch: see there.
        :raises CannotUnderstand: see there.

        After an exception nothing of the object is on disk.
        """

    async def abandon() -> None:
        """Remove what was written. Never raises; may be called at any time before `complete`."""


class IScratchFile(Interface):
    """A file that is of use to this process alone, and no object's."""

    path = Attribute("str: absolute")

    def read() -> AsyncGenerator[bytes, None]:
        """All its bytes, as :meth:`IObjectStore.read` gives them.

        :raises OSError: it cannot be read.
        """

    async def remove() -> None:
        """Remove it, also while it is being read. Never raises."""


class IObjectStore(Interface):
    """The objects on disk."""

    refusal = Attribute(
        "str | None: why no object can be taken at present (free-space floor, not started); "
        "None while objects are taken. Known to 2 seconds."
    )

    def prepare() -> None:
        """Create the storage directory, remove what dead processes left. Blocks; raises OSError."""

    async def stop() -> None:
        """Leave nothing of this process in `incoming`. Receptions still open are abandoned."""

    def begin(announcement: Announcement, on_written: Callable[[int], None]) -> IReception:
        """Open a reception. Touches no disk yet."""

    async def remove(path: str) -> None:
        """Remove a file that no row names (any more). A file that is not there is no error;
        another failure is logged, and leaves an orphan for `sdccctl verify`."""

    def absolute(path: str) -> str:
        """The absolute path of a :attr:`StoredFile.path`."""

    def read(path: str, data_set_size: int) -> AsyncGenerator[bytes, None]:
        """The Data Set in a file, as it lies, in blocks read by a worker thread when they are asked for.

        The file is opened at the first block and closed at the end, also where the reader closes it early.

        :param data_set_size: :attr:`StoredFile.data_set_size`; the Data Set is the end of the file.
        :raises OSError: it cannot be read, or its Data Set is not of this size.
        """

    def scratch() -> IScratchFile:
        """A file that is not there yet and that another process may make: it goes when it is removed, and
        with this process.

        :raises OutOfResources: nothing can be taken at present.
        """

    async def difference(kept: Kept, goes_on: Callable[[], bool]) -> str | None:
        """In what a registered object's file is not what was received; None: in nothing.

        The whole file is read, by one worker thread.

        :param goes_on: asked by that thread between two blocks whether anybody still wants to know.
        :raises OSError: the file is not there, or cannot be read, or reading did not go on.
        """


# --- the conversion ------------------------------------------------------------------------


class CannotConvert(Exception):
    """An object cannot be given in another Transfer Syntax. The text is for the Error Comment and the log: no
    patient data in it."""


class IConverter(Interface):
    """Encodes what is stored in other Transfer Syntaxes, where it can harm nobody."""

    async def convert(path: str, transfer_syntax_uid: str) -> IScratchFile:
        """The Data Set of a stored object, encoded anew.

        :param path: of the object's DICOM file; absolute.
        :param transfer_syntax_uid: an uncompressed one.
        :raises CannotConvert: see there.
        """


# --- what is owed to peers -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reference:
    """An item of a Referenced SOP Sequence (0008,1199)."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentRequest:
    """A Storage Commitment Request (PS3.4 J.3.2.1) that was answered Success, so that a report is owed."""

    transaction_uid: str
    #: None comes twice.
    references: tuple[Reference, ...]
    provenance: Provenance
    #: Aware, UTC.
    requested_at: datetime.datetime


class ICommitmentJournal(Interface):
    """The Storage Commitment Requests that a report is owed for, on disk.

    Each is known by a name. They outlive the process, and fall to another one that starts later.
    """

    def prepare() -> None:
        """Take over what dead processes owed. Blocks; raises OSError."""

    async def names() -> Sequence[str]:
        """The requests that this process has to see to, in no order.

        :raises OSError: they cannot be listed.
        """

    async def add(request: CommitmentRequest) -> str:
        """Write a request down; its name, when it is durable.

        :raises OSError: it is not written down.
        """

    async def read(name: str) -> CommitmentRequest:
        """:raises OSError: it cannot be read.
        :raises ValueError: the file is damaged.
        """

    async def remove(name: str) -> None:
        """Nothing is owed any more. Never raises: what cannot be removed is logged, and reported again."""

    async def stop() -> None:
        """Leave what is there to whoever starts next."""


# --- the index -----------------------------------------------------------------------------


class IIndex(Interface):
    """The database that alone decides which objects exist."""

    refusal = Attribute("str | None: why nothing can be registered at present; None while it can.")
    leaves_doubts = Attribute(
        "bool: after `stop`, whether registrations are left whose outcome nobody knows and that are written "
        "down nowhere: files and rows may disagree then, as after a crash."
    )

    def prepare() -> None:
        """What can fail before service starts: open, create or upgrade. Blocks; raises
        OSError or ValueError with a text for the administrator."""

    def start() -> None:
        """Begin, in the reactor's thread, after :meth:`prepare`; a server is connected to from now on."""

    async def stop() -> None:
        """Finish what waits to be committed, then close."""

    async def register(stored: StoredObject) -> Registered:
        """Commit one object's rows; returns when they are durable.

        A row of the same SOP Instance UID is replaced in the same transaction, also where it
        stood under another Study or Series; levels that this empties are removed.

        :raises OutOfResources: certainly not registered (the caller removes the file).
        :raises OutcomeUnknown: perhaps registered (the caller keeps the file until settled).
        """

    async def restore(stored: StoredObject, *, over: str | None = None) -> Registered | None:
        """Register an object that was found on disk, durable under its path, unless the index knows more.

        None, and nothing changes: its path is registered, or an object of the same SOP Instance
        UID that it may not replace; or a transaction has given the path up. Its file stays in any case.

        :param over: the path of the one file whose place it may take in the object's row; "": of none.
            None: of any that was received earlier.
        :raises Unstorable: this object will never be registered.
        :raises OutOfResources: not registered, as far as is known; it may be tried again.
        """

    async def paths(sop_instance_uids: Sequence[str]) -> Mapping[str, str]:
        """The path of each of these objects that is registered, by its UID.

        :raises OSError: the index cannot be read.
        :raises ValueError: it is no index of this version.
        """

    def instances(
        study_instance_uid: str | None = None,
        *,
        faulty: bool = False,
        received_since: datetime.datetime | None = None,
    ) -> AsyncIterator[StoredObject]:
        """Everything registered (of one study), in order of reception, in bounded memory.

        :param faulty: only objects of which something could not be read.
        :param received_since: only what was received then or later; aware.
        """

    def find(query: Query) -> AsyncGenerator[Match, None]:
        """What matches, as it is found, in bounded memory whatever matches.

        Who does not read to the end closes it, with `aclose`.

        :raises OSError: the index cannot be read.
        :raises ValueError: it is no index of this version.
        """

    async def holdings(query: Query) -> Sequence[Holding]:
        """How many objects a query of IMAGE level matches, by SOP Class and Transfer Syntax.

        :raises OSError: the index cannot be read.
        :raises ValueError: it is no index of this version.
        """

    async def disown(sop_instance_uid: str, path: str) -> bool:
        """Make sure that an object's row does not name this file and never will, so that it may be removed.

        False, and nothing changes: the row names it.

        :raises OutOfResources: not done, as far as is known; it may be tried again.
        """

    async def unregister(sop_instance_uid: str, path: str) -> bool:
        """Remove an object's row, with the levels that this empties; the file is disowned with it.

        False, and nothing changes: no row of the object names this file.

        :raises OutOfResources: not done, as far as is known; it may be tried again.
        """

    def loose_rows() -> AsyncIterator[LooseRow]:
        """Every row that does not hang together with others: instances first, then series, then studies.

        :raises OSError: the index cannot be read.
        :raises ValueError: it is no index of this version.
        """

    async def remove_loose(rows: Sequence[LooseRow]) -> None:
        """Remove those of these rows that are still loose. Their files are not disowned.

        :raises OutOfResources: not done, as far as is known; it may be tried again.
        """


# --- the services --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SubOperations:
    """The counters of a C-MOVE-RSP or C-GET-RSP (PS3.7 9.1.4.1); None: the response does not carry it."""

    remaining: int | None
    completed: int
    failed: int
    warning: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an operation ended, or how far it has come: what a response carries."""

    #: PS3.7 Annex C.
    status: int
    #: (0000,0902), at most 64 characters; empty: none.
    comment: str = ""
    #: Bytes of the Data Set received, for the log.
    size: int = 0
    #: The response's Data Set in the context's Transfer Syntax: an Identifier; None: it has none.
    data_set: bytes | None = None
    sub_operations: SubOperations | None = None
    #: (0000,0901): the attributes of the Identifier that were wrong, group << 16 | element.
    offending_element: tuple[int, ...] = ()
    #: For the log alone, without patient data; empty: nothing.
    note: str = ""


class IOperation(Interface):
    """One DIMSE operation being performed for a peer."""

    def write(data: memoryview) -> None:
        """Take the next bytes of the request's Data Set. Never raises."""

    async def complete() -> Outcome:
        """The request is whole: perform it.

        Never raises but for a fault of the program, and the :class:`AssociationLost` of its own conversation.
        """

    async def abandon() -> None:
        """The association is gone before the request was whole."""


class AssociationLost(Exception):
    """An association ended, or could not be had, before what was asked over it was answered.

    The text says at which step, for the log and an Error Comment.
    """


class IRequests(Interface):
    """An established association as this side may make requests over it, one at a time."""

    contexts = Attribute(
        "Mapping[int, PresentationContext]: by ID, the accepted contexts on which this side is SCU, and "
        "those of Storage Commitment on which it is SCP, which has events to report"
    )

    async def request(context_id: int, message: Any, data_set: AsyncIterator[bytes] | None = None) -> Any:
        """Send a request of :mod:`sdcc.dimse.messages` and its Data Set; give the peer's last
        :class:`~sdcc.dimse.messages.Response` to it.

        Of the Data Set no more is asked for than the transport takes. Its iterator is closed in any case
        where any of it was asked for.

        :param message: its Message ID and `has_data_set` are set here, whatever they are.

        :raises AssociationLost: there is no answer and will be none.
        :raises Exception: what `data_set` raised; the association is aborted then, because a message that
            was begun cannot be taken back, unless nothing of it had been sent yet.
        """


class IOwnAssociation(IRequests):
    """An association that SDCC has opened."""

    async def release() -> None:
        """End it in order. Never raises."""

    def abort() -> None:
        """End it at once."""


class ICaller(Interface):
    """Opens associations to the `[[remote]]` that have a port."""

    def may_call(ae_title: str) -> bool:
        """Whether it is a `[[remote]]` with a port."""

    async def open(called_ae: str, calling_ae: str, contexts: Sequence[Any]) -> IOwnAssociation:
        """:param contexts: of :class:`sdcc.upper_layer.items.ProposedContext`.

        May be cancelled.

        :raises AssociationLost: not connected, rejected, or no answer in time.
        """


class IConversation(Interface):
    """What an operation may say to its peer, and hear, before it ends: all but C-STORE and C-ECHO, which
    have one response and nothing to say before it."""

    context = Attribute(
        "PresentationContext: that the request came on, with what was negotiated for it; "
        "None: the request is a C-STORE or C-ECHO"
    )
    is_cancelled = Attribute("bool: whether the peer has sent a C-CANCEL-RQ for it, or is gone")

    async def respond(outcome: Outcome) -> None:
        """Send a response that is not the last, and come back when the transport takes more.

        :raises AssociationLost: nobody is there any more.
        """

    def at_end(call: Callable[[], None]) -> None:
        """Have `call` called as soon as the peer is gone, or else when the operation has ended."""

    requests = Attribute(
        "IRequests: sub-operations and notifications over the same association, also when the operation has "
        "ended, for as long as the association is open"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What an operation may know of its association."""

    #: Of the operation that is being performed.
    conversation: IConversation
    provenance: Provenance
    #: The services that the calling AE may use, as `[[remote]]` names them.
    services: frozenset[str]
    #: Told how many Data Set bytes no longer wait in memory.
    on_written: Callable[[int], None]


class IServiceProvider(Interface):
    """One service class as SCP (PS3.4)."""

    service = Attribute("str: the service's name in `[[remote]]` services")
    command_fields = Attribute("frozenset[int]: the requests it performs (PS3.7 E.1-1)")

    def begin(request: Any, transfer_syntax_uid: str, session: Session) -> IOperation:
        """Begin to perform a request that :mod:`sdcc.services.registry` has let pass.

        :param request: a request of :mod:`sdcc.dimse.messages`.
        """
