"""How long C-ECHO takes while many associations store on a disk that is slow, or that hangs.

    python -m benchmarks.slow_disk [--delay SECONDS] [--associations N] [--echoes N]

A server of its own, on a free port and in a temporary directory, has its writes and syncs delayed by strace.
Meanwhile each association stores an object of 1 MiB, and one more asks for Verification over and over. Run it
from the clone's directory, with the packages for the tests installed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.faults.crowd import Crowd
from tests.faults.injection import Injection
from tests.interop.server import CONFIGURATION, running

from .echoing import in_words, latencies
from .figures import percentile

MIB = 1 << 20
#: Milliseconds that the 99th of 100 should not pass.
TARGET = 100


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--delay", type=float, default=3600, help="seconds that each call takes; default: it hangs"
    )
    parser.add_argument("--associations", type=int, default=60, help="that store; default: 60")
    parser.add_argument("--echoes", type=int, default=1000, help="that are measured; default: 1000")
    return parser.parse_args()


def report(when, found):
    print(f"{when:<42} {in_words(found)}")


def measure(directory, strace, chosen):
    configuration = CONFIGURATION.replace("max_associations = 100", "max_associations = 2000")
    configuration += "[association]\nmaximum_open = 2000\n"
    with running(directory, configuration) as server:
        report("C-ECHO, server at rest:", latencies(server.address, chosen.echoes))
        server.forget_peak_rss()
        before = server.rss()
        slow = Injection(strace, server, f"writev,fsync:delay_enter={chosen.delay}s")
        try:
            crowd = Crowd(server, chosen.associations, MIB)
            pushing = latencies(server.address, chosen.echoes)
            held = latencies(server.address, chosen.echoes)
            unanswered = chosen.associations - len(crowd.statuses)
        finally:
            slow.end()
        crowd.end()
        report("C-ECHO, from the moment when all push:", pushing)
        report(f"C-ECHO, {unanswered} stores unanswered:", held)
        print(f"memory: {(server.peak_rss() - before) / MIB:.0f} MiB more at most")
        taken = f"{crowd.statuses.count(0)} of {len(crowd.statuses)}"
        print(f"stores answered 0000 when the disk was quick again: {taken}")
    return percentile(held, 99) < TARGET


def main():
    strace = shutil.which("strace")
    if strace is None:
        sys.exit("strace is missing: install Debian's package strace")
    with tempfile.TemporaryDirectory(prefix="sdcc-slow-disk-") as directory:
        sys.exit(not measure(Path(directory), strace, arguments()))


if __name__ == "__main__":
    main()
