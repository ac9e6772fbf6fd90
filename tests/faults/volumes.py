"""Small disks, and disks that turn read-only: real mounts, which take root or a password-less sudo."""

from __future__ import annotations

import contextlib
import os
import subprocess

from ..programs import missing


class Mounts:
    """Mounts that end, the last first, when the test does."""

    def __init__(self):
        self._as_root = () if os.geteuid() == 0 else ("sudo", "--non-interactive")
        self._mounted = contextlib.ExitStack()

    def small(self, directory, size):
        """A disk of so many bytes at a new directory."""
        directory.mkdir()
        owner = f"size={size},mode=750,uid={os.geteuid()},gid={os.getegid()}"
        self._mount(directory, "-t", "tmpfs", "-o", owner, "tmpfs")

    @contextlib.contextmanager
    def read_only(self, directory):
        """Whatever is opened while the block runs cannot be written; what is open already can."""
        self._mount(directory, "--bind", directory)
        subprocess.run([*self._as_root, "mount", "-o", "remount,bind,ro", directory], check=True)
        yield
        self._mounted.close()

    def close(self):
        self._mounted.close()

    def _mount(self, directory, *what):
        command = [*self._as_root, "mount", *what, str(directory)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            failure = done.stderr if done.returncode else None
        except FileNotFoundError as error:
            failure = str(error)
        if failure is not None:
            missing(f"to mount takes root, sudo without a password, or `unshare -rm`: {failure.strip()}")
        self._mounted.callback(subprocess.run, [*self._as_root, "umount", directory], check=True)


@contextlib.contextmanager
def filled(directory, left=0):
    """All but `left` bytes of a disk are taken by others while the block runs."""
    status = os.statvfs(directory)
    ballast = directory / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - left)
    try:
        yield
    finally:
        ballast.unlink()
