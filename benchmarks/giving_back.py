"""What it costs to get objects back, and to find them, side by side.

    python -m benchmarks.giving_back [--archives …] [--parts retrieve,find] [--rounds N] [--at-once N]
        [--cold] [--studies N] [--json FILE] [--output docs]

Run it from the clone's directory, with the packages for the tests installed.

Retrieval: one CT series of 200 objects, by DCMTK's getscu and movescu, which drop what they get, as does
the destination of movescu. Each program's whole time counts, its start too, which is the same for all.
Rounds are interleaved. With --at-once several fetch the series at the same time, and the last of them ends
the round; with --cold the kernel forgets the archive's files before it.

Queries: at study level over 100,000 studies, which each archive has received one object each of. The
requestor is made of bytes; its association is open.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from tests.interop.server import ENVIRONMENT

from .archives import ARCHIVES, DESTINATION, Sink
from .choices import names
from .machine import description
from .messages import CONTEXTS
from .objects import uid
from .page import fill_in, simple_table
from .receivers import MAXIMUM_LENGTH, dcmtk
from .report import as_text
from .sender import PATIENCE, Association, Failed, send
from .studies import QUERIES, finding, many_studies
from .work import studies, template

#: Of the series that is retrieved.
OBJECTS = 200
#: Over so many associations the studies are sent.
AT_ONCE = 8
PARTS = ("retrieve", "find")


@contextlib.contextmanager
def running(archive):
    with tempfile.TemporaryDirectory(prefix="sdcc-benchmark-") as directory:
        receiver = archive(Path(directory), AT_ONCE)
        try:
            yield receiver
        finally:
            receiver.discard()


def store(receiver, messages, associations=1):
    opened = [Association(receiver.address, receiver.title, *CONTEXTS) for _ in range(associations)]
    statuses = send(opened, messages).statuses
    for association in opened:
        association.close()
    if any(statuses):
        raise Failed(f"not all were stored: {sorted(set(statuses))}")


# --- retrieval ---


def retrieving(archives, rounds, at_once=1, *, is_cold=False):
    """Seconds by archive and program, a list of all rounds."""
    found = {}
    with contextlib.ExitStack() as all_of_it:
        threads = all_of_it.enter_context(ThreadPoolExecutor(at_once))
        directory = Path(all_of_it.enter_context(tempfile.TemporaryDirectory(prefix="sdcc-benchmark-")))
        sink = Sink(directory, AT_ONCE)
        all_of_it.callback(sink.discard)
        receivers = {}
        for name, archive in archives.items():
            archive.destination = sink.address
            receivers[name] = all_of_it.enter_context(running(archive))
        study = next(studies)
        for receiver in receivers.values():
            store(receiver, template("ct").messages(OBJECTS, study=study, series=1))
        keys = uid(1, study), uid(2, study * 1000)
        for number in range(-1, rounds):  # the first is to warm up
            for program in ("getscu", "movescu"):
                for name, receiver in _from(receivers, number):
                    print(f"round {number + 1}: {program}: {name}", file=sys.stderr)
                    if is_cold:
                        _forget(receiver.directory)
                    begun = time.perf_counter()
                    for each in [threads.submit(_retrieve, program, receiver, keys) for _ in range(at_once)]:
                        each.result()
                    if number >= 0:
                        found.setdefault(f"{name} {program}", []).append(time.perf_counter() - begun)
    return found


def _from(receivers, number):
    """Another first each time."""
    entries = list(receivers.items())
    first = number % len(entries)
    return entries[first:] + entries[:first]


def _forget(directory):
    """Have the kernel keep nothing of the files in it."""
    os.sync()  # what is not written yet is not forgotten
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _retrieve(program, receiver, keys):
    """:raises Failed: not all objects have come."""
    host, port = receiver.address
    named = {"getscu": ("--ignore",), "movescu": ("-aem", DESTINATION)}[program]
    options = ("-v", "-pdu", MAXIMUM_LENGTH, "-aec", receiver.title, *named, "-S")
    wanted = ("QueryRetrieveLevel=SERIES", f"StudyInstanceUID={keys[0]}", f"SeriesInstanceUID={keys[1]}")
    done = subprocess.run(
        (dcmtk(program), *options, *(part for key in wanted for part in ("-k", key)), host, str(port)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=ENVIRONMENT,
    )
    said = done.stdout + done.stderr
    if done.returncode or not _is_complete(said):
        raise Failed(f"{program} ended with {done.returncode}: {said.strip()[-500:]}")


def _is_complete(said):
    """Whether all objects have come: movescu and getscu say so in words of their own."""
    return "Final Move Response (Success)" in said or said.count("Sending C-STORE Response") == OBJECTS


# --- queries ---


def querying(archives, rounds, count):
    """By archive and query: the answers, seconds to the first and to the last, a list of all rounds."""
    found = {}
    for name, archive in archives.items():
        with running(archive) as receiver:
            begun = time.monotonic()
            store(receiver, many_studies(count), AT_ONCE)
            print(f"{name}: {count:,} studies stored in {time.monotonic() - begun:.0f} s", file=sys.stderr)
            for query in QUERIES:
                for _ in range(rounds):
                    found.setdefault(f"{name} {query}", []).append(finding(receiver, QUERIES[query]))
    return found


# --- the command ---


def retrieval_table(found, archives):
    rows = [["archive", "getscu, s", "ratio", "movescu, s", "ratio"]]
    reference = next(iter(archives))
    for name in archives:
        row = [name]
        for program in ("getscu", "movescu"):
            seconds, ours = (median(found[f"{one} {program}"]) for one in (name, reference))
            row += [f"{seconds:.3f}", f"{ours / seconds:.2f}"]
        rows.append(row)
    return rows


def query_table(found, archives):
    rows = [["query", "archive", "answers", "first, ms", "last, ms", "ratio"]]
    reference = next(iter(archives))
    for query in QUERIES:
        ours = median(last for _, _, last in found[f"{reference} {query}"])
        for name in archives:
            rounds = found[f"{name} {query}"]
            first, last = (median(each[place] for each in rounds) for place in (1, 2))
            figures = f"{1e3 * first:.2f}", f"{1e3 * last:.2f}", f"{ours / last:.3f}"
            rows.append([query, name, str(rounds[0][0]), *figures])
    return rows


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--archives", type=names(ARCHIVES), default=list(ARCHIVES), help="default: all")
    parser.add_argument("--parts", type=names(PARTS), default=list(PARTS), help="default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--at-once", type=int, choices=range(1, AT_ONCE + 1), default=1, help="retrievals at the same time"
    )
    parser.add_argument("--cold", action="store_true", help="retrievals of what is on the disk alone")
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--json", type=Path, metavar="FILE", help="to keep the raw results in")
    parser.add_argument("--output", type=Path, metavar="DIRECTORY", help="where performance.rst is: docs")
    return parser.parse_args()


def main():
    chosen = arguments()
    archives = {name: ARCHIVES[name] for name in ARCHIVES if name in chosen.archives}
    for name in [name for name, archive in archives.items() if not archive.is_installed()]:
        print(f"{name} is left out: it is not installed")
        del archives[name]
    results, tables = {"machine": description()}, {}
    with contextlib.ExitStack() as needed:
        for archive in archives.values():
            needed.enter_context(archive.prepared())
        if "retrieve" in chosen.parts:
            results["retrieve"] = retrieving(archives, chosen.rounds, chosen.at_once, is_cold=chosen.cold)
            how = "retrieval" + f" by {chosen.at_once}" * (chosen.at_once > 1) + " cold" * chosen.cold
            tables[how] = retrieval_table(results["retrieve"], archives)
        if "find" in chosen.parts:
            # a linear index of a fixed size is no archive for so many
            able = {name: archive for name, archive in archives.items() if name != "dcmqrscp"}
            results["find"] = querying(able, chosen.rounds, chosen.studies)
            tables["queries"] = query_table(results["find"], able)
    for rows in tables.values():
        print("", *as_text(rows), sep="\n")
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1))
    if chosen.output:
        fill_in(chosen.output, {name: simple_table(rows) for name, rows in tables.items()})


if __name__ == "__main__":
    main()
