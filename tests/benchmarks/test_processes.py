"""What a process costs is seen with all that it has started."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.processes import peak_memory, processor_seconds, tree

#: Takes a tenth of a second of processor time, and 50 MB of memory.
BUSY = "import time; kept = b'x' * 50_000_000\nwhile time.process_time() < 0.1: pass\n"
SAY_AND_WAIT = "print(flush=True); input()\n"
#: One child ends, and is waited for; the other goes on.
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BUSY!r}], check=True)
command = [sys.executable, "-c", {BUSY + SAY_AND_WAIT!r}]
child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
{SAY_AND_WAIT}
child.communicate(b"\\n")
"""


@pytest.fixture(scope="module")
def parent():
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        yield process.pid
        process.communicate(b"\n")


def test_what_a_process_has_started_belongs_to_it(parent):
    first, child = tree(parent)
    assert first == parent
    assert tree(child) == [child]


def test_processor_time_is_that_of_children_too_whether_they_have_ended_or_not(parent):
    _, child = tree(parent)
    assert 0.1 <= processor_seconds(child) < processor_seconds(parent) - 0.1


def test_memory_is_that_of_all_that_are_there(parent):
    _, child = tree(parent)
    assert 50_000_000 < peak_memory(child) < peak_memory(parent)
    assert peak_memory(parent, parent) == 2 * peak_memory(parent)


def test_a_process_that_is_gone_costs_nothing():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert (processor_seconds(gone.pid), peak_memory(gone.pid)) == (0, 0)
