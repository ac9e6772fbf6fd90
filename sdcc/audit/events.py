"""What is recorded, as messages: a function for each, after its table in PS3.15 A.5.3."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sdcc.allowance import Withheld
from sdcc.audit import codes
from sdcc.audit.codes import Code, Outcome
from sdcc.audit.message import Message, Participant, Subject
from sdcc.dimse.status import Status, is_warning
from sdcc.interfaces import AssociationFacts, OperationFacts, RefusalFacts

#: Bytes of an Identifier that are recorded: with them a message stays below the 32 KiB that every
#: collector takes (PS3.15 A.6).
LONGEST_QUERY = 20 * 1024
#: In the place of a Patient ID that an object does not have, or of a study that is not told apart.
UNKNOWN = "<none>"
#: Tables whose keys decide who may do what.
OF_SECURITY = ("[[local]]", "[[remote]]", "[access]", "[tls]", "[manhole]", "[http]", "[audit]")


@dataclass(frozen=True, slots=True)
class Node:
    """This server.

    :ivar name: how it is called where no AE title of its own is in question: its host.
    """

    name: str
    ae_titles: tuple[str, ...]

    def participant(self, *roles: Code, ae_title: str = "", is_requestor: bool = False) -> Participant:
        return Participant(
            user_id=ae_title or self.name,
            is_requestor=is_requestor,
            roles=roles,
            ae_titles=(ae_title,) if ae_title else self.ae_titles,
            address=self.name,
            is_host_name=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """Instances of one study that have gone from one AE to another."""

    study_instance_uid: str
    patient_id: str | None
    patient_name: str | None
    instances: Mapping[str, int]


def application_activity(node: Node, event_type: Code, at: datetime.datetime) -> Message:
    """A.5.3.1."""
    return Message(
        event=codes.APPLICATION_ACTIVITY,
        action="E",
        at=at,
        event_type=event_type,
        participants=(node.participant(codes.APPLICATION),),
    )


def refused(node: Node, refusal: RefusalFacts, at: datetime.datetime) -> Message:
    """A.5.3.11: an association that was rejected, or a peer that TLS did not let in."""
    if refusal.codes:
        what = f"A-ASSOCIATE-RJ {refusal.codes}: {refusal.rule}"
        text = f"{refusal.called_ae} <- {refusal.calling_ae}: {refusal.cause}"
    else:
        what, text = f"not let in: {refusal.rule}", refusal.cause
    return _alert(
        codes.NODE_AUTHENTICATION,
        at,
        node.participant(is_requestor=True),
        _peer(refusal.calling_ae, refusal.address, is_requestor=False),
        subject=_alert_subject(
            codes.NODE_ID,
            refusal.address,
            text,
            name=refusal.calling_ae,
        ),
        description=what,
    )


def more_refused(node: Node, withheld: Withheld, period: float, at: datetime.datetime) -> Message:
    """Of alerts that came in such numbers that they are only counted."""
    text = (
        f"{withheld.total} more alerts within {period:g} s, "
        f"{withheld.count} of them about peers at {withheld.address}"
    )
    return _alert(
        codes.NODE_AUTHENTICATION,
        at,
        node.participant(is_requestor=True),
        subject=_alert_subject(codes.NODE_ID, withheld.address, text, name=withheld.address),
        description=text,
    )


def not_authorized(
    node: Node, association: AssociationFacts, operation: OperationFacts, at: datetime.datetime
) -> Message:
    """A.5.3.11: an operation that the peer may not invoke."""
    text = f"command {operation.command_field:04X}H of SOP Class {operation.sop_class_uid}: not authorized"
    return _alert(
        codes.USE_OF_RESTRICTED_FUNCTION,
        at,
        node.participant(ae_title=association.called_ae, is_requestor=True),
        _peer(association.calling_ae, association.address, is_requestor=False),
        subject=_alert_subject(codes.NODE_ID, association.address, text, name=association.calling_ae),
        description=text,
    )


def configuration_changed(node: Node, keys: Iterable[str], source: str, at: datetime.datetime) -> Message:
    """A.5.3.11.

    :param source: the URI of the file.
    """
    changed = tuple(keys)
    is_of_security = any(key.startswith(OF_SECURITY) for key in changed)
    return _alert(
        codes.SECURITY_CONFIGURATION if is_of_security else codes.SOFTWARE_CONFIGURATION,
        at,
        node.participant(is_requestor=True),
        subject=_alert_subject(codes.URI, source, f"changed: {', '.join(changed)}", name=source, role=5),
        outcome=Outcome.SUCCESS,
    )


def received(
    node: Node,
    association: AssociationFacts,
    study: StudyRecord,
    at: datetime.datetime,
    *,
    has_replaced: bool,
) -> Message:
    """A.5.3.7: what a peer has stored here."""
    return _transferred(
        study,
        at,
        action="U" if has_replaced else "C",
        participants=(
            _peer(association.calling_ae, association.address, codes.SOURCE, is_requestor=True),
            node.participant(codes.DESTINATION, ae_title=association.called_ae),
        ),
    )


def sent(
    node: Node,
    association: AssociationFacts,
    operation: OperationFacts,
    study: StudyRecord,
    at: datetime.datetime,
) -> Message:
    """A.5.3.7: what a retrieval has sent, to who asked for it or to a third."""
    source = node.participant(codes.SOURCE, ae_title=association.called_ae)
    calling_ae, address = association.calling_ae, association.address
    participants: tuple[Participant, ...]
    if operation.move_destination:
        participants = (
            source,
            _peer(operation.move_destination, "", codes.DESTINATION, is_requestor=False),
            _peer(calling_ae, address, is_requestor=True),
        )
    else:
        participants = source, _peer(calling_ae, address, codes.DESTINATION, is_requestor=True)
    return _transferred(
        study,
        at,
        action="R",
        participants=participants,
        outcome=_outcome(operation.status),
        description="" if operation.status == 0 else f"the retrieval ended with {operation.status:04X}H",
    )


def query(
    node: Node, association: AssociationFacts, operation: OperationFacts, at: datetime.datetime
) -> Message:
    """A.5.3.10. Of an Identifier that is too long its beginning is recorded, and how long it was."""
    identifier = operation.identifier
    details = {"TransferSyntax": operation.transfer_syntax_uid.encode("ascii")}
    if len(identifier) > LONGEST_QUERY:
        details["QueryLength"] = str(len(identifier)).encode("ascii")
    return Message(
        event=codes.QUERY,
        action="E",
        at=at,
        outcome=_outcome(operation.status),
        description="" if operation.status == 0 else f"C-FIND-RSP {operation.status:04X}H",
        participants=(
            _peer(association.calling_ae, association.address, codes.SOURCE, is_requestor=True),
            node.participant(codes.DESTINATION, ae_title=association.called_ae),
        ),
        subjects=(
            Subject(
                id=operation.sop_class_uid,
                id_type=codes.SOP_CLASS_UID,
                type_code=2,
                role=3,
                query=identifier[:LONGEST_QUERY],
                details=details,
            ),
        ),
    )


def _transferred(
    study: StudyRecord,
    at: datetime.datetime,
    *,
    action: str,
    participants: tuple[Participant, ...],
    outcome: Outcome = Outcome.SUCCESS,
    description: str = "",
) -> Message:
    uid = study.study_instance_uid or UNKNOWN
    return Message(
        event=codes.INSTANCES_TRANSFERRED,
        action=action,
        at=at,
        outcome=outcome,
        description=description,
        participants=participants,
        subjects=(
            Subject(
                id=uid,
                id_type=codes.STUDY_INSTANCE_UID,
                type_code=2,
                role=3,
                name=uid,
                instances=study.instances,
            ),
            Subject(
                id=study.patient_id or UNKNOWN,
                id_type=codes.PATIENT_NUMBER,
                type_code=1,
                role=1,
                name=study.patient_name or UNKNOWN,
            ),
        ),
    )


def _peer(ae_title: str, address: str, *roles: Code, is_requestor: bool) -> Participant:
    return Participant(
        user_id=ae_title or UNKNOWN,
        is_requestor=is_requestor,
        roles=roles,
        ae_titles=(ae_title,) if ae_title else (),
        address=address,
    )


def _alert(
    event_type: Code,
    at: datetime.datetime,
    *participants: Participant,
    subject: Subject,
    outcome: Outcome = Outcome.MINOR_FAILURE,
    description: str = "",
) -> Message:
    """
    :param participants: who reports it, and then who did it.
    """
    return Message(
        event=codes.SECURITY_ALERT,
        action="E",
        at=at,
        outcome=outcome,
        event_type=event_type,
        description=description,
        participants=participants,
        subjects=(subject,),
    )


def _alert_subject(id_type: Code, subject_id: str, text: str, *, name: str, role: int = 13) -> Subject:
    return Subject(
        id=subject_id,
        id_type=id_type,
        type_code=2,
        role=role,
        name=name or UNKNOWN,
        details={"Alert Description": text.encode("utf-8", "replace")},
    )


def _outcome(status: int) -> Outcome:
    """A warning, and a C-CANCEL, leave a part undone; a failure all of it."""
    if status == 0:
        return Outcome.SUCCESS
    return Outcome.MINOR_FAILURE if is_warning(status) or status == Status.CANCEL else Outcome.SERIOUS_FAILURE
