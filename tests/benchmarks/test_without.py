"""SDCC with parts left out, to measure what they cost."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks import parts, without


def test_every_part_can_still_be_left_out_and_what_was_to_run_runs(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys; print(sys.argv[1:])")
    done = subprocess.run(
        (sys.executable, without.__file__, ",".join(without.PARTS), script, "--an", "argument"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("['--an', 'argument']\n", "")


def test_what_is_not_there_cannot_be_left_out():
    with pytest.raises(AttributeError):
        without.replace(without.FileSystem, no_such_call=without.nothing)
    assert not hasattr(without.FileSystem, "no_such_call")


def test_each_step_leaves_out_one_part_more():
    left_out = [receiver.runner[1:] for receiver in parts.receivers().values()]
    assert left_out[:3] == [(), ("sync",), ("sync,log-sync",)]
    assert left_out[-1] == (",".join(without.PARTS),)
