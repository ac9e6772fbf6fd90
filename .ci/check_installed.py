"""The installed package is complete, and its programs find it.

Run with the tree that it was built from as the argument.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import sdcc


def files(package: Path) -> set[Path]:
    return {
        path.relative_to(package)
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def output(program: str, *arguments: str) -> str:
    """What a program of this environment prints, run where no tree is near."""
    command = [Path(sys.executable).with_name(program), *arguments]
    with tempfile.TemporaryDirectory() as directory:
        return subprocess.run(
            command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True
        ).stdout


def faults(tree: Path) -> list[str]:
    installed = Path(sdcc.__file__).parent
    if installed == tree / "sdcc":
        return ["the tree is used, and nothing is installed"]
    found = [f"{path} is missing, or too much" for path in files(tree / "sdcc") ^ files(installed)]
    if "sdcc" not in [line.split()[0] for line in output("twistd", "--help").splitlines() if line.strip()]:
        found.append("twistd does not list sdcc")
    for program in (("twistd", "sdcc"), ("sdccctl",)):
        if output(*program, "--version") != f"SDCC {sdcc.__version__}\n":
            found.append(f"{' '.join(program)} is of another version")
        if "--config" not in output(*program, "--help"):
            found.append(f"{' '.join(program)} does not help")
    return found


if __name__ == "__main__":
    sys.exit("\n".join(faults(Path(sys.argv[1]).resolve())) or None)
