"""What the measurements were made on, without the names of hosts and paths."""

from __future__ import annotations

import os
import platform
import re
import statistics
import tempfile
import time
from pathlib import Path


def description():
    """Name to value, as JSON has them."""
    return {
        "Processor": f"{_field('cpuinfo', 'model name')}, {len(os.sched_getaffinity(0))} cores",
        "Memory": f"{int(_field('meminfo', 'MemTotal').split()[0]) / (1 << 20):.0f} GiB",
        "Kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "File system": file_system(tempfile.gettempdir()),
        "One fsync": f"{1e3 * sync_seconds():.2f} ms, of a new file of 4 KiB, the median of 50",
        "Date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _field(file, name):
    found = re.search(rf"^{name}\s*:\s*(.+)$", Path("/proc", file).read_text(), re.MULTILINE)
    return found[1] if found else "unknown"


def file_system(path):
    """The type of what is mounted there."""
    path = os.path.realpath(path)
    mounts = (line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines())
    around = [(where, kind) for where, kind in mounts if os.path.commonpath((where, path)) == where]
    return max(around, key=lambda mount: len(mount[0]))[1]


def sync_seconds():
    """That an fsync takes where the receivers' directories are."""
    took = []
    with tempfile.TemporaryDirectory() as directory:
        for number in range(50):
            with Path(directory, str(number)).open("wb", buffering=0) as file:
                file.write(bytes(4096))
                begun = time.perf_counter()
                os.fsync(file)
                took.append(time.perf_counter() - begun)
    return statistics.median(took)
