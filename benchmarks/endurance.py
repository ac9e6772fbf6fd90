"""What SDCC needs when much is asked of it, or nothing.

    python -m benchmarks.endurance [--parts rest,idle,echo,flat,full] [--rounds N] [--output docs]

Run it from the clone's directory, with the packages for the tests installed.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import multiprocessing
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.hostile.crowd import descriptor_limit
from tests.interop.server import CONFIGURATION, running
from tests.interop.wire import EXPLICIT

from .choices import names, numbers
from .echoing import latencies
from .figures import by_cell, faults, percentile
from .filled_index import FilledSDCC, FilledSDCCOnPostgreSQL
from .messages import CONTEXTS, endless
from .page import fill_in, simple_table
from .report import as_text
from .rounds import cells, run
from .sdcc_receivers import OURS
from .sender import Association, send
from .work import WORKS, studies, template

ROOMY = CONFIGURATION.replace("max_associations = 100", "max_associations = 2000") + (
    "[association]\nmaximum_open = 2000\n"
)
#: As many as an association may propose.
MANY_CONTEXTS = tuple((number, CONTEXTS[1][1], EXPLICIT) for number in range(1, 256, 2))
#: Of those that store while others echo.
STORING = 16
#: Seconds in which a server comes to rest, or a crowd to full speed.
PAUSE = 2
LIMITS = ["what", "measured", "at most", "and so"]


@contextlib.contextmanager
def fresh(configuration=CONFIGURATION):
    with (
        tempfile.TemporaryDirectory(prefix="sdcc-endurance-") as directory,
        running(Path(directory), configuration) as server,
    ):
        yield server


def limit(what, measured, at_most, unit):
    return [what, f"{measured:.1f} {unit}", f"{at_most} {unit}", "holds" if measured <= at_most else "MISSED"]


def at_rest(chosen):
    """A server that nobody has asked for anything."""
    found = []
    for _ in range(chosen.rounds):
        with fresh() as server:
            time.sleep(PAUSE)
            found.append(server.rss())
    return [LIMITS, limit("memory at rest", median(found) / 1e6, 60, "MB")]


def idle(chosen):
    """Associations that are open and silent, beyond a crowd that takes what memory is free in the process."""
    rows = [LIMITS]
    for contexts in (CONTEXTS, MANY_CONTEXTS):
        with fresh(ROOMY) as server, contextlib.ExitStack() as crowd:
            memory = []
            for count in (chosen.idle // 2, chosen.idle):
                for _ in range(count):
                    association = Association(server.address, "SDCC", *contexts)
                    crowd.callback(association.close)
                memory.append(server.rss())
            each = (memory[1] - memory[0]) / chosen.idle
        rows.append(limit(f"an idle association, {len(contexts)} contexts", each / 1e3, 100, "kB"))
    return rows


def echoing(chosen):
    """C-ECHO on one association, while others store as fast as they can; that many, after all are at it."""
    rows = [LIMITS]
    for shape in ("ct", "small"):
        p99 = []
        for _ in range(chosen.rounds):
            with fresh() as server, _stored_to(server, shape):
                time.sleep(PAUSE)
                p99.append(percentile(latencies(server.address, chosen.echoes), 99))
        title = f"C-ECHO, p99, while {STORING} store {template(shape).data_bytes // 1000} KB each"
        rows.append(limit(title, median(p99), 20, "ms"))
    return rows


@contextlib.contextmanager
def _stored_to(server, shape):
    """From a process of its own, whose threads and pauses are not those of who measures."""
    fork = multiprocessing.get_context("fork")
    enough = fork.Event()

    def store():
        associations = [Association(server.address, "SDCC", *CONTEXTS) for _ in range(STORING)]
        messages = itertools.takewhile(lambda _: not enough.is_set(), endless(template(shape), studies))
        assert not any(send(associations, messages).statuses)
        for association in associations:
            association.close()

    template(shape)  # made once, before the fork
    sender = fork.Process(target=store)
    sender.start()
    try:
        yield
        assert sender.is_alive(), "they have stored all the time"
    finally:
        enough.set()
        sender.join()
    assert sender.exitcode == 0, "all are stored"


def flat(chosen):
    """Memory while small objects are stored, over four associations."""
    step = max(1, chosen.objects // 10)
    small = template("small")
    with fresh() as server:
        rows = [["objects", "memory", "peak", "a second"]]
        associations = [Association(server.address, "SDCC", *CONTEXTS) for _ in range(4)]
        messages = endless(small, studies)
        for stored in range(step, chosen.objects + 1, step):
            sent = send(associations, itertools.islice(messages, step))
            assert not any(sent.statuses), sent.statuses
            memory, peak = (f"{value / 1e6:.1f} MB" for value in (server.rss(), server.peak_rss()))
            rows.append([f"{stored}", memory, peak, f"{step / sent.seconds:.0f}"])
        for association in associations:
            association.close()
    return rows


def full(chosen):
    """The cost of an object with an index that has many rows, against an empty one, in rounds."""
    many = f"{chosen.instances:,} more rows"
    receivers = {}
    for name, filled in (("sdcc-sqlite", FilledSDCC), ("sdcc-postgresql", FilledSDCCOnPostgreSQL)):
        if filled.is_installed():
            filled.instances = chosen.instances
            receivers |= {name: OURS[name], f"{name}, {many}": filled}
    results, _ = run(receivers, list(cells(chosen)), chosen.rounds)
    rows = [["index", "work", "associations", "a second", "ratio", "p99 ms", "CPU ms", "ratio of CPU"]]
    for (work, associations), found in by_cell(results).items():
        for name, figures in found.items():
            empty = found[name.partition(",")[0]]
            rows.append(
                [
                    name,
                    f"({work})",
                    f"{associations}",
                    f"{figures['rate']:.0f}",
                    f"{figures['rate'] / empty['rate']:.2f}",
                    f"{figures['p99']:.2f}",
                    f"{figures['processor']:.2f}",
                    f"{figures['processor'] / empty['processor']:.2f}",
                ]
            )
    print(*faults(results), sep="\n")
    return rows


PARTS = {"rest": at_rest, "idle": idle, "echo": echoing, "flat": flat, "full": full}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", type=names(PARTS), default=list(PARTS), help="default: all")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--idle", type=int, default=500, help="associations; default: 500")
    parser.add_argument("--echoes", type=int, default=2000, help="that are measured; default: 2000")
    parser.add_argument("--objects", type=int, default=100_000, help="of the part flat; default: 100000")
    parser.add_argument("--instances", type=int, default=1_000_000, help="of the part full; default: 1000000")
    parser.add_argument("--work", type=names(WORKS), default=["b"], help="of the part full; default: b")
    parser.add_argument("--associations", type=numbers, default=[1, 16], help="of that; default: 1,16")
    parser.add_argument(
        "--output", type=Path, metavar="DIRECTORY", help="where performance.rst is to be filled in: docs"
    )
    parser.set_defaults(quick=False)
    return parser.parse_args()


def main():
    chosen = arguments()
    with descriptor_limit(10_000):
        for part in chosen.parts:
            rows = PARTS[part](chosen)
            print("", *as_text(rows), sep="\n", flush=True)
            if chosen.output:
                fill_in(chosen.output, {part: simple_table(rows)})


if __name__ == "__main__":
    main()
