"""The ssh-userauth service (RFC 4252) with one method: a public key."""

from __future__ import annotations

import struct
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

from twisted.conch.error import IgnoreAuthentication
from twisted.conch.interfaces import IConchUser
from twisted.conch.ssh.common import NS, getNS
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.userauth import MSG_USERAUTH_PK_OK, MSG_USERAUTH_REQUEST, SSHUserAuthServer
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from sdcc.manhole import USER
from sdcc.manhole.authorized_keys import SIGNATURES, AuthorizedKey, fingerprint
from sdcc.manhole.guarded import NotGuarded
from sdcc.manhole.quiet import QUIET
from sdcc.manhole.session import User
from sdcc.printable import printable

if TYPE_CHECKING:
    from sdcc.manhole.connection import Connection

#: Keys that a client may try: one that asks an agent for all that it has tries several.
ATTEMPTS = 6
METHOD = b"publickey"
SHORTEST_RSA = 2048
log = Logger(namespace="sdcc.manhole")


class Login(SSHUserAuthServer):
    """On the connection of a :class:`~sdcc.manhole.connection.Connection`."""

    _log = QUIET
    attemptsBeforeDisconnect = ATTEMPTS

    def serviceStarted(self) -> None:
        """What the base class does without its portal, which would let passwords be plugged in, and without
        its clock: the connection has one limit of time for all that comes before the login."""
        self.authenticatedWith: list[bytes] = []
        self.loginAttempts = 0
        self.user: bytes = b""
        self.nextService: bytes = b""
        self.supportedAuthentications = [METHOD]
        self._cancelLoginTimeout = None  # type: ignore[assignment]
        self._is_checking = False

    @property
    def _connection(self) -> Connection:
        return cast("Connection", self.transport)

    def tryAuth(self, kind: bytes, user: bytes, data: bytes) -> Deferred[Any]:
        """Every client begins with "none", to be told what there is."""
        if kind not in (METHOD, b"none"):
            self._refused(
                f"the method {printable(kind.decode('utf-8', 'replace'))[:32]}", "there is none but keys"
            )
        return super().tryAuth(kind, user, data)

    def auth_publickey(self, packet: bytes) -> Deferred[Any]:
        """RFC 4252 7: the question whether a key would do, or a signature with it."""
        has_signature = packet[:1] != b"\0"
        algorithm, blob, rest = getNS(packet[1:], 2)
        if not has_signature:
            return ensureDeferred(self._check(self._would_do(algorithm, blob)))
        signed = (
            NS(cast(bytes, self._connection.sessionID))
            + bytes((MSG_USERAUTH_REQUEST,))
            + NS(self.user)
            + NS(self.nextService)
            + NS(METHOD)
            + b"\1"
            + NS(algorithm)
            + NS(blob)
        )
        return ensureDeferred(self._check(self._admit(algorithm, blob, getNS(rest)[0], signed)))

    async def _check(self, check: Coroutine[Any, Any, Any]) -> Any:
        """One at a time, for each reads the file of keys anew; and none once one has succeeded."""
        if self._is_checking or self._connection.is_logged_in:
            check.close()
            raise UnauthorizedLogin("a request before the answer to the last")
        self._is_checking = True
        try:
            return await check
        except (UnauthorizedLogin, IgnoreAuthentication):
            raise
        except Exception as error:  # the boundary: what a stranger has sent, or a fault of ours
            raise self._refused("a login", f"it cannot be read: {type(error).__name__}") from error
        finally:
            self._is_checking = False

    async def _would_do(self, algorithm: bytes, blob: bytes) -> None:
        await self._authorized(algorithm, blob, self.user)
        self._connection.sendPacket(MSG_USERAUTH_PK_OK, NS(algorithm) + NS(blob))
        raise IgnoreAuthentication  # which has had its answer

    async def _admit(
        self, algorithm: bytes, blob: bytes, signature: bytes, signed: bytes
    ) -> tuple[type[IConchUser], User, Callable[[], None]]:
        key = await self._authorized(algorithm, blob, self.user)
        public = Key.fromString(blob)
        if public.type() == "RSA" and public.size() < SHORTEST_RSA:
            raise self._refused(str(key), f"RSA keys of less than {SHORTEST_RSA} bits are not taken")
        if getNS(signature)[0] != algorithm or not _verifies(public, signature, signed):
            raise self._refused(str(key), "its signature is wrong")
        if (reason := self._connection.log_in(key)) is not None:
            raise self._refused(str(key), reason)
        log.info("Manhole: {key} has logged in from {peer}", key=str(key), peer=self._connection.peer)
        return (
            IConchUser,
            User(self._connection.surroundings, self._connection, key),
            self._connection.log_out,
        )

    async def _authorized(self, algorithm: bytes, blob: bytes, user: bytes) -> AuthorizedKey:
        """The line that lets this key in.

        :raises UnauthorizedLogin: there is none; the log says why.
        """
        name = fingerprint(blob)
        if user != USER.encode():
            raise self._refused(name, f"the user name is not {USER!r}")
        if algorithm not in SIGNATURES.get(getNS(blob)[0], ()):
            shown = printable(algorithm.decode("utf-8", "replace"))[:64]
            raise self._refused(name, f"signatures of type {shown} are not taken")
        path = self._connection.surroundings.authorized_keys
        try:
            keys = await self._connection.surroundings.read_keys()
        except NotGuarded as error:
            raise self._refused(name, f"[manhole] authorized_keys: {error}") from None
        except OSError as error:
            reason = f"[manhole] authorized_keys: {path}: {error.strerror or error}"
            raise self._refused(name, reason) from None
        found = next((key for key in keys if key.blob == blob), None)
        if found is None:
            raise self._refused(name, f"it is not in {path}")
        if found.fault:
            raise self._refused(name, f"{path}, line {found.number}: {found.fault}")
        return found

    def _refused(self, what: str, reason: str) -> Exception:
        log.warn(
            "Manhole: {what} from {peer} is refused: {reason}",
            what=printable(what),
            peer=self._connection.peer,
            reason=printable(reason),
        )
        return UnauthorizedLogin(reason)


def _verifies(key: Key, signature: bytes, signed: bytes) -> bool:
    try:
        return bool(key.verify(signature, signed))
    except (struct.error, ValueError, IndexError):
        return False
