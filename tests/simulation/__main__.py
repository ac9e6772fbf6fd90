"""The whole server in one thread, under a simulated clock, network and disk: a seed decides everything.

A seed is one history: servers start on a disk in memory, peers storm them, the power fails or a process is
killed in the middle of whatever it does, and the servers start again. All of the server is real, from a PDU's
bytes to a file's, with the group commit and the doubts of both indexes; only the world around it is made: the
disk, the network, the threads, the time, and what a database does with its SQL. What SDCC promises is checked
at every step, on the disk as each crash left it, and when all is over. The same seed does the same again, so
that a failure can be watched as often as it takes to understand it:

    python -m tests.simulation 1391 --trace

Many seeds, in as many processes as wished; the tests run 2,000, or as many as SDCC_SIMULATION_SEEDS says:

    python -m tests.simulation --seeds 0-1999 --processes 2

The modules, from the bottom up. The world: `schedule` is the clock and the order of events; `disk` and
`filesystem`, `network` and `transport`, `reactor`, `workers` and `fiber`, `wall_clock`. What registers:
`database` and its `troubles`, under the product's own indexes in `sqlite` and `postgresql`. A server in all
of this is a `process`. Those who send are `requestor` and `peers`, and what they know is `history`. At last,
`conditions`, `doom` and `world` make a history of a seed, and `promises` judges it.

To add a promise: write a check in `promises` that raises `Broken` with a sentence, and call it where it must
hold. Then plant the fault that it is to see in `planted`, under the name of what is wrong, and look:

    python -m tests.simulation --seeds 0-199 --fault "a slot is never given back"

A check that finds no planted fault checks nothing. To add what may befall the server: a bad day of a peer is
a coroutine in `peers.KINDS`; what the world does is drawn in `conditions` and happens in its own module. Draw
it with the schedule's `random` and nothing else, let nothing depend on the order of a set, and say in the
trace what happened. Then run some ten thousand seeds, since each change gives every seed another history.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import signal
import subprocess
import sys
import traceback
from contextlib import nullcontext
from functools import partial
from types import FrameType
from typing import NoReturn

from twisted.logger import globalLogBeginner

from .planted import FAULTS, RARE
from .schedule import Trace
from .world import run

#: Broken seeds after which no more are tried.
ENOUGH = 5


def main() -> int:
    """1: a promise is broken."""
    options = _options()
    if options.processes > 1:
        return _in_processes(options)
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    gc.collect()
    gc.freeze()  # what lives for ever need not be looked through after each seed
    broken = 0
    seeds = _range(options.seeds) if options.seed is None else [options.seed]
    for seed in seeds:
        trace = Trace(print if options.trace else None)
        signal.signal(signal.SIGTERM, partial(_terminated, seed, trace, options))
        with {**FAULTS, **RARE}[options.fault]() if options.fault else nullcontext():
            fault = _fault_of(seed, trace)
        if options.hashes:
            print(seed, trace.hash)
        if fault is not None:
            broken += 1
            _tell(seed, trace, fault, options)
            if options.fault or broken == ENOUGH:
                break
    print(f"{seed - seeds[0] + 1} seeds, {broken} of them broken")
    return 1 if broken else 0


def _fault_of(seed: int, trace: Trace) -> Exception | None:
    try:
        run(seed, trace)
    except Exception as fault:  # a promise, or a fault of the simulation itself
        return fault
    return None


def _terminated(
    seed: int, trace: Trace, options: argparse.Namespace, _: int, frame: FrameType | None
) -> NoReturn:
    """It may loop: tell where. No exception would do, which anything on its way may catch."""
    traceback.print_stack(frame)
    _tell(seed, trace, TimeoutError("terminated before its end"), options)
    sys.stdout.flush()
    os._exit(1)


def _tell(seed: int, trace: Trace, fault: Exception, options: argparse.Namespace) -> None:
    planted = f' --fault "{options.fault}"' if options.fault else ""
    if not options.trace:
        print(*trace.tail, sep="\n")
    print(f"seed {seed}: {type(fault).__name__}: {fault}")
    print(f"again: python -m tests.simulation {seed} --trace{planted}")


def _in_processes(options: argparse.Namespace) -> int:
    """A share of the seeds each."""
    seeds = _range(options.seeds)
    edges = [seeds.start + len(seeds) * share // options.processes for share in range(options.processes + 1)]
    command = [sys.executable, "-m", "tests.simulation"]
    shares = [
        subprocess.Popen([*command, "--seeds", f"{first}-{end - 1}"])
        for first, end in itertools.pairwise(edges)
        if first < end
    ]
    return max([share.wait() for share in shares])


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _options() -> argparse.Namespace:
    description, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        "python -m tests.simulation",
        description=description,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("seed", type=int, nargs="?", help="one seed")
    parser.add_argument("--seeds", default="0-1999", metavar="FIRST-LAST", help="many (%(default)s)")
    parser.add_argument("--trace", action="store_true", help="show all that happens")
    parser.add_argument(
        "--fault", choices=[*FAULTS, *RARE], metavar="NAME", help="plant one, and stop where it is found"
    )
    parser.add_argument("--hashes", action="store_true", help="show the hash of each seed's trace")
    parser.add_argument("--processes", type=int, default=1, help="share the seeds among so many")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
