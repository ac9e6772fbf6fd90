"""The Verification Service Class (PS3.4 Annex A): whoever reaches it has verified what there is to verify."""

from __future__ import annotations

from zope.interface import implementer

from sdcc.conformance import VERIFICATION_SERVICE
from sdcc.dimse.command import CommandField
from sdcc.dimse.messages import EchoRequest
from sdcc.dimse.status import Status
from sdcc.interfaces import IOperation, IServiceProvider, Session
from sdcc.services.operation import Decided


@implementer(IServiceProvider)
class VerificationProvider:
    """C-ECHO. A Data Set, which the standard does not give it, is let go by."""

    service = VERIFICATION_SERVICE
    command_fields = frozenset({CommandField.C_ECHO_RQ})

    def begin(self, request: EchoRequest, transfer_syntax_uid: str, session: Session) -> IOperation:
        return Decided(Status.SUCCESS, on_written=session.on_written)
