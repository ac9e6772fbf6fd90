"""What an administrator may ask of a running server.

The one contract behind `sdccctl`, the manhole and `/health`. Results are plain JSON values with the keys
that stand here; how they are shown is :mod:`sdcc.administration.tables`' part.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from zope.interface import Interface

#: A JSON object.
Facts: TypeAlias = dict[str, Any]


class CannotDo(Exception):
    """What was asked for is not possible; the text, of a line or more, says why and what is allowed."""


class IAdministration(Interface):
    """All from the reactor's thread. Nothing here blocks it.

    Times are ISO 8601 in UTC, sizes bytes, spans seconds.
    """

    def status() -> Facts:
        """The server in one look.

        `state`: "ready"; "degraded" (it takes associations but stores nothing, or is crowded);
        "draining" (after :meth:`drain`); "stopping". `reasons`: sentences, empty when ready. `version`,
        `process` (host and process ID), `configuration` (path or null), `started_at`, `uptime`, `ports`
        (each `ae_titles`, `interface`, `port`, `tls`), `associations` (`open`, `maximum`), `waiting_bytes`,
        `operations` (being performed), `free_bytes`, `minimum_free`, `directory`, `index` (name, without a
        password), `index_refusal` (null: it works), `storage_refusal` (null: objects are taken).
        """

    def associations() -> list[Facts]:
        """Those that are open: `number`, `calling_ae`, `called_ae`, `address`, `is_ours`, `is_secure`,
        `opened_at`, `operations` (ended), `bytes` (of Data Sets received or sent), `doing` (the operation
        that is under way in words, or null), `waiting_bytes`."""

    def abort(number: int) -> Facts:
        """Abort the association of that number, of those that peers have opened: `aborted`.

        :raises CannotDo: there is none.
        """

    def remotes() -> list[Facts]:
        """`ae_title`, `address`, `port` (or null), `tls`, `max_associations`, `open`, `services` (sorted)."""

    def limits() -> list[Facts]:
        """Each limit with what is used of it: `name` (as the configuration has it, such as "[association]
        maximum_open"), `limit`, `used` (null: that is not counted), `unit` ("associations", "bytes" or
        "answers")."""

    async def reload() -> Facts:
        """Read the configuration file again. All that may change at once does: `changed`, the keys that are
        in effect now, and `after_restart`, those that differ in the file and wait for a restart.

        :raises CannotDo: the file cannot be used; nothing has changed. The text is the configuration's own.
        """

    def drain(is_on: bool = True) -> Facts:
        """Let no new association in and end those that are open as they become idle, but keep running; or let
        them in again: `state`, `open`."""

    def log_level(name: str = "", level: str = "") -> list[Facts]:
        """Set the level of a logger ("sdcc" is above all of them) until the next reload or restart; with no
        level, only show: `name`, `level`.

        :raises CannotDo: the level is none of debug, info, warn, error, critical; or the logger is none that
            has a level or is below one that has.
        """

    async def explain(
        calling: str,
        called: str,
        address: str,
        abstract: str = "",
        transfer_syntax: str = "",
        *,
        port: int = 0,
    ) -> Facts:
        """How an association would be answered by the configuration in effect, limits and circumstances
        included, as `sdccctl explain` has it: `answer` ("accepted" or "refused"), `codes` ("" where
        accepted), `rule`; `context_result` (of a Presentation Context that is refused alone, whose number
        `codes` is then; else ""), `but` (why its requests would fail all the same; else "").

        :param port: where the peer calls to; 0: a port that has the called AE title.
        :raises CannotDo: nobody can ask for such an association.
        """
