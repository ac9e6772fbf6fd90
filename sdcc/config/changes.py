"""Two configurations compared, key by key: what may change while a server runs, and what waits for a restart.

:data:`EFFECTS` says it of every key there is. A configuration that is partly in effect is one too: each
key as the server goes by it, whatever the file says.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from sdcc.config.tables import Configuration, Local, Remote


class Effect(enum.Enum):
    """When a key that has changed in the file is gone by."""

    AT_ONCE = "at once"
    AFTER_RESTART = "after a restart"


#: By the table's name, then by the key's, in the order of `etc/sdcc.toml`.
EFFECTS: Mapping[str, Mapping[str, Effect]] = MappingProxyType(
    {
        "local": {
            "ae_title": Effect.AFTER_RESTART,
            "port": Effect.AFTER_RESTART,
            "interface": Effect.AFTER_RESTART,
            "max_associations": Effect.AT_ONCE,
            "tls": Effect.AFTER_RESTART,
        },
        "remote": {
            "ae_title": Effect.AT_ONCE,
            "address": Effect.AT_ONCE,
            "port": Effect.AT_ONCE,
            "max_associations": Effect.AT_ONCE,
            "services": Effect.AT_ONCE,
            "tls": Effect.AT_ONCE,
            "tls_name": Effect.AT_ONCE,
        },
        "access": {
            "unknown_callers": Effect.AT_ONCE,
            "check_address": Effect.AT_ONCE,
        },
        "storage": {
            "directory": Effect.AFTER_RESTART,
            "minimum_free": Effect.AT_ONCE,
            "maximum_object_size": Effect.AT_ONCE,
            "additional_sop_classes": Effect.AT_ONCE,
            "threads": Effect.AFTER_RESTART,
        },
        "index": {
            "url": Effect.AFTER_RESTART,
            "connections": Effect.AFTER_RESTART,
            "timeout": Effect.AFTER_RESTART,  # sessions and locks have it from when they were opened
        },
        "query": {
            "maximum_answers": Effect.AT_ONCE,
        },
        "study": {
            "stable_after": Effect.AFTER_RESTART,
            "command": Effect.AFTER_RESTART,
            "post": Effect.AFTER_RESTART,
            "timeout": Effect.AFTER_RESTART,
        },
        "association": {
            "maximum_pdu_length": Effect.AT_ONCE,
            "maximum_open": Effect.AT_ONCE,
            "artim_timeout": Effect.AT_ONCE,
            "idle_timeout": Effect.AT_ONCE,
            "drain_timeout": Effect.AT_ONCE,
        },
        "log": {
            "file": Effect.AFTER_RESTART,
            "format": Effect.AFTER_RESTART,
            "rotate_size": Effect.AT_ONCE,
            "rotate_every": Effect.AT_ONCE,
            "keep": Effect.AT_ONCE,
            "levels": Effect.AT_ONCE,
        },
        "tls": {
            "certificate": Effect.AT_ONCE,
            "private_key": Effect.AT_ONCE,
            "client_authorities": Effect.AT_ONCE,
            "server_authorities": Effect.AT_ONCE,
        },
        "manhole": {
            "endpoint": Effect.AFTER_RESTART,
            "authorized_keys": Effect.AFTER_RESTART,
        },
        "http": {
            "endpoint": Effect.AFTER_RESTART,
        },
        "audit": {
            "destination": Effect.AFTER_RESTART,
            "source_id": Effect.AFTER_RESTART,
        },
    }
)

#: The tables that there is one of at most; a field of the configuration has the same name.
SINGLE = tuple(table for table in EFFECTS if table not in ("local", "remote"))
#: Those of them that come and go at once: a `[[remote]]` that is to be called over TLS may come with `[tls]`.
#: Ports that have TLS until the restart keep it when that goes.
COMING_AT_ONCE = frozenset({"tls"})

#: A key, or a table that has come or gone, as the file names it.
Difference: TypeAlias = tuple[str, Effect]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a new configuration changes of a running one, each key as the file names it."""

    #: Keys, or whole tables that have come or gone, which are in effect with `effective`.
    at_once: tuple[str, ...]
    #: Those that differ in the file and are not.
    after_restart: tuple[str, ...]
    effective: Configuration


def compare(running: Configuration, wanted: Configuration) -> Changes:
    """
    :param running: as the server goes by it.
    :param wanted: as the file has it.
    """
    by_title = {local.ae_title: local for local in wanted.locals}
    effective = replace(
        running,
        locals=tuple(_merged("local", local, by_title.get(local.ae_title)) for local in running.locals),
        remotes=wanted.remotes,
        **{table: _merged(table, getattr(running, table), getattr(wanted, table)) for table in SINGLE},
    )
    differences = [
        *_local_differences(running.locals, wanted.locals),
        *_remote_differences(running.remotes, wanted.remotes),
        *itertools.chain.from_iterable(
            _table_differences(table, getattr(running, table), getattr(wanted, table)) for table in SINGLE
        ),
    ]

    def names(effect: Effect) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name, its_effect in differences if its_effect is effect))

    return Changes(
        at_once=names(Effect.AT_ONCE), after_restart=names(Effect.AFTER_RESTART), effective=effective
    )


def _merged(table: str, running: Any, wanted: Any) -> Any:
    """A table as it is gone by from now on."""
    if running is None or wanted is None:
        return wanted if table in COMING_AT_ONCE else running
    at_once = [key for key, effect in EFFECTS[table].items() if effect is Effect.AT_ONCE]
    return replace(running, **{key: getattr(wanted, key) for key in at_once})


def _local_differences(running: Sequence[Local], wanted: Sequence[Local]) -> Iterator[Difference]:
    """An AE title may stand on several ports: the first is compared with the first, and so on."""
    for title in dict.fromkeys(local.ae_title for local in (*running, *wanted)):
        of_title = ([local for local in locals_ if local.ae_title == title] for locals_ in (running, wanted))
        for one, other in itertools.zip_longest(*of_title):
            yield from _differences("local", f"[[local]] {title}.", Effect.AFTER_RESTART, one, other)


def _remote_differences(running: Sequence[Remote], wanted: Sequence[Remote]) -> Iterator[Difference]:
    before, after = ({remote.ae_title: remote for remote in remotes} for remotes in (running, wanted))
    for title in dict.fromkeys((*before, *after)):
        one, other = before.get(title), after.get(title)
        yield from _differences("remote", f"[[remote]] {title}.", Effect.AT_ONCE, one, other)


def _table_differences(table: str, running: object, wanted: object) -> Iterator[Difference]:
    as_a_whole = Effect.AT_ONCE if table in COMING_AT_ONCE else Effect.AFTER_RESTART
    return _differences(table, f"[{table}] ", as_a_whole, running, wanted)


def _differences(
    table: str, prefix: str, as_a_whole: Effect, running: object, wanted: object
) -> Iterator[Difference]:
    """
    :param prefix: the table's name, and one character that joins a key to it.
    :param as_a_whole: the effect where the table has come or gone.
    """
    if (running is None) != (wanted is None):
        yield prefix[:-1], as_a_whole
    elif running is not None:
        for key, effect in EFFECTS[table].items():
            if getattr(running, key) != getattr(wanted, key):
                yield prefix + key, effect
