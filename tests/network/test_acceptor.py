"""Every row of the design's table "Who may talk", each alone and the first that applies."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

from sdcc import conformance
from sdcc.config import Access, Local, Remote
from sdcc.network.acceptor import Accepted, Refused
from sdcc.network.addresses import ip_address
from sdcc.upper_layer.items import ProposedContext
from sdcc.upper_layer.pdu import AssociateRQ

CT01 = Remote(ae_title="CT01", address="192.168.10.21", services=frozenset({"verification"}))
NAMED = Remote(ae_title="MR01", address="mr01.example")


def judge(world: Any, request: AssociateRQ, address: str = "127.0.0.1") -> Any:
    return ensureDeferred(world.acceptor.judge(request, address, world.locals)).result


def refusal(world: Any, request: AssociateRQ, address: str = "127.0.0.1") -> str:
    judged = judge(world, request, address)
    assert isinstance(judged, Refused), judged
    assert judged.rule
    return judged.codes


def test_what_no_rule_refuses_is_accepted_and_takes_a_slot(world: Any, build: SimpleNamespace) -> None:
    judged = judge(world, build.request())
    assert isinstance(judged, Accepted)
    assert set(judged.contexts) == {1, 3}
    assert world.limits.total == 1


def test_a_remote_may_use_what_its_services_say(new_world: Any, build: SimpleNamespace) -> None:
    world = new_world(remotes=(CT01,))
    judged = judge(world, build.request(), CT01.address)
    assert judged.permission.services == {"verification"}
    assert set(judged.contexts) == {1, 3}, "its contexts are accepted, so that the sender is told why"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_an_unknown_caller_on_this_host_may_use_every_service(
    world: Any, build: SimpleNamespace, address: str
) -> None:
    assert judge(world, build.request(calling="STRANGER"), address).permission.services == {
        *("verification", "storage", "query", "retrieve", "commitment")
    }


def test_an_unknown_caller_from_elsewhere_may_send_and_sees_nothing(
    new_world: Any, build: SimpleNamespace
) -> None:
    """Its contexts are accepted all the same; that of C-GET's way back is not."""
    world = new_world(access=Access(unknown_callers="accept"))
    judged = judge(world, build.asking(calling="STRANGER"), "10.0.0.1")
    assert judged.permission.services == {"verification", "storage"}
    assert "'STRANGER'" in judged.permission.rule
    assert set(judged.contexts) == {1, 3, 5, 7, 9}
    assert not judged.contexts[3].requestor_is_scp


@pytest.mark.parametrize("services", [{"retrieve"}, {"storage", "query"}, set()])
def test_what_is_stored_comes_back_by_c_get_only_to_who_may_retrieve(
    new_world: Any, build: SimpleNamespace, services: set[str]
) -> None:
    world = new_world(remotes=(replace(CT01, services=frozenset(services)),))
    judged = judge(world, build.asking(), CT01.address)
    assert judged.contexts[3].requestor_is_scp is ("retrieve" in services)


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({"protocol_version": 2}, "1/2/2"),
        ({"application_context_name": "1.2.3"}, "1/1/2"),
        ({"application_context_name": ""}, "1/1/2"),
        ({"called": "sdcc"}, "1/1/7"),
        ({"called": "SDCC2"}, "1/1/7"),
        ({"called": ""}, "1/1/7"),
    ],
)
def test_requests_that_are_wrong_whoever_calls(
    world: Any, build: SimpleNamespace, fields: dict[str, Any], codes: str
) -> None:
    assert refusal(world, build.request(**fields)) == codes
    assert world.limits.total == 0


@pytest.mark.parametrize("name", sorted(conformance.APPLICATION_CONTEXTS))
def test_both_spellings_of_the_application_context_are_accepted_and_given_back(
    world: Any, build: SimpleNamespace, name: str
) -> None:
    judged = judge(world, build.request(application_context_name=name))
    assert judged.answer.application_context_name == name


@pytest.mark.parametrize("called", ["SDCC", " SDCC ", "SDCC\0\0"])
def test_outer_spaces_of_a_title_do_not_count(world: Any, build: SimpleNamespace, called: str) -> None:
    assert isinstance(judge(world, build.request(called=called)), Accepted)


@pytest.mark.parametrize(
    ("unknown_callers", "address", "codes"),
    [
        ("accept", "10.0.0.1", None),
        ("loopback", "127.0.0.1", None),
        ("loopback", "127.8.9.10", None),
        ("loopback", "::1", None),
        ("loopback", "::ffff:127.0.0.1", None),
        ("loopback", "10.0.0.1", "1/1/3"),
        ("reject", "127.0.0.1", "1/1/3"),
    ],
)
def test_unknown_callers(
    new_world: Any, build: SimpleNamespace, unknown_callers: str, address: str, codes: str | None
) -> None:
    world = new_world(access=Access(unknown_callers=unknown_callers))
    judged = judge(world, build.request(calling="STRANGER"), address)
    assert (judged.codes if isinstance(judged, Refused) else None) == codes


