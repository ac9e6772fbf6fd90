"""Streams made of sound ones, sent to a port whose transport and clock are the test's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from .acceptor_properties import Circumstances, Reading, streams_end_and_leave_nothing
from .effort import examples
from .streams import in_pieces, requestors

circumstances = st.builds(
    Circumstances,
    disk_is_fast=st.booleans(),
    reading=st.sampled_from(Reading),
    peers_leave=st.booleans(),
    stop_after=st.none() | st.integers(0, 6),
)


@examples(500)
@given(st.lists(in_pieces(requestors), min_size=1, max_size=2), circumstances)
def test_streams_end_and_leave_nothing(
    streams: list[tuple[bytes, list[bytes]]], circumstances: Circumstances
) -> None:
    streams_end_and_leave_nothing([pieces for _, pieces in streams], circumstances)
