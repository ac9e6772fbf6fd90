"""System calls of a running server that fail, or that take as long as they are let: strace attached to it."""

from __future__ import annotations

import contextlib
import subprocess

from ..interop.server import PATIENCE, until
from .trace import OPTIONS, read


class Injection:
    """strace, attached from its making until :meth:`end`.

    :param rules: what is done to which calls, as strace's `inject` has it. It counts by thread.
    :param calls: what is traced besides.
    """

    def __init__(self, strace, server, *rules, calls=()):
        self._trace = server.directory / "injected"
        names = [*(rule.partition(":")[0] for rule in rules), *calls]
        command = [strace, *OPTIONS, "-o", self._trace, "-e", f"trace={','.join(names)}"]
        command += [f"--inject={rule}" for rule in rules]
        self._said = server.directory / "injecting"
        with self._said.open("wb") as said:
            self._strace = subprocess.Popen([*command, "-p", str(server.process.pid)], stderr=said)
        try:
            until(lambda: "attached" in self._said.read_text(), "strace is attached")
        except BaseException:
            self.end()
            raise

    def end(self):
        """Everything works again, calls that were being delayed too."""
        self._strace.terminate()
        self._strace.wait(PATIENCE)

    def count(self, name):
        """How many calls of a name have begun so far."""
        return self._trace.read_text().count(f" {name}(")

    def calls(self):
        """What was traced, after the end."""
        with self._trace.open() as lines:
            return read(lines)


@contextlib.contextmanager
def injected(strace, server, *rules, **options):
    injection = Injection(strace, server, *rules, **options)
    try:
        yield injection
    finally:
        injection.end()
