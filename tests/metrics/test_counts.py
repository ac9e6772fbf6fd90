"""What is counted of associations and operations, and that strangers cannot blow it up."""

from __future__ import annotations

from sdcc.dimse.command import CommandField
from sdcc.interfaces import Durations, Ending

from .bench import CT, Bench, association, refusal, store

CT_NAME = "CT Image Storage"
PARTIES = {"calling_ae": "CT01", "called_ae": "SDCC", "requestor": "peer"}
OURS = {"calling_ae": "SDCC", "called_ae": "PACS", "requestor": "sdcc"}


def test_associations_are_counted_by_who_called_whom_and_how_they_ended(bench: Bench) -> None:
    first, second = bench.counts.opened(association()), bench.counts.opened(association())
    ours = bench.counts.opened(association(calling_ae="SDCC", called_ae="PACS", is_ours=True))
    assert bench.value("sdcc_associations_open", **PARTIES) == 2
    first.ended(Ending.RELEASED, "")
    second.ended(Ending.PEER_ABORT, "A-ABORT 0/0")
    assert bench.value("sdcc_associations_open", **PARTIES) == 0
    assert bench.value("sdcc_associations_open", **OURS) == 1
    assert bench.value("sdcc_associations_opened_total", **PARTIES) == 2
    assert bench.value("sdcc_associations_ended_total", **PARTIES, ending="released") == 1
    assert bench.value("sdcc_associations_ended_total", **PARTIES, ending="peer-abort") == 1
    ours.ended(Ending.TIMEOUT, "")
    assert bench.value("sdcc_associations_ended_total", **OURS, ending="timeout") == 1


def test_refusals_are_counted_by_codes_and_rule(bench: Bench) -> None:
    bench.counts.refused(refusal())
    bench.counts.refused(refusal())
    bench.counts.refused(refusal(codes="1/1/7", rule="called_ae", called_ae="NOBODY", is_local=False))
    assert bench.samples("sdcc_associations_refused_total") == {
        ("SDCC", "CT01", "2/3/2", "association_limits"): 2,
        ("(unknown)", "CT01", "1/1/7", "called_ae"): 1,
    }


def test_what_sdcc_asked_for_in_vain_is_counted_by_whom_it_asked(bench: Bench) -> None:
    bench.counts.not_opened("PACS", "nobody answers")
    bench.counts.not_opened("PACS", "1/1/7")
    assert bench.samples("sdcc_associations_not_opened_total") == {("PACS",): 2}


def test_objects_and_bytes_are_counted_by_their_way(bench: Bench) -> None:
    watch = bench.counts.opened(association())
    watch.performed(store(size=1000))
    watch.performed(store(size=500))
    watch.performed(store(size=30, is_ours=True, durations=None))  # a C-GET's
    for status in (0xB000, 0x0107):  # kept, with a warning
        watch.performed(store(size=4, is_ours=True, durations=None, status=status))
    assert bench.value("sdcc_objects_received_total", **PARTIES, sop_class=CT_NAME) == 2
    assert bench.value("sdcc_received_bytes_total", **PARTIES) == 1500
    assert bench.value("sdcc_objects_sent_total", **PARTIES, sop_class=CT_NAME) == 3
    assert bench.value("sdcc_sent_bytes_total", **PARTIES) == 38


def test_an_object_that_was_not_stored_is_none(bench: Bench) -> None:
    watch = bench.counts.opened(association())
    watch.performed(store(status=0xA700, durations=None))
    watch.performed(store(command_field=0x0020, durations=None))
    watch.performed(store(status=0x0110, is_ours=True, is_answered=False, durations=None))
    assert bench.samples("sdcc_objects_received_total") == bench.samples("sdcc_objects_sent_total") == {}
    assert bench.value("sdcc_received_bytes_total", **PARTIES) == 0


def test_operations_are_counted_by_invoker_command_and_status(bench: Bench) -> None:
    watch = bench.counts.opened(association())
    watch.performed(store())
    watch.performed(store(status=0xA700))
    watch.performed(store(status=0xA700, is_ours=True))
    watch.performed(store(command_field=CommandField.C_ECHO_RQ, durations=None))
    operations = {
        (labels[2], labels[3], labels[5]): count
        for labels, count in bench.samples("sdcc_operations_total").items()
    }
    assert operations == {
        ("C-STORE", "peer", "0000"): 1,
        ("C-STORE", "peer", "A700"): 1,
        ("C-STORE", "sdcc", "A700"): 1,
        ("C-ECHO", "peer", "0000"): 1,
    }


def test_what_a_peer_never_answered_has_no_status_of_its_own(bench: Bench) -> None:
    """Of what it asked for itself, and was gone for, SDCC's status is the outcome all the same."""
    watch = bench.counts.opened(association())
    watch.performed(store(status=0x0110, is_ours=True, is_answered=False, durations=None))
    watch.performed(store(status=0x0110, is_ours=True, durations=None))
    watch.performed(store(is_answered=False))
    operations = {
        (labels[3], labels[5]): count for labels, count in bench.samples("sdcc_operations_total").items()
    }
    assert operations == {("sdcc", "none"): 1, ("sdcc", "0110"): 1, ("peer", "0000"): 1}


