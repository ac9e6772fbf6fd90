"""Many seeds, each a history of its own, in processes of their own: no promise is broken in any."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .planted import FAULTS

PROJECT = Path(__file__).parents[2]
#: For longer runs.
SEEDS = int(os.environ.get("SDCC_SIMULATION_SEEDS", "2000"))
#: The seeds among which a planted fault is found.
SEEDS_FOR_A_FAULT = 200


#: Seconds after which a simulation is taken for one that loops.
PATIENCE = 600 + SEEDS / 4


def begin(*arguments: str, hash_seed: str = "random") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-bb", "-m", "tests.simulation", *arguments],
        cwd=PROJECT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that its own processes end with it
    )


def simulate(
    *arguments: str, hash_seed: str = "random", patience: float = PATIENCE
) -> subprocess.CompletedProcess[str]:
    with begin(*arguments, hash_seed=hash_seed) as process:
        try:
            output = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            output = process.communicate()
            pytest.fail(f"not over within {patience:g} s\n" + "".join(output))
        return subprocess.CompletedProcess(process.args, process.returncode, *output)


def test_no_seed_breaks_a_promise() -> None:
    done = simulate("--seeds", f"0-{SEEDS - 1}", "--processes", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    done = simulate("--seeds", f"0-{SEEDS_FOR_A_FAULT - 1}", "--fault", fault)
    assert done.returncode == 1, done.stdout + done.stderr
    assert not done.stderr, done.stderr
    assert f'--trace --fault "{fault}"' in done.stdout


def test_a_seed_does_the_same_again() -> None:
    """Also where the hashes of texts, and with them the order of sets, are others."""
    first, second = (simulate("--seeds", "0-99", "--hashes", hash_seed=seed) for seed in ("1", "2"))
    assert first.stdout == second.stdout
    assert len(first.stdout.splitlines()) > 100


def test_another_seed_is_another_history() -> None:
    hashes = [line.split()[1] for line in simulate("--seeds", "0-19", "--hashes").stdout.splitlines()[:20]]
    assert len({*hashes}) == 20


def test_a_simulation_that_does_not_end_is_ended() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"^not over within 0 s"):
        simulate("--seeds", "0-999999", "--processes", "2", patience=0)


def test_a_simulation_that_is_ended_shows_where_it_stood() -> None:
    with begin("--seeds", "0-999999", "--hashes") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        output, stack = process.communicate()
    assert process.returncode == 1
    assert re.search(
        r"^seed \d+: TimeoutError: .*\nagain: python -m tests.simulation \d+ --trace$", output, re.M
    )
    assert "in run" in stack
