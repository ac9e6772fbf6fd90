"""The same properties under atheris, which looks for bytes that reach code which none before has reached.

A program for long runs, of the optional extra `fuzz`; neither tests nor CI need it:

    pip install -e .[test,fuzz]
    python -m tests.fuzzing.coverage_guided TARGET CORPUS [option of libFuzzer ...]

TARGET is one of :data:`TARGETS`. CORPUS is a directory; one that is empty or missing gets sound and
faulty streams to begin with, and all that a run finds worth keeping. Of libFuzzer's options,
`-max_total_time=600` is how many seconds to look, and a file in CORPUS's place is tried once: what
broke a property is left as `crash-…` where the program was started.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple
from zlib import crc32

import atheris

with atheris.instrument_imports(include=["sdcc"]):
    from sdcc.upper_layer.machine import Role

    from . import archive_properties as archive
    from . import test_acceptor, test_core
    from . import wire_properties as wire
    from .acceptor_properties import Circumstances, Reading, streams_end_and_leave_nothing
from .associations import answered_association, association, command_set, messages
from .data_sets import SYNTAXES, data_set, file_head
from .parts import Part, mutated, segments

SEEDS = 300


class Target(NamedTuple):
    check: Callable[[bytes], None]
    #: Makes the sound streams to begin with.
    make: Callable[[Random], Part]


def _pieces(data: bytes) -> list[bytes]:
    """The same ones for the same bytes."""
    return segments(Random(crc32(data)), data)


def _stream(data: bytes) -> None:
    wire.a_stream_is_cut_the_same_however_it_comes(data, _pieces(data))
    wire.a_stream_is_cut_into_what_its_pdus_held_whole_say(data)
    wire.a_pdu_that_is_understood_is_encoded_and_understood_again(data)


def _acceptor(data: bytes) -> None:
    wire.an_association_aborts_where_the_table_says(data, Role.ACCEPTOR)
    random = Random(crc32(data))
    circumstances = Circumstances(
        disk_is_fast=bool(random.randrange(2)),
        reading=random.choice(list(Reading)),
        peers_leave=bool(random.randrange(2)),
        stop_after=random.choice((None, None, 0, 2)),
    )
    streams_end_and_leave_nothing([segments(random, data)], circumstances)


def _data_set(data: bytes) -> None:
    """The first byte says which Transfer Syntax the others are in."""
    if data:
        archive.a_data_set_is_understood_or_refused(data[1:], SYNTAXES[data[0] % len(SYNTAXES)])


def _made_data_set(random: Random) -> Part:
    number = random.randrange(len(SYNTAXES))
    return Part(content=[bytes([number]), data_set(random, SYNTAXES[number]).parts])


def _messages(data: bytes) -> None:
    wire.messages_are_the_same_however_they_come(data, _pieces(data))


def _requestor(data: bytes) -> None:
    wire.an_association_aborts_where_the_table_says(data, Role.REQUESTOR)


def _choices(random: Random) -> Part:
    return Part(content=[random.randbytes(2048)])


TARGETS = {
    "stream": Target(_stream, association),
    "messages": Target(_messages, messages),
    "acceptor": Target(_acceptor, association),
    "requestor": Target(_requestor, answered_association),
    "command": Target(wire.a_command_set_is_understood_or_refused, command_set),
    "data-set": Target(_data_set, _made_data_set),
    "file-head": Target(archive.a_files_head_is_understood_or_refused, file_head),
    # the tests themselves: here the bytes are hypothesis's choices of what goes wrong with which stream
    "faulty-associations": Target(
        test_acceptor.test_streams_end_and_leave_nothing.hypothesis.fuzz_one_input, _choices
    ),
    "faulty-data-sets": Target(
        test_core.test_a_data_set_is_understood_or_refused.hypothesis.fuzz_one_input, _choices
    ),
}


def write_seeds(directory: Path, make: Callable[[Random], Part]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    if not any(directory.iterdir()):
        for number in range(SEEDS):
            random = Random(number)
            sound, other = make(random), make(random)
            data = mutated(random, sound, other) if number % 2 else sound.encode()
            (directory / f"seed-{number:04}").write_bytes(data)


def main(program: str, name: str = "", corpus: str = "", *options: str) -> None:
    if name not in TARGETS or not corpus:
        sys.exit(f"usage: {program} TARGET CORPUS [OPTION ...]\nTARGET: {' '.join(TARGETS)}")
    if not Path(corpus).is_file():
        write_seeds(Path(corpus), TARGETS[name].make)
    atheris.Setup([program, corpus, *options], TARGETS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv)
