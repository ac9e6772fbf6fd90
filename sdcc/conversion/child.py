"""One process that decodes, as the server sees it: a job at a time, and an end that may come at any time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IProcessTransport, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from sdcc.interfaces import CannotConvert

#: Bytes of an answer; a longer one is none.
LONGEST_ANSWER = 4096
#: Characters of a reason.
LONGEST_REASON = 200


class Child(ProcessProtocol):
    """
    :param timeout: seconds that a job may take.
    :param ended: told when the process is gone.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, timeout: float, ended: Callable[[Child], None]) -> None:
        self._clock = clock
        self._timeout = timeout
        self._ended = ended
        self._answer: Deferred[None] | None = None
        self._expiry: IDelayedCall | None = None
        self._received = b""
        self.is_alive = True

    async def convert(self, job: Mapping[str, object]) -> None:
        """:raises CannotConvert: whatever became of the process."""
        self._answer = Deferred()
        self._expiry = self._clock.callLater(
            self._timeout, self.kill, f"the conversion took longer than {self._timeout:g} s"
        )
        answer = self._answer
        self._process.write(json.dumps(job).encode() + b"\n")
        await answer

    def kill(self, reason: str) -> None:
        """Whatever it is at; nobody waits until it is gone."""
        self.is_alive = False
        with suppress(ProcessExitedAlready):
            self._process.signalProcess("KILL")
        self._settle(CannotConvert(reason))

    def dismiss(self) -> None:
        """It ends as soon as it has read that there are no more jobs."""
        self._process.closeStdin()

    @property
    def _process(self) -> IProcessTransport:
        assert self.transport is not None
        return self.transport

    # --- what comes ---

    def outReceived(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(b"\n"):
            line, self._received = self._received, b""
            self._answered(line)
        elif len(self._received) > LONGEST_ANSWER:
            self._nonsense()

    def _answered(self, line: bytes) -> None:
        try:
            fault = json.loads(line).get("fault")
        except (ValueError, AttributeError):
            self._nonsense()
            return
        if self._answer is None:
            self._nonsense()
            return
        self._settle(None if fault is None else CannotConvert(str(fault)[:LONGEST_REASON]))

    def _nonsense(self) -> None:
        self._received = b""
        self.kill("the process that decodes answered with nonsense")

    def errReceived(self, data: bytes) -> None:
        self._log.debug(
            "The process that decodes says: {text}", text=data[:LONGEST_ANSWER].decode("utf-8", "replace")
        )

    def processEnded(self, reason: Failure) -> None:
        self.is_alive = False
        self._ended(self)
        self._settle(CannotConvert(f"the process that decodes ended, {_how(reason.value)}"))

    def _settle(self, fault: CannotConvert | None) -> None:
        answer, self._answer = self._answer, None
        if self._expiry is not None and self._expiry.active():
            self._expiry.cancel()
        if answer is None:
            return
        if fault is None:
            answer.callback(None)
        else:
            answer.errback(fault)


def _how(end: BaseException | None) -> str:
    if isinstance(end, ProcessTerminated) and end.signal is not None:
        return f"by signal {end.signal}"
    return f"exit code {end.exitCode}" if isinstance(end, ProcessDone | ProcessTerminated) else "somehow"
