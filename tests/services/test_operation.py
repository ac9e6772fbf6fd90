"""A decided operation swallows its Data Set."""

from __future__ import annotations

import pytest
from zope.interface.verify import verifyObject

from sdcc.interfaces import IOperation, Outcome
from sdcc.services.operation import Decided


def test_it_is_an_operation():
    assert verifyObject(IOperation, Decided(0, on_written=print))


def test_it_takes_the_data_set_at_once_and_ends_as_decided(written, result_of):
    operation = Decided(0xA700, "full", on_written=written.append)
    for data in (b"12345", b"", b"678"):
        operation.write(memoryview(data))
    assert written == [5, 0, 3]
    assert result_of(operation.complete()) == Outcome(status=0xA700, comment="full", size=8)


@pytest.mark.parametrize("data", [b"", b"123"])
def test_it_can_be_abandoned(data, written, result_of):
    operation = Decided(0, on_written=written.append)
    operation.write(memoryview(data))
    assert result_of(operation.abandon()) is None