def test_the_stages_of_a_c_store_are_told_apart(bench: Bench) -> None:
    watch = bench.counts.opened(association())
    watch.performed(store(durations=Durations(receiving=0.0004, syncing=0.03, registering=61.0)))
    watch.performed(store(durations=Durations(receiving=0.0005, syncing=0.05, registering=60.0)))

    def up_to(bound: str, stage: str) -> float | None:
        return bench.value("sdcc_store_duration_seconds_bucket", **PARTIES, stage=stage, le=bound)

    assert (up_to("0.0005", "receiving"), up_to("60.0", "receiving")) == (2, 2)
    assert (up_to("0.025", "syncing"), up_to("0.05", "syncing")) == (0, 2)
    assert (up_to("30.0", "registering"), up_to("60.0", "registering"), up_to("+Inf", "registering")) == (
        *(0, 1, 2),
    )
    assert bench.value("sdcc_store_duration_seconds_sum", **PARTIES, stage="registering") == 121
    assert bench.value("sdcc_store_duration_seconds_count", **PARTIES, stage="registering") == 2


def test_how_long_operations_take_is_told_by_command(bench: Bench) -> None:
    watch = bench.counts.opened(association())
    watch.performed(store(command_field=CommandField.C_FIND_RQ, seconds=3.0, durations=None))
    name, labels = "sdcc_operation_duration_seconds", {"command": "C-FIND", "invoker": "peer"}
    assert bench.value(f"{name}_bucket", **labels, le="2.5") == 0
    assert bench.value(f"{name}_bucket", **labels, le="5.0") == 1
    assert bench.value(f"{name}_count", command="C-ECHO", invoker="peer") is None


def test_how_long_a_peer_takes_is_not_told_as_our_own_time(bench: Bench) -> None:
    watch = bench.counts.opened(association())
    watch.performed(store(seconds=0.25))
    watch.performed(store(seconds=30.0, is_ours=True, durations=None))
    assert bench.samples("sdcc_operation_duration_seconds_sum") == {
        ("C-STORE", "peer"): 0.25,
        ("C-STORE", "sdcc"): 30.0,
    }


# --- strangers ---


def series(bench: Bench) -> int:
    return sum(len(metric.samples) for metric in bench.registry.collect())


def test_ten_thousand_strangers_are_one(bench: Bench) -> None:
    for number in range(10_000):
        title = f"STRANGER{number}"
        watch = bench.counts.opened(association(calling_ae=title, is_remote=False))
        watch.performed(store())
        watch.ended(Ending.RELEASED, "")
        bench.counts.refused(
            refusal(calling_ae=title, called_ae=f"TO{number}", is_remote=False, is_local=False)
        )
        if number == 0:
            of_one = series(bench)
    assert series(bench) == of_one
    assert bench.samples("sdcc_associations_opened_total") == {("SDCC", "(unknown)", "peer"): 10_000}
    assert [*bench.samples("sdcc_associations_refused_total")] == [
        ("(unknown)", "(unknown)", "2/3/2", "association_limits")
    ]


def test_a_peer_that_answers_with_every_status_adds_few(bench: Bench) -> None:
    watch = bench.counts.opened(association(calling_ae="SDCC", called_ae="PACS", is_ours=True))
    for status in range(0x10000):
        watch.performed(store(status=status, is_ours=True, durations=None))
    statuses = {labels[-1]: count for labels, count in bench.samples("sdcc_operations_total").items()}
    assert len(statuses) < 40
    assert sum(statuses.values()) == 0x10000
    assert statuses["A700"] == 1
    assert statuses["9xxx"] == 0x1000


def test_a_peer_that_asks_for_every_command_adds_few(bench: Bench) -> None:
    watch = bench.counts.opened(association())
    for field in range(0x10000):
        watch.performed(store(command_field=field, status=0x0211, durations=None))
    commands = {labels[2]: count for labels, count in bench.samples("sdcc_operations_total").items()}
    assert commands.pop("(other)") == 0x10000 - len(commands)
    assert set(commands) == {
        str(field).removesuffix("-RQ") for field in CommandField if not str(field).endswith("-RSP")
    }


def test_sop_classes_of_no_table_are_one(bench: Bench) -> None:
    watch = bench.counts.opened(association())
    for number in range(100):
        watch.performed(store(sop_class_uid=f"1.2.3.{number}"))
    watch.performed(store(sop_class_uid=CT))
    found = {labels[-1]: count for labels, count in bench.samples("sdcc_objects_received_total").items()}
    assert found == {"(other)": 100, CT_NAME: 1}


def test_a_remote_that_is_none_any_more_is_a_stranger_from_then_on(bench: Bench) -> None:
    """The associations that it has open are still counted under its title, so that the gauge falls again."""
    before = bench.counts.opened(association())
    after = bench.counts.opened(association(is_remote=False))
    before.performed(store())
    after.performed(store())
    before.ended(Ending.RELEASED, "")
    assert bench.samples("sdcc_associations_open") == {
        ("SDCC", "CT01", "peer"): 0,
        ("SDCC", "(unknown)", "peer"): 1,
    }
    assert {labels[1]: count for labels, count in bench.samples("sdcc_objects_received_total").items()} == {
        "CT01": 1,
        "(unknown)": 1,
    }
