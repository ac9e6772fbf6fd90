"""From a request to the service provider that performs it, and from its outcome to the response.

Whether a request may be performed is decided here, by :data:`RULES` in their order, and only
here are responses made. How an operation is performed, and how bytes come and go, is not known.

What only the service class can judge is its provider's: the Identifier of a query or retrieval; of an
N-ACTION whether there is such a SOP Instance (0112), whether it is of the class (0119), and whether
there is such an action (0123; PS3.7 10.1.4.1.10).

A C-CANCEL-RQ never comes here: it is no request of an operation but changes one, which the
association's shell sees to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from sdcc.conformance import (
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    SOPClass,
)
from sdcc.dimse.command import RESPONSE, CommandField
from sdcc.dimse.messages import ActionRequest, Request, Response, command_name, error_comment
from sdcc.dimse.status import Status
from sdcc.interfaces import IOperation, IServiceProvider, Outcome, Session, SubOperations
from sdcc.services.operation import Decided
from sdcc.uid import is_uid
from sdcc.upper_layer.negotiation import PresentationContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request with all that the rules look at."""

    request: Request
    context: PresentationContext
    session: Session
    #: Of the context's Abstract Syntax.
    provider: IServiceProvider


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not performed."""

    status: Status
    #: (0000,0902), naming the rule and nothing that the peer sent.
    comment: str


Rule: TypeAlias = Callable[[Case], Refusal | None]

#: The most that a counter of sub-operations can say.
MAXIMUM_COUNT = 0xFFFF


#: The one request of each SOP Class whose service has several, a class for each.
REQUEST_OF_CLASS: Mapping[str, CommandField] = MappingProxyType(
    {
        PATIENT_ROOT_MOVE: CommandField.C_MOVE_RQ,
        PATIENT_ROOT_GET: CommandField.C_GET_RQ,
        STUDY_ROOT_MOVE: CommandField.C_MOVE_RQ,
        STUDY_ROOT_GET: CommandField.C_GET_RQ,
    }
)


def is_performed(case: Case) -> Refusal | None:
    command_field = case.request.command_field
    of_class = REQUEST_OF_CLASS.get(case.context.abstract_syntax, command_field)
    if command_field in case.provider.command_fields and command_field == of_class:
        return None
    name = command_name(command_field)
    return Refusal(Status.UNRECOGNIZED_OPERATION, f"{name} is not performed on this context")


def is_of_the_context(case: Case) -> Refusal | None:
    if case.request.affected_sop_class_uid == case.context.abstract_syntax:
        return None
    status = Status.NO_SUCH_SOP_CLASS if _is_of_requested_instance(case) else Status.SOP_CLASS_NOT_SUPPORTED
    return Refusal(status, f"{_kind(case)} SOP Class UID is not the context's Abstract Syntax")


def is_authorized(case: Case) -> Refusal | None:
    """Verification too: a `[[remote]]` without it is told so."""
    service: str = case.provider.service
    if service in case.session.services:
        return None
    return Refusal(Status.NOT_AUTHORIZED, f"The calling AE may not use the service {service}")


def is_well_formed(case: Case) -> Refusal | None:
    """The class was an Abstract Syntax and so is well-formed; only a C-STORE-RQ and an N-ACTION-RQ have an
    instance."""
    uid = case.request.affected_sop_instance_uid
    if uid is None or is_uid(uid):
        return None
    return Refusal(
        Status.INVALID_SOP_INSTANCE, f"{_kind(case)} SOP Instance UID is no UID as PS3.5 9.1 has it"
    )


def _is_of_requested_instance(case: Case) -> bool:
    return isinstance(case.request, ActionRequest)


def _kind(case: Case) -> str:
    """What the standard calls the request's UIDs."""
    return "Requested" if _is_of_requested_instance(case) else "Affected"


#: The design's table of C-STORE outcomes, as far as the Command Set decides them. The first that
#: applies answers.
RULES: tuple[Rule, ...] = (is_performed, is_of_the_context, is_authorized, is_well_formed)


class Registry:
    """The service providers by Abstract Syntax.

    :param sop_classes: by UID; the table that negotiation accepts Presentation Contexts from.
    :param providers: one for each service that the table names.
    :raises ValueError: a service has none.

    :ivar sop_classes: by UID, all that an association may have been granted.
    """

    def __init__(self, sop_classes: Mapping[str, SOPClass], providers: Iterable[IServiceProvider]) -> None:
        self._by_service = {provider.service: provider for provider in providers}
        self.sop_classes: dict[str, SOPClass] = {}
        self.extend(sop_classes)

    def extend(self, sop_classes: Mapping[str, SOPClass]) -> None:
        """Negotiation accepts these from now on. Others stay for associations that have been granted them.

        :raises ValueError: a service has no provider.
        """
        services = {sop_class.service for sop_class in sop_classes.values()}
        if missing := services - self._by_service.keys():
            raise ValueError(f"no provider for {', '.join(sorted(missing))}")
        self.sop_classes |= sop_classes

    def begin(self, request: Request, context: PresentationContext, session: Session) -> IOperation:
        """Begin to perform a request that came on an accepted context.

        A refusal is an operation too. It is given the Data Set if the request has one, and
        `complete` when that is whole.
        """
        provider = self._by_service[self.sop_classes[context.abstract_syntax].service]
        case = Case(request=request, context=context, session=session, provider=provider)
        for rule in RULES:
            if (refusal := rule(case)) is not None:
                return Decided(refusal.status, refusal.comment, on_written=session.on_written)
        return provider.begin(request, context.transfer_syntax, session)

    def response(self, request: Request, outcome: Outcome) -> Response:
        """What is answered to a request. It repeats the request's UIDs where they are such."""
        counters: Mapping[str, Any] = (
            {} if outcome.sub_operations is None else _counters(outcome.sub_operations)
        )
        return Response(
            command_field=request.command_field | RESPONSE,
            message_id_being_responded_to=request.message_id,
            status=outcome.status,
            affected_sop_class_uid=_repeated(request.affected_sop_class_uid),
            affected_sop_instance_uid=_repeated(request.affected_sop_instance_uid),
            offending_element=outcome.offending_element,
            error_comment=error_comment(outcome.comment),
            has_data_set=outcome.data_set is not None,
            action_type_id=_action_type_id(request, outcome.status),
            **counters,
        )


def _repeated(uid: str | None) -> str | None:
    return uid if uid is not None and is_uid(uid) else None


def _counters(found: SubOperations) -> Mapping[str, Any]:
    """As a US can carry each."""
    return {
        "remaining_sub_operations": None if found.remaining is None else min(found.remaining, MAXIMUM_COUNT),
        "completed_sub_operations": min(found.completed, MAXIMUM_COUNT),
        "failed_sub_operations": min(found.failed, MAXIMUM_COUNT),
        "warning_sub_operations": min(found.warning, MAXIMUM_COUNT),
    }


def _action_type_id(request: Request, status: int) -> int | None:
    """PS3.7 10.1.4.1.4 has it in a response of success, and Annex C where it is what there is not."""
    if isinstance(request, ActionRequest) and status in (Status.SUCCESS, Status.NO_SUCH_ACTION):
        return request.action_type_id
    return None
