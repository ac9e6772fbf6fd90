"""C-ECHO."""

from __future__ import annotations

import pytest
from zope.interface.verify import verifyObject

from sdcc.conformance import IMPLICIT_VR_LITTLE_ENDIAN
from sdcc.dimse.messages import EchoRequest
from sdcc.interfaces import IServiceProvider, Outcome
from sdcc.services.verification import VerificationProvider


def test_it_is_a_provider():
    assert verifyObject(IServiceProvider, VerificationProvider())


@pytest.mark.parametrize("data_set", [b"", b"1234"])
def test_every_echo_succeeds(data_set, session, written, result_of):
    """One that brings a Data Set too, against the standard; it is let go by."""
    request = EchoRequest(
        message_id=1, affected_sop_class_uid="1.2.840.10008.1.1", has_data_set=bool(data_set)
    )
    operation = VerificationProvider().begin(request, IMPLICIT_VR_LITTLE_ENDIAN, session)
    if data_set:
        operation.write(memoryview(data_set))
    assert result_of(operation.complete()) == Outcome(status=0, size=len(data_set))
    assert sum(written) == len(data_set)
