"""Other settings count for the next association; one that is open keeps what it was granted."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred

from sdcc import conformance
from sdcc.config import Access, AssociationSettings, Local, Remote, Storage
from sdcc.dimse.messages import StoreRequest
from sdcc.network.addresses import ip_address
from sdcc.upper_layer.items import ProposedContext
from sdcc.upper_layer.pdu import Abort, AssociateAC, AssociateRJ

CT01 = Remote(ae_title="CT01", address="192.168.10.21")
PRIVATE = conformance.storage_class("1.2.3.4.5", "Private Storage", "PV")


def answered(peer: Any, build: SimpleNamespace, *contexts: Any, **fields: Any) -> Any:
    """The one PDU that an A-ASSOCIATE-RQ is answered with."""
    peer.send(build.request(*contexts, **fields))
    [answer] = peer.received()
    return answer


def refused(world: Any, build: SimpleNamespace, address: str = "127.0.0.1", **fields: Any) -> str | None:
    """The codes that a new peer is refused with; None: it is not."""
    answer = answered(world.peer(address), build, **fields)
    if isinstance(answer, AssociateRJ):
        return f"{answer.result:d}/{answer.source:d}/{answer.reason:d}"
    assert isinstance(answer, AssociateAC)
    return None


def test_limits_below_what_is_open_let_those_stay_and_no_other_in(world: Any, build: SimpleNamespace) -> None:
    peers = [world.peer().associate(), world.peer().associate()]
    world.reconfigure(locals=(Local(max_associations=1),))
    assert refused(world, build) == "2/3/2"
    for peer in peers:
        peer.send(build.echo())
        assert peer.statuses() == [0]
    for peer in peers:
        peer.lose()
    assert refused(world, build) is None
    assert refused(world, build) == "2/3/2"


def test_every_limit_may_be_raised_and_lowered(new_world: Any, build: SimpleNamespace) -> None:
    world = new_world(
        locals=(Local(max_associations=9),), remotes=(CT01,), access=Access(check_address=False)
    )
    world.peer().associate()
    settings = world.configuration.association
    for changed in (
        {"locals": (Local(max_associations=1),)},
        {"remotes": (replace(CT01, max_associations=1),)},
        {"association": replace(settings, maximum_open=1)},
    ):
        before = {key: getattr(world.configuration, key) for key in changed}
        world.reconfigure(**changed)
        assert refused(world, build) == "2/3/2", changed
        world.reconfigure(**before)
        assert refused(world, build) is None


def test_a_remote_that_is_removed_while_it_is_here_goes_on_and_does_not_come_again(
    new_world: Any, build: SimpleNamespace
) -> None:
    world = new_world(remotes=(CT01,))
    here = world.peer(CT01.address).associate()
    world.reconfigure(remotes=())
    assert refused(world, build, CT01.address) == "1/1/3"
    here.send(build.echo())
    assert here.statuses() == [0]
    world.reconfigure(remotes=(CT01,))
    assert refused(world, build, CT01.address) is None


def test_services_that_are_taken_away_are_those_of_the_next_association(
    new_world: Any, build: SimpleNamespace
) -> None:
    world = new_world(remotes=(CT01,))
    here = world.peer(CT01.address).associate()
    world.reconfigure(remotes=(replace(CT01, services=frozenset({"storage"})),))
    here.send(build.echo())
    assert here.statuses() == [0x0000]
    later = world.peer(CT01.address).associate()
    later.send(build.echo())
    assert later.statuses() == [0x0124]


def test_an_address_that_has_changed_counts_at_once(new_world: Any, build: SimpleNamespace) -> None:
    world = new_world(remotes=(CT01,))
    world.reconfigure(remotes=(replace(CT01, address="10.0.0.5"),))
    assert refused(world, build, CT01.address) == "1/1/3"
    assert refused(world, build, "10.0.0.5") is None


def test_access_counts_at_once(world: Any, build: SimpleNamespace) -> None:
    for access, codes in ((Access(unknown_callers="accept"), None), (Access(), "1/1/3")):
        world.reconfigure(access=access)
        assert refused(world, build, "10.0.0.7") == codes


def test_a_request_is_judged_by_one_configuration_from_first_to_last(
    new_world: Any, build: SimpleNamespace
) -> None:
    """Also where a host name has to be looked up first."""
    world = new_world(remotes=(replace(CT01, address="ct01.example"),))
    world.names["ct01.example"] = lookup = Deferred()
    peer = world.peer("10.0.0.5")
    peer.send(build.request())
    world.reconfigure(
        remotes=(), association=replace(world.configuration.association, maximum_pdu_length=4096)
    )
    lookup.callback(frozenset({ip_address("10.0.0.5")}))
    [answer] = peer.received()
    assert isinstance(answer, AssociateAC)
    assert answer.maximum_length == 16384


def test_what_is_announced_is_what_is_taken_also_by_who_was_connected_before(
    world: Any, build: SimpleNamespace
) -> None:
    """And who has its association keeps to what it was told."""
    before = world.peer().associate()
    connected = world.peer()
    world.reconfigure(association=replace(world.configuration.association, maximum_pdu_length=65536))
    assert answered(connected, build).maximum_length == 65536
    data = bytes(40_000)
    for peer in (connected, before):
        peer.send(build.store(data, maximum_length=65536))
    assert bytes(world.storage.operations[0].data) == data
    assert isinstance(before.received()[0], Abort)


def test_a_sop_class_that_is_added_is_accepted_and_stays_for_who_was_granted_it(
    world: Any, build: SimpleNamespace
) -> None:
    context = ProposedContext(id=1, abstract_syntax=PRIVATE.uid, transfer_syntaxes=(build.IMPLICIT,))
    request = StoreRequest(
        message_id=1, affected_sop_class_uid=PRIVATE.uid, affected_sop_instance_uid="1.2", has_data_set=True
    )
    connected = world.peer()
    world.reconfigure(storage=Storage(additional_sop_classes=(PRIVATE,)))
    [accepted] = answered(connected, build, context).presentation_contexts
    assert accepted.result == 0
    world.reconfigure(storage=Storage())
    [not_accepted] = answered(world.peer(), build, context).presentation_contexts
    assert not_accepted.result == 3
    connected.send(build.message(1, request, b"data"))
    assert bytes(world.storage.operations[0].data) == b"data"


def test_timeouts_are_those_of_when_the_connection_came(world: Any, build: SimpleNamespace) -> None:
    before = world.peer().associate()
    world.reconfigure(association=replace(world.configuration.association, idle_timeout=10))
    after = world.peer().associate()
    world.clock.advance(11)
    assert isinstance(after.received()[0], Abort)
    assert before.received() == []


def test_the_log_names_the_timeout_that_an_association_had(
    world: Any, lines: list[str], build: SimpleNamespace
) -> None:
    world.peer().associate()
    world.reconfigure(association=replace(world.configuration.association, idle_timeout=10))
    world.clock.advance(301)
    assert "SDCC<-CT01(1) aborted source 0: no progress for 300 s" in lines


def test_a_stop_goes_by_the_drain_timeout_of_the_last_reload(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    peer.send(build.store(bytes(1000))[:500])
    world.reconfigure(association=AssociationSettings(drain_timeout=3))
    ensureDeferred(world.server.stop())
    world.clock.advance(2)
    assert not peer.is_gone
    world.clock.advance(1)
    assert peer.is_gone
