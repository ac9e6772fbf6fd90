"""From a request to the service provider that performs it, and from its outcome to the response.

Whether a request may be performed is decided here, by :data:`RULES` in their order, and only
here are responses made. How an operation is performed, and how bytes come and go, is not known.

A C-CANCEL-RQ never comes here. Operations are performed one at a time, and none that SDCC performs
can be cancelled, so the association's shell ignores it, as PS3.7 9.3.2.3 has it for a request
that is no longer being performed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sdcc.conformance import SOPClass
from sdcc.dimse.command import RESPONSE
from sdcc.dimse.messages import Request, Response, command_name, error_comment
from sdcc.dimse.status import Status
from sdcc.interfaces import IOperation, IServiceProvider, Outcome, Session
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


def is_performed(case: Case) -> Refusal | None:
    if case.request.command_field in case.provider.command_fields:
        return None
    name = command_name(case.request.command_field)
    return Refusal(Status.UNRECOGNIZED_OPERATION, f"{name} is not performed on this context")


def is_of_the_context(case: Case) -> Refusal | None:
    if case.request.affected_sop_class_uid == case.context.abstract_syntax:
        return None
    return Refusal(
        Status.SOP_CLASS_NOT_SUPPORTED, "Affected SOP Class UID is not the Abstract Syntax of the context"
    )


def is_authorized(case: Case) -> Refusal | None:
    """Verification too: a `[[remote]]` without it is told so."""
    service: str = case.provider.service
    if service in case.session.services:
        return None
    return Refusal(Status.NOT_AUTHORIZED, f"The calling AE may not use the service {service}")


def is_well_formed(case: Case) -> Refusal | None:
    """The class was an Abstract Syntax and so is well-formed; C-ECHO-RQ has no instance."""
    uid = case.request.affected_sop_instance_uid
    if uid is None or is_uid(uid):
        return None
    return Refusal(Status.INVALID_SOP_INSTANCE, "Affected SOP Instance UID is no UID as PS3.5 9.1 has it")


#: The design's table of C-STORE outcomes, as far as the Command Set decides them. The first that
#: applies answers.
RULES: tuple[Rule, ...] = (is_performed, is_of_the_context, is_authorized, is_well_formed)


class Registry:
    """The service providers by Abstract Syntax.

    :param sop_classes: by UID; the table that negotiation accepts Presentation Contexts from.
    :param providers: one for each service that the table names.
    :raises ValueError: a service has none.
    """

    def __init__(self, sop_classes: Mapping[str, SOPClass], providers: Iterable[IServiceProvider]) -> None:
        by_service = {provider.service: provider for provider in providers}
        if missing := {sop_class.service for sop_class in sop_classes.values()} - by_service.keys():
            raise ValueError(f"no provider for {', '.join(sorted(missing))}")
        self._providers = {uid: by_service[sop_class.service] for uid, sop_class in sop_classes.items()}

    def begin(self, request: Request, context: PresentationContext, session: Session) -> IOperation:
        """Begin to perform a request that came on an accepted context.

        A refusal is an operation too. It is given the Data Set if the request has one, and
        `complete` when that is whole.
        """
        provider = self._providers[context.abstract_syntax]
        case = Case(request=request, context=context, session=session, provider=provider)
        for rule in RULES:
            if (refusal := rule(case)) is not None:
                return Decided(refusal.status, refusal.comment, on_written=session.on_written)
        return provider.begin(request, context.transfer_syntax, session)

    def response(self, request: Request, outcome: Outcome) -> Response:
        """What is answered to a request. It repeats the request's UIDs where they are such."""
        return Response(
            command_field=request.command_field | RESPONSE,
            message_id_being_responded_to=request.message_id,
            status=outcome.status,
            affected_sop_class_uid=_repeated(request.affected_sop_class_uid),
            affected_sop_instance_uid=_repeated(request.affected_sop_instance_uid),
            offending_element=outcome.offending_element,
            error_comment=error_comment(outcome.comment),
        )


def _repeated(uid: str | None) -> str | None:
    return uid if uid is not None and is_uid(uid) else None
