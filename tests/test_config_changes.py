"""Two configurations compared: each key that differs is named, and is in effect at once or waits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from sdcc.config import (
    EFFECTS,
    HTTP,
    TLS,
    Access,
    AssociationSettings,
    Audit,
    Changes,
    Configuration,
    Effect,
    Index,
    Local,
    LogSettings,
    Manhole,
    QuerySettings,
    Remote,
    Storage,
    StudySettings,
    compare,
)
from sdcc.conformance import storage_class

OPERATIONS = Path(__file__).parent.parent / "docs" / "operations.rst"
PRIVATE = storage_class("1.2.3.4", "Private", "PV")
#: Every table, with values none of which is among :data:`OTHERS`.
RUNNING = Configuration(
    remotes=(Remote(ae_title="CT01", address="10.0.0.1", port=104),),
    tls=TLS(certificate=Path("/a.crt"), private_key=Path("/a.key")),
    manhole=Manhole(endpoint="tcp:1", authorized_keys=Path("/keys")),
    http=HTTP(endpoint="tcp:2"),
    audit=Audit(destination="/a"),
)
#: By the field of the configuration, another value for each key but those that tell one table from another.
OTHERS: dict[str, Any] = {
    "locals": Local(port=104, interface="0.0.0.0", max_associations=9, tls=True),
    "remotes": Remote(
        ae_title="CT01",
        address="10.0.0.2",
        port=105,
        tls=True,
        tls_name="b",
        max_associations=3,
        services=frozenset({"storage"}),
    ),
    "access": Access(unknown_callers="reject", check_address=False),
    "storage": Storage(
        directory=Path("/other"),
        minimum_free=5,
        maximum_object_size=6,
        additional_sop_classes=(PRIVATE,),
        threads=7,
    ),
    "index": Index(url="sqlite:///other", connections=9, timeout=11),
    "query": QuerySettings(maximum_answers=12),
    "association": AssociationSettings(
        maximum_pdu_length=4096, maximum_open=13, artim_timeout=14, idle_timeout=15, drain_timeout=16
    ),
    "study": StudySettings(stable_after=1, command=("true",), post="http://a", timeout=2),
    "log": LogSettings(
        file=Path("/log"), format="json", rotate_size=1, rotate_every="hour", keep=2, levels=(("a", "warn"),)
    ),
    "tls": TLS(
        certificate=Path("/b.crt"),
        private_key=Path("/b.key"),
        client_authorities=Path("/ca"),
        server_authorities=Path("/sa"),
    ),
    "manhole": Manhole(endpoint="tcp:3", authorized_keys=Path("/others")),
    "http": HTTP(endpoint="tcp:4"),
    "audit": Audit(destination="/b", source_id="b"),
}
TABLE_OF = {"locals": "local", "remotes": "remote"}


def tables() -> Iterator[tuple[str, type[Any]]]:
    """Field and class of each table that the configuration has, found in its annotations."""
    for field, hint in get_type_hints(Configuration).items():
        for cls in (hint, *get_args(hint)):
            if is_dataclass(cls):
                assert isinstance(cls, type)
                yield field, cls


def table_in(configuration: Configuration, field: str) -> Any:
    value = getattr(configuration, field)
    return value[0] if isinstance(value, tuple) else value


def with_other(field: str, key: str) -> Configuration:
    """The running configuration, but for one key."""
    other = replace(table_in(RUNNING, field), **{key: getattr(OTHERS[field], key)})
    return replace(RUNNING, **{field: (other,) if field in TABLE_OF else other})


def test_every_key_says_when_it_takes_effect() -> None:
    """A key that is new must be written down, in the order of its table."""
    found = {TABLE_OF.get(field, field): [each.name for each in fields(cls)] for field, cls in tables()}
    assert {table: list(keys) for table, keys in EFFECTS.items()} == found


def test_the_documentation_says_the_same() -> None:
    """In the table of docs/operations.rst."""
    row = re.compile(r"``\[+([a-z]+)\]+`` +(at once|after a restart) +(``[a-z_, `]+``)$", re.MULTILINE)
    told = {
        (table, Effect(effect)): re.findall("[a-z_]+", keys)
        for table, effect, keys in row.findall(OPERATIONS.read_text("utf-8"))
    }
    assert told == {
        (table, effect): names
        for table, keys in EFFECTS.items()
        for effect in Effect
        if (names := [key for key in keys if keys[key] is effect])
    }


def test_nothing_differs_in_the_same_file_read_again() -> None:
    assert compare(RUNNING, replace(RUNNING)) == Changes(at_once=(), after_restart=(), effective=RUNNING)


@pytest.mark.parametrize(
    ("field", "key"),
    [(field, each.name) for field, cls in tables() for each in fields(cls) if each.name != "ae_title"],
)
def test_a_key_that_differs_is_named_and_is_in_effect_only_if_it_may_be(field: str, key: str) -> None:
    changes = compare(RUNNING, with_other(field, key))
    table = TABLE_OF.get(field, field)
    title = {"locals": "[[local]] SDCC.", "remotes": "[[remote]] CT01."}.get(field, f"[{table}] ")
    is_at_once = EFFECTS[table][key] is Effect.AT_ONCE
    named = (f"{title}{key}",)
    assert (changes.at_once, changes.after_restart) == ((named, ()) if is_at_once else ((), named))
    expected = with_other(field, key) if is_at_once else RUNNING
    assert changes.effective == expected


def test_what_waits_for_a_restart_is_named_at_each_reload_and_not_gone_by() -> None:
    """Also beside what need not wait."""
    wanted = replace(RUNNING, storage=OTHERS["storage"])
    changes = compare(RUNNING, wanted)
    assert changes.after_restart == ("[storage] directory", "[storage] threads")
    assert changes.effective.storage == replace(
        OTHERS["storage"], directory=RUNNING.storage.directory, threads=RUNNING.storage.threads
    )
    again = compare(changes.effective, wanted)
    assert (again.at_once, again.after_restart) == ((), changes.after_restart)


def test_remotes_come_and_go_at_once() -> None:
    new = Remote(ae_title="MR 01", address="10.0.0.9")
    changes = compare(RUNNING, replace(RUNNING, remotes=(new,)))
    assert changes.at_once == ("[[remote]] CT01", "[[remote]] MR 01")
    assert changes.effective.remotes == (new,)


def test_the_order_of_remotes_means_nothing() -> None:
    one, other = RUNNING.remotes[0], Remote(ae_title="MR01", address="10.0.0.9")
    changes = compare(replace(RUNNING, remotes=(one, other)), replace(RUNNING, remotes=(other, one)))
    assert (changes.at_once, changes.after_restart) == ((), ())


def test_local_aes_come_and_go_with_a_restart() -> None:
    """Until then one that is gone from the file keeps what it has."""
    old, new = Local(ae_title="OLD", max_associations=5), Local(ae_title="NEW")
    changes = compare(replace(RUNNING, locals=(old,)), replace(RUNNING, locals=(new,)))
    assert (changes.at_once, changes.after_restart) == ((), ("[[local]] OLD", "[[local]] NEW"))
    assert changes.effective.locals == (old,)


def test_a_title_on_several_ports_has_its_one_limit_on_all_of_them() -> None:
    """Also where one of them waits to be closed."""
    ports = (104, 11112, 11113)
    before = tuple(Local(port=port, max_associations=1) for port in ports)
    after = tuple(Local(port=port, max_associations=7) for port in ports[:2])
    changes = compare(replace(RUNNING, locals=before), replace(RUNNING, locals=after))
    assert changes.at_once == ("[[local]] SDCC.max_associations",)
    assert changes.after_restart == ("[[local]] SDCC",)
    assert changes.effective.locals == tuple(Local(port=port, max_associations=7) for port in ports)


@pytest.mark.parametrize("field", ["manhole", "http", "audit"])
def test_a_table_that_comes_or_goes_is_named_as_a_whole(field: str) -> None:
    without = replace(RUNNING, **{field: None})
    for one, other in ((RUNNING, without), (without, RUNNING)):
        changes = compare(one, other)
        assert (changes.at_once, changes.after_restart) == ((), (f"[{field}]",))
        assert changes.effective == one


def test_tls_comes_and_goes_at_once_with_the_remotes_that_are_called_over_it() -> None:
    without = replace(RUNNING, tls=None)
    secured = replace(RUNNING, remotes=(replace(RUNNING.remotes[0], tls=True),))
    for one, other in ((without, secured), (secured, without)):
        changes = compare(one, other)
        assert (set(changes.at_once), changes.after_restart) == ({"[tls]", "[[remote]] CT01.tls"}, ())
        assert changes.effective == other
