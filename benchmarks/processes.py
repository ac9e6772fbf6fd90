"""What a process and all that it started cost, as Linux shows it."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def tree(root):
    """Process numbers: of a process, and of those that descend from it."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        if fields := _stat(path):
            parents[int(path.parent.name)] = int(fields[1])
    found = [root]
    for known in found:
        found += [number for number, parent in parents.items() if parent == known]
    return found


def processor_seconds(*roots):
    """That the trees have used so far, with what has ended in them."""
    total = 0.0
    for number in (number for root in roots for number in tree(root)):
        fields = _stat(Path(f"/proc/{number}/stat"))
        if fields:
            # what has ended and been waited for is counted in ticks alone
            total += _running_seconds(number) + (int(fields[13]) + int(fields[14])) / _TICK
    return total


def peak_memory(*roots):
    """Bytes that the trees' processes had at most each, all together."""
    return sum(_peak(number) for root in roots for number in tree(root))


def _stat(path):
    """The fields after the command's name: state, parent and so on."""
    try:
        return path.read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _running_seconds(number):
    """By its CPU clock, whose number clock_getcpuclockid(3) would give: finer than ticks."""
    try:
        return time.clock_gettime(~number << 3 | 2)
    except OSError:
        return 0.0


def _peak(number):
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{number}/status").read_text(), re.MULTILINE)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found[1]) * 1024 if found else 0
