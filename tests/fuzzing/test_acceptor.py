"""Streams made of sound ones, sent to a port whose transport and clock are the test's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from .acceptor_properties import a_stream_ends_and_leaves_nothing
from .effort import examples
from .streams import in_pieces, requestors


@examples(800)
@given(in_pieces(requestors), st.booleans(), st.booleans())
def test_a_stream_ends_and_leaves_nothing(
    stream: tuple[bytes, list[bytes]], disk_is_fast: bool, peer_leaves: bool
) -> None:
    _, pieces = stream
    a_stream_ends_and_leaves_nothing(pieces, disk_is_fast=disk_is_fast, peer_leaves=peer_leaves)
