"""Committed is what is registered, there, and what was received; all else has its reason."""

from __future__ import annotations

import errno
import os

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from sdcc.dimse.status import Status
from sdcc.interfaces import Reference
from sdcc.services.commitment import safekeeping
from sdcc.services.commitment.safekeeping import Interrupted, Safekeeping

from .owing import CT, failure_of, store

REFERENCE = Reference(CT, "1.2.3.4")


class Scene:
    def __init__(self, index, objects):
        self.index = index
        self.objects = objects
        self.clock = Clock()
        self.safekeeping = Safekeeping(index, objects, self.clock)
        self.goes_on = True

    async def reasons(self, *references):
        return list(await self.safekeeping.reasons(references, whose="CT01", goes_on=lambda: self.goes_on))


@pytest.fixture
def scene(index, objects):
    return Scene(index, objects)


def fault(number):
    return OSError(number, os.strerror(number))


def test_what_is_registered_and_what_was_received_is_committed(scene, result_of):
    path = store(scene.index, "1.2.3.4")
    assert result_of(scene.reasons(REFERENCE)) == [0]
    assert scene.objects.compared == [path], "by its file, and not by its row alone"


def test_what_is_not_registered_is_no_such_object(scene, result_of):
    assert result_of(scene.reasons(REFERENCE)) == [Status.NO_SUCH_SOP_INSTANCE] == [0x0112]


def test_an_object_of_another_class_is_in_conflict(scene, result_of):
    store(scene.index, "1.2.3.4")
    assert result_of(scene.reasons(Reference("1.2.840.10008.5.1.4.1.1.4", "1.2.3.4"))) == [0x0119]
    assert scene.objects.compared == []


@pytest.mark.parametrize(
    ("difference", "reason", "words"),
    [
        ("the Data Set is another", 0x0110, "the Data Set is another"),
        (fault(errno.ENOENT), 0x0110, "No such file or directory"),
        (fault(errno.EIO), 0x0110, "Input/output error"),
        (fault(errno.EACCES), 0x0110, "Permission denied"),
        (fault(errno.EMFILE), 0x0213, "Too many open files"),
        (fault(errno.ENOMEM), 0x0213, "Cannot allocate memory"),
    ],
)
def test_a_file_that_is_not_what_was_received_is_named_in_the_log(
    scene, result_of, difference, reason, words
):
    path = store(scene.index, "1.2.3.4")
    scene.objects.differences[path] = difference
    with capturedLogs() as logs:
        assert result_of(scene.reasons(REFERENCE)) == [reason]
    [event] = logs
    assert (event["log_level"], event["path"], event["fault"]) == (LogLevel.error, path, words)


def test_an_object_that_is_received_anew_meanwhile_is_judged_by_its_new_file(scene, result_of):
    """The old one goes as soon as the new one is registered, which is no fault of the object's."""
    old = store(scene.index, "1.2.3.4")
    compare = scene.objects.difference

    async def difference(kept, goes_on):
        if kept.path == old:
            store(scene.index, "1.2.3.4", path="objects/new.dcm")
        return await compare(kept, goes_on)

    scene.objects.difference = difference
    scene.objects.differences[old] = fault(errno.ENOENT)
    with capturedLogs() as logs:
        assert result_of(scene.reasons(REFERENCE)) == [0]
    assert scene.objects.compared == [old, "objects/new.dcm"]
    assert logs == []


def test_an_object_that_goes_meanwhile_is_no_such_object(scene, result_of):
    store(scene.index, "1.2.3.4")

    async def difference(kept, goes_on):
        scene.index.rows.clear()
        raise fault(errno.ENOENT)

    scene.objects.difference = difference
    assert result_of(scene.reasons(REFERENCE)) == [0x0112]


@pytest.mark.parametrize("reading", ["its own file", "another's"])
def test_what_is_registered_no_more_when_the_files_are_read_is_not_committed(scene, result_of, reading):
    """Its row was read before they were, which may be an hour ago."""
    path, other = store(scene.index, "1.2.3.4"), store(scene.index, "1.2.3.5")

    async def difference(kept, goes_on):
        if kept.path == (path if reading == "its own file" else other):
            scene.index.rows.pop("1.2.3.4", None)

    scene.objects.difference = difference
    assert result_of(scene.reasons(REFERENCE, Reference(CT, "1.2.3.5"))) == [0x0112, 0]


