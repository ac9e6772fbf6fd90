"""Whom SDCC may call, where they are, and how a connection to them is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any
from weakref import WeakSet

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from sdcc import conformance
from sdcc.config import Remote
from sdcc.interfaces import AssociationLost, Ending, ICaller
from sdcc.network.addresses import IPAddress, Resolve, literal
from sdcc.network.lost import NotConnected
from sdcc.network.observers import NOBODY, Observers
from sdcc.network.own_association import OwnAssociation
from sdcc.network.security import Security
from sdcc.network.single import Single
from sdcc.network.timeouts import Timeouts
from sdcc.printable import printable
from sdcc.upper_layer.items import (
    MAXIMUM_CONTEXTS,
    ImplementationClassUID,
    ImplementationVersionName,
    MaximumLength,
    ProposedContext,
    RoleSelection,
)
from sdcc.upper_layer.pdu import AssociateRQ

#: The SOP Classes of which SDCC is the SCP, and reports what happens, over an association of its own
#: (PS3.4 J.3.3).
REPORTED_CLASSES = frozenset({conformance.STORAGE_COMMITMENT})
#: Why nobody is called any more.
STOPPING = "SDCC is stopping"


@implementer(ICaller)
class Caller:
    """
    :param remotes: whoever may be called; those without a port may not.
    :param reactor: a reactor, for connections and for the time.
    :param resolve: gives the addresses of a host name, none where it has none; it may hang.
    :param maximum_pdu_length: announced to every peer.
    :param security: for the remotes that are called over TLS; None: there is none of these.
    :param observers: told of each association, and of each that came to nothing.
    """

    def __init__(
        self,
        remotes: Iterable[Remote],
        reactor: Any,
        *,
        resolve: Resolve,
        maximum_pdu_length: int,
        timeouts: Timeouts,
        security: Security | None = None,
        observers: Observers = NOBODY,
    ) -> None:
        self._reactor = reactor
        self._resolve = resolve
        self.security = security
        self._observers = observers
        self.reconfigure(remotes, maximum_pdu_length=maximum_pdu_length, timeouts=timeouts)
        self._numbers = count(1)
        #: Those that stand: the reactor knows them as long.
        self._open: WeakSet[OwnAssociation] = WeakSet()
        self._connecting: set[Deferred[None]] = set()
        self._is_stopped = False

    def reconfigure(self, remotes: Iterable[Remote], *, maximum_pdu_length: int, timeouts: Timeouts) -> None:
        """Open associations so from the next one on."""
        self._remotes = {remote.ae_title: remote for remote in remotes if remote.port is not None}
        self._maximum_pdu_length = maximum_pdu_length
        self._timeouts = timeouts

    def may_call(self, ae_title: str) -> bool:
        return ae_title in self._remotes

    async def open(
        self, called_ae: str, calling_ae: str, contexts: Sequence[ProposedContext]
    ) -> OwnAssociation:
        """See :class:`~sdcc.interfaces.ICaller`."""
        if (remote := self._remotes.get(called_ae)) is None:
            raise NotConnected(f"{called_ae!r} is no [[remote]] with a port")
        if self._is_stopped:
            raise NotConnected(STOPPING)
        try:
            return await self._established(remote, calling_ae, contexts)
        except AssociationLost as lost:
            self._observers.not_opened(called_ae, str(lost))
            raise

    async def _established(
        self, remote: Remote, calling_ae: str, contexts: Sequence[ProposedContext]
    ) -> OwnAssociation:
        number, called_ae = next(self._numbers), remote.ae_title
        association = OwnAssociation(
            self._request(called_ae, calling_ae, contexts),
            maximum_length=self._maximum_pdu_length,
            clock=self._reactor,
            timeouts=self._timeouts,
            name=printable(f"{calling_ae}->{called_ae}({number})"),
            opened=lambda address: self._observers.opened(
                number=number,
                calling_ae=calling_ae,
                called_ae=called_ae,
                address=address,
                is_ours=True,
                is_remote=True,
                is_secure=remote.tls,
            ),
        )
        connecting = Deferred.fromCoroutine(self._connect(remote, association))
        self._connecting.add(connecting)
        try:
            await connecting
        except CancelledError:
            if self._is_stopped:
                raise NotConnected(STOPPING) from None
            raise
        finally:
            self._connecting.remove(connecting)
        self._open.add(association)
        try:
            await association.establish()
        except BaseException as error:
            association.abort()
            if isinstance(error, NotConnected) and not self._is_stopped:  # it was one for a moment
                raise NotConnected(f"{_where(remote)}: {error}") from None
            raise
        return association

    def stop(self) -> None:
        """End every association at once; none is opened any more."""
        self._is_stopped = True
        for connecting in [*self._connecting]:
            connecting.cancel()
        for association in [*self._open]:
            association.fail(NotConnected(STOPPING), Ending.STOPPING)

    def _request(self, called_ae: str, calling_ae: str, contexts: Sequence[ProposedContext]) -> AssociateRQ:
        assert 0 < len(contexts) <= MAXIMUM_CONTEXTS
        return AssociateRQ(
            called_ae_title=called_ae,
            calling_ae_title=calling_ae,
            application_context_name=conformance.DICOM_APPLICATION_CONTEXT,
            presentation_contexts=tuple(contexts),
            user_information=(
                MaximumLength(self._maximum_pdu_length),
                ImplementationClassUID(conformance.IMPLEMENTATION_CLASS_UID),
                *(
                    RoleSelection(sop_class_uid=uid, scu=False, scp=True)
                    for uid in sorted({context.abstract_syntax for context in contexts} & REPORTED_CLASSES)
                ),
                ImplementationVersionName(conformance.IMPLEMENTATION_VERSION_NAME),
            ),
        )

    # --- connecting ---

    async def _connect(self, remote: Remote, association: OwnAssociation) -> None:
        """Try the host's addresses in turn, all of them within the timeout.

        :raises NotConnected: none answers.
        """
        end = self._reactor.seconds() + self._timeouts.connection
        where = _where(remote)
        addresses = await self._addresses(remote.address, where)
        for number, address in enumerate(addresses):
            seconds = (end - self._reactor.seconds()) / (len(addresses) - number)
            try:
                await self._reach(remote, address, max(seconds, 0), association)
                return
            except ConnectingCancelledError:
                raise CancelledError from None
            except ConnectError as error:
                failure = error
        raise NotConnected(f"{where}: {_why(failure)}") from None

    async def _reach(self, remote: Remote, address: str, seconds: float, association: OwnAssociation) -> None:
        """The one place that knows how a peer is reached.

        :raises ConnectError: it is not.
        """
        assert remote.port is not None
        kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
        end = self._reactor.seconds() + seconds
        endpoint: IStreamClientEndpoint = kind(self._reactor, address, remote.port, timeout=seconds)
        if not remote.tls:
            await endpoint.connect(Single(association))
        else:
            assert self.security is not None, "there is a [tls] where a remote is called over TLS"
            name = remote.tls_name or remote.address.partition("%")[0]  # no network interface is in it
            await self.security.connect(endpoint, association, name=name, end=end)

    async def _addresses(self, host: str, where: str) -> list[str]:
        """Those of IPv4 first.

        The names are not left to the endpoint, whose threads the reactor waits for when it stops.
        """
        if literal(host) is not None:
            return [host]  # as it is: the network interface of a link-local one may be in it
        try:
            lookup = Deferred.fromCoroutine(self._look_up(host))
            found = await lookup.addTimeout(self._timeouts.connection, self._reactor)
        except DeferredTimeout:
            raise NotConnected(f"{where}: the host name was not resolved in time") from None
        if not found:
            raise NotConnected(f"{where}: the host name has no address")
        return [str(address) for address in sorted(found, key=lambda address: (address.version, address))]

    async def _look_up(self, host: str) -> frozenset[IPAddress]:
        return await self._resolve(host)


def _where(remote: Remote) -> str:
    return f"no connection to {remote.address}:{remote.port}"


def _why(error: ConnectError) -> str:
    """In so few words that they fit into an Error Comment behind the address."""
    if isinstance(error, ConnectTimeout):
        return "no answer in time"
    return os.strerror(error.osError) if isinstance(error.osError, int) else str(error)
