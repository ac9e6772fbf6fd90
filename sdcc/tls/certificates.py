"""The certificates in use: read at the start, watched while they are valid, and read again when asked to."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from OpenSSL import SSL
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from sdcc.config import TLS
from sdcc.interfaces import RunInThread
from sdcc.tls import contexts, files

#: Not of a class, whose name would take the place of this one.
log = Logger(namespace="sdcc.tls")

#: Seconds from one look at the dates to the next.
DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _InUse:
    credentials: files.Credentials
    server: SSL.Context
    client: SSL.Context


class Certificates:
    """
    :param settings: read by :meth:`load`, which comes first.
    :param now: aware, UTC.
    """

    def __init__(self, settings: TLS, clock: IReactorTime, now: Callable[[], datetime.datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._now = now
        self._in_use: _InUse | None = None
        self._next_look: IDelayedCall | None = None

    def load(self) -> None:
        """Read the files. Blocks.

        :raises NotUsable: they cannot be used; the text says why, a line for each thing wrong with them.
        """
        self._in_use = _made(self._settings)

    async def renewed(self, run_in_thread: RunInThread, settings: TLS | None = None) -> Callable[[], None]:
        """Read the files, again or for the first time; gives what has them used for the connections that
        come, and watched. Those that are open go on as they are.

        :param settings: another `[tls]`; None: the same.

        :raises NotUsable: they cannot be used.
        """
        wanted = settings or self._settings
        made = await run_in_thread(_made, wanted)

        def use() -> None:
            self._settings, self._in_use = wanted, made
            log.info("{line}", line=f"the certificates of [tls] were read: {self._described}")
            self.stop()
            self.watch()

        return use

    def server_connection(self) -> contexts.Connection:
        """One end of a connection that a peer has opened."""
        return contexts.Connection(self._used.server)

    def client_connection(self) -> contexts.Connection:
        """One end of a connection to a peer."""
        return contexts.Connection(self._used.client)

    # --- their dates ---

    def watch(self) -> None:
        """Tell what the administrator should see to, now and every day until :meth:`stop`."""
        for concern in files.concerns(self._used.credentials, self._now()):
            log.warn("{concern}", concern=concern)
        self._next_look = self._clock.callLater(DAY, self.watch)

    def stop(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None

    @property
    def _used(self) -> _InUse:
        assert self._in_use is not None, "they are loaded first"
        return self._in_use

    @property
    def _described(self) -> str:
        own = self._used.credentials.certificates[0]
        return f"{files.common_name(own)!r}, valid until {own.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"


def _made(settings: TLS) -> _InUse:
    credentials = files.read(settings)
    return _InUse(
        credentials=credentials,
        server=contexts.server_context(credentials),
        client=contexts.client_context(credentials),
    )
