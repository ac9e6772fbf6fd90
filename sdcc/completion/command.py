"""The site's own command, run for a stable study.

A process group of its own, led by the command. It inherits no descriptor of the server's, and of its
environment what a program needs and nothing that is secret. No shell is between.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.interfaces import (
    IDelayedCall,
    IProcessTransport,
    IPushProducer,
    IReactorProcess,
    IReactorTime,
)
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from sdcc.completion.facts import as_json, facts
from sdcc.completion.notices import NotDelivered
from sdcc.interfaces import StableStudy

#: Seconds from the request to end until it is forced to.
KILL_AFTER = 5.0
#: Bytes of output that the log is given, at debug: what is in it nobody here knows.
LOGGED = 2000
#: Seconds for which a command that says more is not listened to, piece by piece, or it would keep us busy.
HUSH = 0.1
#: Seconds that its last output has to arrive.
LINGER = 1.0
#: What the command has of the environment, where it is there.
ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TZ", "USER")
#: Makes a process group, and becomes the command: the reactor has no word for it. What Python ignores, other
#: programs expect to end by.
LEADER = """
import os, signal, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
os.setsid()
os.chdir("/")
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as error:
    sys.exit(f"{sys.argv[1]}: {error.strerror}")
"""
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def arguments(command: Sequence[str], study: StableStudy) -> list[str]:
    """The command with what its placeholders stand for, each time within one argument."""
    known = {name: "" if value is None else str(value) for name, value in facts(study).items()}
    return [_PLACEHOLDER.sub(lambda found: known.get(found[1], found[0]), argument) for argument in command]


class Command:
    """
    :param command: an argument list; the first is a path, or a name to be found in PATH.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        processes: IReactorProcess,
        clock: IReactorTime,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._command = tuple(command)
        self._processes = processes
        self._clock = clock
        self._environment = {name: environment[name] for name in ENVIRONMENT if name in environment}

    async def __call__(self, study: StableStudy) -> None:
        """Return when it has ended with exit code 0.

        When cancelled, it is asked to end, and forced to soon after.

        :raises NotDelivered: it has ended otherwise, or there can be no process.
        """
        run = _Run(self._clock, as_json(study))
        begin = (sys.executable, "-I", "-S", "-c", LEADER, *arguments(self._command, study))
        try:
            self._processes.spawnProcess(run, begin[0], begin, env=self._environment)
        except OSError as error:
            raise NotDelivered(f"there can be no process: {error.strerror}") from None
        try:
            end = await run.ended
        except CancelledError:
            await run.end()
            raise
        if end is not None:
            raise NotDelivered(f"it ended {end}")


class _Run(ProcessProtocol):
    """One process, from its start to its end; what it leaves behind may go on.

    :ivar ended: how it did; None: with exit code 0.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, given: bytes) -> None:
        self._clock = clock
        self._given = given
        self._output = b""
        self._heard = 0
        #: When it is listened to again, and when no longer.
        self._listening: IDelayedCall | None = None
        self._closing: IDelayedCall | None = None
        self._is_over = False
        self._waiting: list[Deferred[None]] = []
        self.ended: Deferred[str | None] = Deferred()

    async def end(self) -> None:
        """Return when it is gone, and not before, however often that is cancelled."""
        self._signal(signal.SIGTERM)
        force = self._clock.callLater(KILL_AFTER, self._signal, signal.SIGKILL)
        while not self._is_over:
            gone: Deferred[None] = Deferred()
            self._waiting.append(gone)
            with suppress(CancelledError):
                await gone
        if force.active():
            force.cancel()

    def _signal(self, number: int) -> None:
        """To the whole group; to the process alone while that is still to make one."""
        pid = self._process.pid
        if not self._is_over and pid is not None:
            try:
                os.killpg(pid, number)
            except ProcessLookupError:
                os.kill(pid, number)  # it is there, if only as what is not waited for yet

    @property
    def _process(self) -> IProcessTransport:
        assert self.transport is not None
        return self.transport

    @property
    def _output_pipe(self) -> IPushProducer:
        return cast(IPushProducer, self._process)

    # --- what comes ---

    def connectionMade(self) -> None:
        self._process.write(self._given)
        self._process.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self._heard += len(data)
        self._output += data[: LOGGED - len(self._output)]
        if self._heard > LOGGED and self._listening is None:
            self._output_pipe.pauseProducing()
            self._listening = self._clock.callLater(HUSH, self._listen)

    def errReceived(self, data: bytes) -> None:
        self.outReceived(data)

    def _listen(self) -> None:
        self._listening = None
        self._output_pipe.resumeProducing()

    def processExited(self, reason: Failure) -> None:
        """It is over, though a process that it has left behind may still hold its output open."""
        self._is_over = True
        self._closing = self._clock.callLater(LINGER, self._process.loseConnection)
        for gone in self._waiting:
            gone.callback(None)
        if not self.ended.called:
            self.ended.callback(_how(reason.value))

    def processEnded(self, reason: Failure) -> None:
        """And so is its output."""
        for call in (self._listening, self._closing):
            if call is not None and call.active():
                call.cancel()
        if self._output:
            self._log.debug("The command says: {text}", text=self._output.decode("utf-8", "replace"))


def _how(end: BaseException | None) -> str | None:
    if not isinstance(end, ProcessTerminated):
        return None
    return f"with exit code {end.exitCode}" if end.signal is None else f"by signal {end.signal}"
