"""The processes that decode, as many as there is work for and no more than some; idle ones stay for a while.

Whoever waits longest is served next.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import ceil

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorProcess, IReactorTime
from zope.interface import implementer

from sdcc.conversion.child import Child
from sdcc.interfaces import CannotConvert, IConverter, IScratchFile, OutOfResources

#: How many processes there are at most.
PROCESSES = 2
#: Seconds that an object may take.
TIMEOUT = 120.0
#: Seconds after which a process that has nothing to do ends.
IDLE = 60.0
#: Bytes that a process may allocate: a frame of 16,384 x 16,384 pixels in colour, decoded, some times over.
MEMORY = 4 << 30
#: What a process is given of the environment: what Python needs, and nothing that is secret.
ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH", "TZ")
#: The decoders have a process; they need no threads.
WITHOUT_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

COMMAND = (sys.executable, "-P", "-m", "sdcc.conversion", "--memory", str(MEMORY))


class Reactor(IReactorProcess, IReactorTime):
    """What is used of a reactor."""


@implementer(IConverter)
class Converter:
    """See :class:`sdcc.interfaces.IConverter`.

    :param new_scratch: :meth:`sdcc.interfaces.IObjectStore.scratch`.
    """

    def __init__(
        self,
        reactor: Reactor,
        new_scratch: Callable[[], IScratchFile],
        *,
        processes: int = PROCESSES,
        timeout: float = TIMEOUT,
        idle: float = IDLE,
        command: Sequence[str] = COMMAND,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._reactor = reactor
        self._new_scratch = new_scratch
        self._timeout = timeout
        self._idle_time = idle
        self._command = tuple(command)
        self._environment = {
            **{name: environment[name] for name in ENVIRONMENT if name in environment},
            **WITHOUT_THREADS,
        }
        self._processes = processes
        self._children: set[Child] = set()
        #: With the call that dismisses each; the one that was last busy is the last.
        self._idle: dict[Child, IDelayedCall] = {}
        self._waiting: deque[Deferred[None]] = deque()
        self._busy = 0
        self._stopped: Deferred[None] | None = None

    async def convert(self, path: str, transfer_syntax_uid: str) -> IScratchFile:
        await self._turn()
        try:
            scratch = self._scratch()
            try:
                await self._convert(path, transfer_syntax_uid, scratch.path)
            except BaseException:
                await scratch.remove()
                raise
            return scratch
        finally:
            self._busy -= 1
            if self._waiting:
                self._waiting.popleft().callback(None)

    async def stop(self) -> None:
        """Whatever is being converted is given up."""
        self._stopped = Deferred()
        for child in tuple(self._children):
            child.kill("SDCC is stopping")
        if self._children:
            await self._stopped

    async def _turn(self) -> None:
        """Come back when there may be one more."""
        if self._busy >= self._processes or self._waiting:
            turn: Deferred[None] = Deferred()
            self._waiting.append(turn)
            await turn
        self._busy += 1

    def _scratch(self) -> IScratchFile:
        if self._stopped is not None:
            raise CannotConvert("SDCC is stopping")
        try:
            return self._new_scratch()
        except (OSError, OutOfResources) as error:
            raise CannotConvert(str(error)) from None

    async def _convert(self, path: str, transfer_syntax_uid: str, output: str) -> None:
        child = self._child()
        job = {
            "path": path,
            "transfer_syntax": transfer_syntax_uid,
            "output": output,
            "seconds": ceil(self._timeout) + 1,
        }
        try:
            await child.convert(job)
        finally:
            if child.is_alive:
                self._idle[child] = self._reactor.callLater(self._idle_time, self._dismiss, child)

    def _child(self) -> Child:
        while self._idle:
            child, dismissal = self._idle.popitem()
            dismissal.cancel()
            if child.is_alive:
                return child
        child = Child(self._reactor, self._timeout, self._ended)
        try:
            self._reactor.spawnProcess(child, self._command[0], self._command, env=self._environment)
        except OSError as error:
            raise CannotConvert(f"there can be no process that decodes: {error.strerror}") from None
        self._children.add(child)
        return child

    def _dismiss(self, child: Child) -> None:
        self._idle.pop(child)
        child.dismiss()

    def _ended(self, child: Child) -> None:
        self._children.discard(child)
        if (dismissal := self._idle.pop(child, None)) is not None:
            dismissal.cancel()
        if self._stopped is not None and not self._children and not self._stopped.called:
            self._stopped.callback(None)
