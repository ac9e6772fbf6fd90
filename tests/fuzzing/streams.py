"""What the properties are tried on, as strategies: sound streams, and sound streams gone wrong.

What a stream is made of comes of one number, and what goes wrong with it is drawn bit by bit: so a
stream that breaks a property shrinks to the fewest faults that do.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

from . import associations, data_sets
from .parts import Part, mutated, segments

Made = TypeVar("Made")

#: Makes a sound stream.
Maker = Callable[[Random], Part]


def sound(make: Callable[[Random], Made]) -> st.SearchStrategy[Made]:
    return st.integers(0, 2**32).map(lambda number: make(Random(number)))


@st.composite
def faulty(draw: st.DrawFn, make: Maker) -> bytes:
    stream, other = draw(sound(make)), draw(sound(make))
    return mutated(draw(st.randoms(use_true_random=False)), stream, other)


@st.composite
def in_pieces(draw: st.DrawFn, streams: st.SearchStrategy[bytes]) -> tuple[bytes, list[bytes]]:
    """A stream, and the same cut anywhere."""
    data = draw(streams)
    return data, segments(draw(st.randoms(use_true_random=False)), data)


requestors = faulty(associations.association)
messages = faulty(associations.messages)
acceptors = faulty(associations.answered_association)
command_sets = faulty(associations.command_set)


@st.composite
def data_sets_in_a_syntax(draw: st.DrawFn) -> data_sets.DataSet:
    syntax = draw(st.sampled_from(data_sets.SYNTAXES))
    return draw(sound(lambda random: data_sets.data_set(random, syntax)))


@st.composite
def faulty_data_sets(draw: st.DrawFn) -> tuple[bytes, str]:
    """The bytes, and what Transfer Syntax they claim to be in."""
    one, other = draw(data_sets_in_a_syntax()), draw(data_sets_in_a_syntax())
    data = mutated(draw(st.randoms(use_true_random=False)), one.parts, other.parts)
    return data, draw(st.sampled_from((one.transfer_syntax, other.transfer_syntax)))


@st.composite
def damaged_behind_the_uids(draw: st.DrawFn) -> tuple[bytes, data_sets.DataSet]:
    """A Data Set of which nothing is wrong up to the last required UID."""
    one, other = draw(data_sets_in_a_syntax()), draw(data_sets_in_a_syntax())
    known, rest = one.parts.content[: one.uids_end], one.parts.content[one.uids_end :]
    damage = mutated(draw(st.randoms(use_true_random=False)), Part(content=rest), other.parts)
    return Part(content=known).encode() + damage, one


file_heads = faulty(data_sets.file_head)
