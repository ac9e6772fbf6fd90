"""Thousands of streams made of sound ones, on the layers that are functions of bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sdcc.printable import printable
from sdcc.upper_layer.machine import Role

from . import archive_properties as archive
from . import associations
from . import wire_properties as wire
from .data_sets import DataSet
from .effort import examples
from .parts import Part
from .streams import (
    acceptors,
    command_sets,
    damaged_behind_the_uids,
    data_sets_in_a_syntax,
    faulty_data_sets,
    file_heads,
    in_pieces,
    messages,
    requestors,
    sound,
)


@examples(500)
@given(in_pieces(requestors | acceptors))
def test_a_stream_is_cut_the_same_however_it_comes(stream: tuple[bytes, list[bytes]]) -> None:
    wire.a_stream_is_cut_the_same_however_it_comes(*stream)


@examples(600)
@given(requestors | acceptors)
def test_a_stream_is_cut_into_what_its_pdus_held_whole_say(data: bytes) -> None:
    wire.a_stream_is_cut_into_what_its_pdus_held_whole_say(data)


@examples(400)
@given(requestors | acceptors)
def test_a_pdu_that_is_understood_is_encoded_and_understood_again(data: bytes) -> None:
    wire.a_pdu_that_is_understood_is_encoded_and_understood_again(data)


@examples(300)
@given(requestors)
def test_an_acceptor_aborts_where_the_table_says(data: bytes) -> None:
    wire.an_association_aborts_where_the_table_says(data, Role.ACCEPTOR)


@examples(300)
@given(acceptors)
def test_a_requestor_aborts_where_the_table_says(data: bytes) -> None:
    wire.an_association_aborts_where_the_table_says(data, Role.REQUESTOR)


@examples(300)
@given(sound(associations.messages))
def test_sound_messages_are_understood(stream: Part) -> None:
    wire.sound_messages_are_understood(stream.encode())


@examples(400)
@given(in_pieces(messages))
def test_messages_are_the_same_however_they_come(stream: tuple[bytes, list[bytes]]) -> None:
    wire.messages_are_the_same_however_they_come(*stream)


@examples(1000)
@given(command_sets)
def test_a_command_set_is_understood_or_refused(data: bytes) -> None:
    wire.a_command_set_is_understood_or_refused(data)


@examples(800)
@given(faulty_data_sets())
def test_a_data_set_is_understood_or_refused(data_set: tuple[bytes, str]) -> None:
    archive.a_data_set_is_understood_or_refused(*data_set)


@examples(500)
@given(damaged_behind_the_uids())
def test_an_object_is_kept_whose_uids_come_before_the_damage(damaged: tuple[bytes, DataSet]) -> None:
    data, whole = damaged
    archive.an_object_is_kept_whose_uids_come_before_the_damage(
        data, whole.transfer_syntax, whole.sop_instance
    )


@examples(300)
@given(data_sets_in_a_syntax())
def test_a_sound_data_set_is_read_as_pydicom_reads_it(data_set: DataSet) -> None:
    archive.a_sound_data_set_is_read_as_pydicom_reads_it(data_set.parts.encode(), data_set.transfer_syntax)


@examples(400)
@given(file_heads)
def test_a_files_head_is_understood_or_refused(head: bytes) -> None:
    archive.a_files_head_is_understood_or_refused(head)


@examples(200)
@given(st.text(max_size=40))
def test_a_title_becomes_one_that_a_file_can_hold(title: str) -> None:
    archive.a_title_becomes_one_that_a_file_can_hold(title)
    assert printable(title).isprintable()
