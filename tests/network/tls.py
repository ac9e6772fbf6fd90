"""The other end of a connection over TLS: Python's own `ssl` on two pieces of memory, and no socket."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from sdcc.upper_layer.framing import Framer

from .calls import Awaited


class Far:
    """
    :param transport: what SDCC's end writes to.
    """

    def __init__(self, context: ssl.SSLContext, protocol: Any, transport: Any, **sides: Any) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, **sides)
        self.protocol = protocol
        self.transport = transport
        self._framer = Framer(0)

    def shake(self) -> Far:
        """Do the handshake.

        :raises ssl.SSLError: it fails.
        """
        for _ in range(6):
            try:
                self.tls.do_handshake()
                self.pump()
                return self
            except ssl.SSLWantReadError:
                self.pump()
            except ssl.SSLError:
                self.pump()
                raise
        return self

    def pump(self) -> None:
        """Let what either end has written reach the other."""
        sent = self._out.read()
        if sent:
            self.protocol.dataReceived(sent)
        self.pull()

    def pull(self) -> None:
        """Take what SDCC's end has written."""
        self._in.write(self.transport.value())
        self.transport.clear()

    def send(self, *data: Any) -> None:
        for part in data:
            self.tls.write(part if isinstance(part, bytes) else part.encode())
            self.pump()

    def read(self) -> bytes:
        """What has come since the last call."""
        self.pull()
        found = b""
        try:
            while piece := self.tls.read(1 << 20):
                found += piece
        except ssl.SSLWantReadError:
            pass
        return found

    def received(self) -> list[Any]:
        """PDUs since the last call."""
        return [*self._framer.feed(self.read())]

    def lose(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))

    @property
    def is_gone(self) -> bool:
        return bool(self.transport.disconnecting or self.transport.disconnected)


def context(authority: Path, shown: Path | None = None, *, of_server: bool = False) -> ssl.SSLContext:
    """What believes an authority and shows a certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if of_server else ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(authority)
    if shown is not None:
        made.load_cert_chain(shown, shown.with_suffix(".key"))
    return made


def reloaded(security: Any, settings: Any = None) -> Awaited:
    async def at_once(call: Any, *arguments: Any) -> Any:
        return call(*arguments)

    async def renew() -> None:
        use = await security.renewed(at_once, settings)
        use()

    return Awaited(renew())