def test_what_was_replaced_meanwhile_is_judged_by_what_is_registered_then(scene, result_of):
    """Even where the file that was replaced was all that it should be."""
    old = store(scene.index, "1.2.3.4")

    async def difference(kept, goes_on):
        if kept.path == old:
            store(scene.index, "1.2.3.4", path="objects/new.dcm")
            return None
        return "the Data Set is another"

    scene.objects.difference = difference
    assert result_of(scene.reasons(REFERENCE)) == [0x0110]


def test_what_arrives_meanwhile_is_found(scene, result_of):
    store(scene.index, "1.2.3.5")

    async def difference(kept, goes_on):
        store(scene.index, "1.2.3.4")

    scene.objects.difference = difference
    assert result_of(scene.reasons(REFERENCE, Reference(CT, "1.2.3.5"))) == [0, 0]


def test_an_object_that_is_received_anew_over_and_over_is_a_failure_at_last(scene, result_of):
    store(scene.index, "1.2.3.4")
    numbers = iter(range(100))

    async def difference(kept, goes_on):
        store(scene.index, "1.2.3.4", path=f"objects/{next(numbers)}.dcm")
        raise fault(errno.ENOENT)

    scene.objects.difference = difference
    with capturedLogs() as logs:
        assert result_of(scene.reasons(REFERENCE)) == [0x0110]
    assert len(logs) == 1
    assert next(numbers) == safekeeping.MOST_REPLACEMENTS


def test_each_of_many_has_its_own_reason_and_few_are_asked_for_at_once(scene, result_of):
    references = [Reference(CT, f"1.2.3.{number}") for number in range(safekeeping.BATCH + 10)]
    for reference in references[::2]:
        store(scene.index, reference.sop_instance_uid)
    assert result_of(scene.reasons(*references)) == [0, 0x0112] * (len(references) // 2)
    assert [len(query.conditions[0].matching.uids) for query in scene.index.queries] == [500, 500, 10, 10], (
        "before and after"
    )


def test_one_file_is_read_at_a_time_in_turns(scene):
    """Who asks for a thousand objects does not keep waiting who asks for one."""
    for number in range(4):
        store(scene.index, f"1.2.3.{number}")
    under_way = []

    def difference(kept, goes_on):
        under_way.append((kept.path, Deferred()))
        return under_way[-1][1]

    scene.objects.difference = difference
    many = ensureDeferred(scene.reasons(*(Reference(CT, f"1.2.3.{number}") for number in range(3))))
    one = ensureDeferred(scene.reasons(Reference(CT, "1.2.3.3")))
    assert [path for path, _ in under_way] == ["objects/1.2.3.0.dcm"]
    under_way[0][1].callback(None)
    assert [path for path, _ in under_way] == ["objects/1.2.3.0.dcm", "objects/1.2.3.3.dcm"]
    under_way[1][1].callback(None)
    assert one.result == [0]
    under_way[2][1].callback(None)
    under_way[3][1].callback(None)
    assert many.result == [0, 0, 0]


def test_nothing_follows_from_an_index_that_is_away(scene):
    store(scene.index, "1.2.3.4")
    scene.index.find_fault = OSError("no connection")
    assert str(failure_of(scene.reasons(REFERENCE), OSError)) == "no connection"


def test_a_stop_is_no_reason(scene):
    """Reading ends early then, which says nothing of the file."""
    store(scene.index, "1.2.3.4")

    async def difference(kept, goes_on):
        scene.goes_on = False
        raise fault(errno.EINTR)

    scene.objects.difference = difference
    with capturedLogs() as logs:
        failure_of(scene.reasons(REFERENCE), Interrupted)
    assert logs == []


def test_of_a_long_check_the_log_says_how_far_it_has_come(scene, result_of):
    store(scene.index, "1.2.3.4")
    compare = scene.objects.difference

    async def difference(kept, goes_on):
        scene.clock.advance(safekeeping.REPORT_INTERVAL / 2)
        return await compare(kept, goes_on)

    scene.objects.difference = difference
    with capturedLogs() as logs:
        result_of(scene.reasons(*[REFERENCE] * 5))
    assert [(event["done"], event["all"]) for event in logs] == [(2, 5), (4, 5)]