@pytest.mark.parametrize(
    ("check_address", "address", "codes"),
    [
        (True, "192.168.10.21", None),
        (True, "::ffff:192.168.10.21", None),
        (True, "192.168.10.22", "1/1/3"),
        (True, "127.0.0.1", "1/1/3"),
        (False, "192.168.10.22", None),
    ],
)
def test_a_remote_calls_from_its_own_address(
    new_world: Any, build: SimpleNamespace, check_address: bool, address: str, codes: str | None
) -> None:
    access = Access(check_address=check_address, unknown_callers="reject")
    world = new_world(remotes=(CT01,), access=access)
    judged = judge(world, build.request(), address)
    assert (judged.codes if isinstance(judged, Refused) else None) == codes


def test_a_remote_with_a_host_name_waits_for_its_addresses(new_world: Any, build: SimpleNamespace) -> None:
    world = new_world(remotes=(NAMED,))
    world.names["mr01.example"] = Deferred()
    judgement = ensureDeferred(world.acceptor.judge(build.request(calling="MR01"), "10.1.1.1", world.locals))
    assert not judgement.called
    world.names["mr01.example"].callback(frozenset({ip_address("10.1.1.1")}))
    assert isinstance(judgement.result, Accepted)


def test_limits_are_refused_as_local_limit_exceeded(new_world: Any, build: SimpleNamespace) -> None:
    world = new_world(locals=(Local(), Local(ae_title="TWO", max_associations=5)))
    assert isinstance(judge(world, build.request()), Accepted)
    assert refusal(world, build.request()) == "2/3/2"
    assert isinstance(judge(world, build.request(called="TWO")), Accepted)


def test_a_remote_s_limit(new_world: Any, build: SimpleNamespace) -> None:
    world = new_world(remotes=(replace(CT01, max_associations=1),), access=Access(check_address=False))
    assert isinstance(judge(world, build.request()), Accepted)
    assert refusal(world, build.request()) == "2/3/2"
    assert isinstance(judge(world, build.request(calling="OTHER")), Accepted)


def test_all_associations_together(new_world: Any, build: SimpleNamespace) -> None:
    world = new_world()
    world.limits.maximum_open = 1
    assert isinstance(judge(world, build.request()), Accepted)
    assert refusal(world, build.request(calling="OTHER")) == "2/3/2"


def storage_only(build: SimpleNamespace) -> AssociateRQ:
    """CT, and a class that SDCC does not provide."""
    return build.request(
        ProposedContext(id=1, abstract_syntax=build.CT, transfer_syntaxes=(build.IMPLICIT,)),
        ProposedContext(id=3, abstract_syntax="1.2.3.4", transfer_syntaxes=(build.IMPLICIT,)),
    )


def test_a_stopping_server_refuses_everybody(world: Any, build: SimpleNamespace) -> None:
    world.is_stopping = True
    assert refusal(world, build.request()) == "2/3/1"


def test_without_storage_only_those_who_want_nothing_else_are_refused(
    world: Any, build: SimpleNamespace
) -> None:
    world.storage_refusal = "free space 12 MB is under the floor"
    assert refusal(world, storage_only(build)) == "2/3/1"
    assert "12 MB" in judge(world, storage_only(build)).rule
    assert isinstance(judge(world, build.request()), Accepted)


@pytest.mark.parametrize("uid", [c.uid for c in conformance.SERVICE_CLASSES])
def test_who_would_also_ask_is_not_refused_for_want_of_storage(
    world: Any, build: SimpleNamespace, uid: str
) -> None:
    """A C-GET brings its storage contexts along."""
    world.storage_refusal = "free space 12 MB is under the floor"
    syntaxes = {"transfer_syntaxes": (build.IMPLICIT,)}
    wanted = build.request(
        ProposedContext(id=1, abstract_syntax=build.CT, **syntaxes),
        ProposedContext(id=3, abstract_syntax=uid, **syntaxes),
    )
    assert isinstance(judge(world, wanted), Accepted)


def test_the_first_rule_that_applies_answers(new_world: Any, build: SimpleNamespace) -> None:
    """A request that breaks every rule is answered by each in turn as the ones before are mended."""
    strict, lenient = Access(unknown_callers="reject"), Access()
    wrong = {"protocol_version": 0, "application_context_name": "1", "called": "NO"}
    found = []
    for mended in range(len(wrong) + 3):
        world = new_world(locals=(Local(),), access=strict if mended <= len(wrong) else lenient)
        if mended <= len(wrong) + 1:
            world.limits.take("SDCC", "X")
        world.is_stopping = True
        still_wrong = dict(list(wrong.items())[mended:])
        found.append(refusal(world, build.request(**still_wrong)))
    assert found == ["1/2/2", "1/1/2", "1/1/7", "1/1/3", "2/3/2", "2/3/1"]


def test_no_acceptable_context_is_still_an_association(world: Any, build: SimpleNamespace) -> None:
    nothing = build.request(ProposedContext(id=1, abstract_syntax="1.2.3.4", transfer_syntaxes=("1.2",)))
    judged = judge(world, nothing)
    assert isinstance(judged, Accepted)
    assert judged.contexts == {}
