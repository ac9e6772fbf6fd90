"""What a server says of itself, and does when it is asked to."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from sdcc import __version__
from sdcc.administration.administration import Administration
from sdcc.interfaces import Outcome
from sdcc.interfaces.administration import CannotDo, IAdministration
from sdcc.upper_layer.pdu import Abort, AssociateAC

from ..network.conftest import CT, request, store


def test_it_keeps_the_contract(administration: Administration) -> None:
    assert verifyObject(IAdministration, administration)


def opened(administered: Any, **fields: Any) -> Any:
    """A peer with an association."""
    peer = administered.world.peer("127.0.0.1")
    peer.send(request(**{"calling": "ANY", **fields}))
    [answer] = peer.received()
    assert isinstance(answer, AssociateAC)
    return peer


# --- status ---


def test_the_status_of_a_server_at_rest(administered: Any) -> None:
    administered.now += datetime.timedelta(days=1, seconds=2.7)
    assert administered.administration.status() == {
        "state": "ready",
        "reasons": [],
        "version": __version__,
        "process": "host-17",
        "configuration": "/etc/sdcc.toml",
        "started_at": "2026-07-03T10:00:00+00:00",
        "uptime": 86403,
        "ports": [{"ae_titles": ["SDCC", "A2"], "interface": "::", "port": 11112, "tls": False}],
        "associations": {"open": 0, "maximum": 5},
        "waiting_bytes": 0,
        "operations": 0,
        "free_bytes": 7_000_000_000,
        "minimum_free": 1 << 30,
        "directory": "/data",
        "index": "SQLite, in /data/index.sqlite",
        "index_refusal": None,
        "storage_refusal": None,
    }


def test_the_status_is_that_of_the_moment(administered: Any) -> None:
    peer = opened(administered)
    administered.world.storage.are_fast = False
    peer.send(store(b"0123456789"))
    administered.condition.state, administered.condition.reasons = (
        "degraded",
        ("nothing is stored: disk full",),
    )
    administered.world.storage_refusal, administered.index_refusal = "disk full", "away"
    status = administered.administration.status()
    assert status["associations"]["open"] == 1
    assert (status["waiting_bytes"], status["operations"]) == (10, 1)
    assert (status["state"], status["reasons"]) == ("degraded", ["nothing is stored: disk full"])
    assert (status["storage_refusal"], status["index_refusal"]) == ("disk full", "away")


# --- associations ---


def test_an_association_is_listed_with_what_it_is_at_while_it_is_open(administered: Any) -> None:
    administered.now += datetime.timedelta(minutes=1)
    peer = opened(administered)
    administered.world.storage.are_fast = False
    peer.send(store(b"0123456789"))
    [facts] = administered.administration.associations()
    assert facts == {
        "number": 1,
        "calling_ae": "ANY",
        "called_ae": "SDCC",
        "address": "127.0.0.1",
        "is_ours": False,
        "is_secure": False,
        "opened_at": "2026-07-03T10:01:00+00:00",
        "operations": 0,
        "bytes": 0,
        "doing": "C-STORE CT 1.2.3",
        "waiting_bytes": 10,
    }
    json.dumps(facts)
    [operation] = administered.world.storage.operations
    operation.written()
    operation.done.callback(Outcome(status=0))
    [facts] = administered.administration.associations()
    assert {key: facts[key] for key in ("operations", "bytes", "doing", "waiting_bytes")} == {
        "operations": 1,
        "bytes": 10,
        "doing": None,
        "waiting_bytes": 0,
    }
    peer.lose()
    assert administered.administration.associations() == []


def test_who_is_refused_is_not_listed(administered: Any) -> None:
    administered.world.peer("10.0.0.1").send(request(calling="ANY"))
    assert administered.administration.associations() == []


def test_an_association_is_aborted_by_its_number_and_no_other(administered: Any) -> None:
    first, second = opened(administered), opened(administered)
    assert administered.administration.abort(2) == {"aborted": 2}
    assert [*map(type, second.received())] == [Abort]
    assert first.received() == []
    assert [facts["number"] for facts in administered.administration.associations()] == [1]


def test_where_there_is_none_to_abort_it_says_what_is_open(administered: Any) -> None:
    for _ in range(2):
        opened(administered)
    with pytest.raises(CannotDo, match=r"^no association 3 of a peer's is open; open: 1, 2$"):
        administered.administration.abort(3)


# --- remotes and limits ---


def test_the_remotes_are_those_of_the_configuration_with_what_they_have_open(administered: Any) -> None:
    peer = administered.world.peer("192.168.10.21")
    peer.send(request(calling="CT01"))
    assert administered.administration.remotes() == [
        {
            "ae_title": "CT01",
            "address": "192.168.10.21",
            "port": 104,
            "tls": False,
            "max_associations": 2,
            "open": 1,
            "services": ["commitment", "query", "retrieve", "storage", "verification"],
        },
        {
            "ae_title": "WS",
            "address": "ws.example.org",
            "port": None,
            "tls": False,
            "max_associations": 0,
            "open": 0,
            "services": ["query"],
        },
    ]


def test_each_limit_is_named_with_what_is_used_of_it(administered: Any) -> None:
    opened(administered)
    peer = administered.world.peer("192.168.10.21")
    peer.send(request(calling="CT01"))
    found = [(each["name"], each["limit"], each["used"]) for each in administered.administration.limits()]
    assert found == [
        ("[association] maximum_open", 5, 2),
        ("[[local]] 'SDCC' max_associations", 4, 2),
        ("[[remote]] 'CT01' max_associations", 2, 1),
        ("bytes waiting to be written", 128 << 20, 0),
        ("[storage] maximum_object_size", 16 << 30, None),
    ]


# --- what is others' part ---


def test_reload_and_drain_are_passed_on(administered: Any) -> None:
    reload = ensureDeferred(administered.administration.reload())
    assert reload.result == {"changed": ["[[remote]]"], "after_restart": []}
    assert administered.administration.drain() == {"state": "draining", "open": 0}
    administered.administration.drain(False)
    assert administered.asked == [("reload",), ("drain", True), ("drain", False)]


# --- log levels ---


def test_levels_are_shown_all_or_of_one_logger_as_it_has_it_from_above(
    administration: Administration,
) -> None:
    assert administration.log_level() == [
        {"name": "sdcc", "level": "info"},
        {"name": "sdcc.association", "level": "warn"},
    ]
    assert administration.log_level("sdcc.index") == [{"name": "sdcc.index", "level": "info"}]
    assert administration.log_level("sdcc.association.x")[0]["level"] == "warn"


def test_a_level_is_set_of_one_logger_or_of_all(administered: Any) -> None:
    assert administered.administration.log_level("sdcc.index", "debug") == [
        {"name": "sdcc.index", "level": "debug"}
    ]
    assert administered.administration.log_level(level="debug") == [{"name": "sdcc", "level": "debug"}]
    assert administered.levels == {"sdcc": "debug", "sdcc.association": "warn", "sdcc.index": "debug"}


def test_a_level_that_is_none_and_a_logger_that_is_none_are_refused(administered: Any) -> None:
    before = administered.levels
    with pytest.raises(CannotDo, match="'loud' is no level; allowed: debug, info"):
        administered.administration.log_level("sdcc", "loud")
    with pytest.raises(CannotDo, match=r"'other\.thing': no level is set"):
        administered.administration.log_level("other.thing")
    with pytest.raises(CannotDo, match=r"'association': .* allowed: sdcc, sdcc\.association, or one below"):
        administered.administration.log_level("association", "debug")
    assert administered.levels is before


# --- explain ---


def explained(administered: Any, *arguments: str, **fields: Any) -> Any:
    return ensureDeferred(administered.administration.explain(*arguments, **fields)).result


def test_an_explanation_is_that_of_the_limits_and_the_disk_at_the_moment(administered: Any) -> None:
    asked = ("CT01", "SDCC", "192.168.10.21", CT)
    assert explained(administered, *asked) == {
        "answer": "accepted",
        "codes": "",
        "rule": "CT Image Storage with Implicit VR Little Endian",
        "context_result": "",
        "but": "",
    }
    administered.world.storage_refusal = "disk full"
    assert explained(administered, *asked)["codes"] == "2/3/1"
    assert explained(administered, *asked)["rule"] == "disk full"
    for _ in range(2):
        administered.world.peer("192.168.10.21").send(request(calling="CT01"))
    assert explained(administered, *asked[:3])["codes"] == "2/3/2"


def test_an_explanation_takes_no_slot(administered: Any) -> None:
    for _ in range(9):
        assert explained(administered, "CT01", "SDCC", "192.168.10.21")["answer"] == "accepted"
    assert administered.world.limits.total == 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"calling": "A\\B"}, r"calling = 'A\\\\B': allowed: 1 to 16"),
        ({"called": ""}, "called = ''"),
        ({"address": "host"}, "address = 'host'"),
        ({"abstract": "1.2.x"}, "abstract = '1.2.x': allowed: a UID"),
        ({"transfer_syntax": "1.2"}, "transfer_syntax needs abstract beside it"),
        ({"port": 105}, r"no \[\[local\]\] has port 105"),
    ],
)
def test_what_nobody_can_ask_for_is_said(
    administration: Administration, fields: dict[str, Any], words: str
) -> None:
    question = {"calling": "A", "called": "SDCC", "address": "127.0.0.1", **fields}
    done = ensureDeferred(administration.explain(**question))
    failures: list[Failure] = []
    done.addErrback(failures.append)
    [failure] = failures
    with pytest.raises(CannotDo, match=words):
        failure.raiseException()
