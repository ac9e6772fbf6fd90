"""The configuration file read again while the server runs: all of it takes effect that may, or nothing does.

First everything is tried that can fail; then, in one turn of the reactor, each part is told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from sdcc.config import Changes, Configuration, ConfigurationError, compare
from sdcc.interfaces import RunInThread
from sdcc.interfaces.administration import CannotDo

#: Not of a class, whose name would take the place of this one.
log = Logger(namespace="sdcc.configuration")

#: Tries all that may fail with a configuration, such as reading a file that it names, while everything goes
#: on as it did; gives what then puts it into effect, which cannot fail.
#:
#: It raises ConfigurationError, with a line for each thing wrong.
Prepare: TypeAlias = Callable[[Configuration], Awaitable[Callable[[], object]]]

NO_FILE = "SDCC was started without a configuration file, so there is none to be read again"
STOPPING = "SDCC is stopping, and reads no configuration"


class Reloading:
    """
    :param running: as the server was started.
    :param read: reads a file; blocks, and raises ConfigurationError.
    :param run_in_thread: for reading, which nobody must wait for.
    :param prepare: of all that can fail beyond that.
    :param reconfigure: puts a configuration into effect, in the reactor's thread.
    :param changed: told which keys are other ones now, each time that any is.

    :ivar configuration: the one in effect, key by key. What has to wait for a restart is as it was.
    """

    def __init__(
        self,
        running: Configuration,
        *,
        read: Callable[..., Configuration],
        run_in_thread: RunInThread,
        prepare: Sequence[Prepare] = (),
        reconfigure: Callable[[Configuration], None],
        changed: Callable[[Sequence[str]], None] = lambda keys: None,
    ) -> None:
        self.configuration = running
        self._read = read
        self._run_in_thread = run_in_thread
        self._prepare = prepare
        self._reconfigure = reconfigure
        self._changed = changed
        #: One reload after the other.
        self._turn = DeferredLock()
        self._is_over = False

    def stop(self) -> None:
        """Change nothing any more."""
        self._is_over = True

    async def reload(self) -> Changes:
        """Have the file take effect, as far as it may.

        :raises CannotDo: nothing has changed; the text says why, as the log does.
        """
        async with self._turn:
            try:
                changes, preparations = await self._tried()
            except (ConfigurationError, CannotDo) as error:
                for problem in str(error).splitlines():
                    log.error("The configuration stays as it is: {problem}", problem=problem)
                raise CannotDo(str(error)) from None
            for take_effect in preparations:
                take_effect()
            self._reconfigure(changes.effective)
            self.configuration = changes.effective
        _tell(changes)
        if changes.at_once:
            self._changed(changes.at_once)
        return changes

    async def _tried(self) -> tuple[Changes, list[Callable[[], object]]]:
        """What the file changes, and what puts it into effect where that was to be tried."""
        source = self.configuration.source
        if source is None:
            raise CannotDo(NO_FILE)
        wanted: Configuration = await self._run_in_thread(self._read, source)
        changes = compare(self.configuration, wanted)
        preparations = [await prepare(changes.effective) for prepare in self._prepare]
        if self._is_over:
            raise CannotDo(STOPPING)
        return changes, preparations


def _tell(changes: Changes) -> None:
    log.info(
        "The configuration was read again: {keys}",
        keys=f"in effect now: {', '.join(changes.at_once)}" if changes.at_once else "nothing has changed",
    )
    if changes.after_restart:
        log.warn(
            "The configuration takes effect after a restart only in: {keys}",
            keys=", ".join(changes.after_restart),
        )
