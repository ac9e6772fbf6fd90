"""TLS as the rest of `network` knows it: who has it made, and what is asked of a transport that has it.

OpenSSL costs a process 14 MB. Nothing of it is imported here until somebody wants TLS.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import (
    IProtocol,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import ServerFactory
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface

from sdcc.config import TLS
from sdcc.interfaces import RunInThread
from sdcc.lean import let_in


class ISecured(Interface):
    """What a transport that is TLS can tell beyond those that are not."""

    tcp = Attribute("TCPTransport: what is under it")
    peer_name = Attribute(
        "str: the Common Name in the peer's certificate; empty: it has shown none; to be asked while the "
        "connection stands"
    )

    def why(reason: Failure) -> str:  # noqa: N805  # an interface's methods have no self
        """What TLS has to do with the loss of the connection, in words; empty: nothing.

        To be asked within `connectionLost`, of its Failure.
        """


class Security(Protocol):
    """What :class:`sdcc.network.secure.TLSSecurity` is to those that do not import it."""

    def load(self) -> None: ...

    def watch(self) -> None: ...

    def stop(self) -> None: ...

    async def renewed(
        self, run_in_thread: RunInThread, settings: TLS | None = None, /
    ) -> Callable[[], None]: ...

    def accepting(self, factory: ServerFactory, /) -> ServerFactory: ...

    async def connect(
        self, endpoint: IStreamClientEndpoint, protocol: IProtocol, /, *, name: str, end: float
    ) -> None: ...


def security(settings: TLS, reactor: Any, now: Callable[[], datetime.datetime]) -> Security:
    """TLS as `[tls]` has it, to be made where some connection uses it."""
    let_in("OpenSSL")
    from sdcc.network.secure import TLSSecurity  # noqa: PLC0415  # see above

    return TLSSecurity(settings, reactor, now)
