"""Many seeds, each a history of its own, in processes of their own: no promise is broken in any."""

from __future__ import annotations

import os
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


def simulate(*arguments: str, hash_seed: str = "random") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-bb", "-m", "tests.simulation", *arguments],
        cwd=PROJECT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )


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
