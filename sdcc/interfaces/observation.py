"""What happens on associations, told to whoever counts, lists or records it.

An observer is called from the reactor's thread, within the hot path of a C-STORE: each call returns at once
and keeps no more than it must. None should raise; one that does hurts nobody else, and the log has its first
fault.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from zope.interface import Interface

from sdcc.interfaces.objects import StoredObject


class Ending(StrEnum):
    """How an association ended."""

    #: In order, by A-RELEASE.
    RELEASED = "released"
    #: By an A-ABORT of the peer or of its service-provider.
    PEER_ABORT = "peer-abort"
    #: The transport connection was lost.
    CONNECTION_LOST = "connection-lost"
    #: By us: the peer broke PS3.7 or PS3.8, or a limit.
    PROTOCOL_FAULT = "protocol-fault"
    #: By us: no progress by the peer, or no answer in time.
    TIMEOUT = "timeout"
    #: By us: at a stop.
    STOPPING = "stopping"
    #: By us: an administrator asked for it.
    ADMINISTRATOR = "administrator"
    #: By us: a fault of the program.
    PROGRAM_FAULT = "program-fault"
    #: By us: what it was for is over, or could not be read to its end.
    GIVEN_UP = "given-up"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationFacts:
    """An association that is open."""

    #: As the log has it; those that SDCC opens have a series of their own.
    number: int
    calling_ae: str
    called_ae: str
    #: The peer's IP address.
    address: str
    #: Whether SDCC is the requestor.
    is_ours: bool
    #: Whether the peer's AE title is that of a `[[remote]]`: a stranger's is any text.
    is_remote: bool
    #: Over TLS.
    is_secure: bool = False
    #: Aware, UTC.
    opened_at: datetime.datetime

    @property
    def peer_ae(self) -> str:
        return self.called_ae if self.is_ours else self.calling_ae


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalFacts:
    """An A-ASSOCIATE-RQ that was rejected by us, or a peer that TLS did not let in, which has neither AE
    titles nor codes. The AE titles are a stranger's text."""

    calling_ae: str
    called_ae: str
    address: str
    #: Result, source and reason, as 1/1/7; empty: there was no A-ASSOCIATE-RQ.
    codes: str
    #: The name of the rule, of :data:`sdcc.network.acceptor.RULES` or `tls`: one of a few.
    rule: str
    #: The rule's sentence, as the log has it.
    cause: str
    #: Whether `called_ae` is a `[[local]]` of that port, and `calling_ae` a `[[remote]]`.
    is_local: bool
    is_remote: bool


@dataclass(frozen=True, slots=True)
class Durations:
    """Of a C-STORE, in seconds, one after the other."""

    #: From the whole Command Set to the last byte of the Data Set.
    receiving: float
    #: From there until the file and its directory entries are durable.
    syncing: float
    #: From there until the row is.
    registering: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTransfer:
    """Instances of one study that a retrieval has sent."""

    #: Empty: of all studies together beyond those that a retrieval tells apart.
    study_instance_uid: str
    patient_id: str | None
    patient_name: str | None
    #: SOP Class UID to how many.
    instances: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFacts:
    """An operation that has ended, whoever invoked it."""

    #: Command Field of the request (PS3.7 E.1-1).
    command_field: int
    sop_class_uid: str
    #: Empty: the request names none.
    sop_instance_uid: str = ""
    #: Whether SDCC invoked it: all of an association that is ours, and on others the sub-operations of a
    #: C-GET and what is reported of a Storage Commitment.
    is_ours: bool = False
    #: 0110H where an operation of ours was never answered.
    status: int
    #: Bytes of the request's Data Set.
    size: int
    #: From the whole Command Set to the response; of ours, from when it was its turn.
    seconds: float
    #: Whether the response was sent, or has come; else the peer was gone.
    is_answered: bool = True
    #: Of a C-STORE that succeeded.
    durations: Durations | None = None
    stored: StoredObject | None = None
    #: Whether it took the place of an object of the same SOP Instance UID.
    has_replaced: bool = False
    #: Of a C-FIND, C-MOVE or C-GET: the Identifier as it came, and its Transfer Syntax.
    identifier: bytes = field(default=b"", repr=False)
    transfer_syntax_uid: str = ""
    #: Of a C-MOVE: its Move Destination.
    move_destination: str = ""
    #: Of a C-MOVE or C-GET.
    transfers: tuple[StudyTransfer, ...] = ()


class IAssociationWatch(Interface):
    """What an observer keeps of one association."""

    def performed(operation: OperationFacts) -> None:
        """An operation has ended. In a retrieval each sub-operation counts by itself as well, where it was
        sent."""

    def ended(ending: Ending, cause: str) -> None:
        """Called once, last. `cause` is the log's, without patient data."""


class IObserver(Interface):
    """Told of every association of the process, those that SDCC opens included."""

    def opened(association: AssociationFacts) -> IAssociationWatch | None:
        """It is established. None: what happens on it is of no interest."""

    def refused(refusal: RefusalFacts) -> None:
        """It is not, by a rule of ours."""

    def not_opened(called_ae: str, cause: str) -> None:
        """An association that SDCC asked a `[[remote]]` for came to nothing: not connected, rejected, aborted
        or not answered."""
