"""kill -9 at any instant loses no report: who was answered Success to its N-ACTION is told the truth.

SDCC_KILLS sets how many kills there are. The seed of a run is printed; SDCC_SEED repeats its choices.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections import defaultdict
from threading import Timer

import pynetdicom
import pytest

from ..interop.objects import CT, new_uid
from ..interop.peers import requested
from ..interop.server import until
from ..interop.test_commitment import CONFIGURATION, CONTEXTS, Modality, commit, committed, failed, owed, send

KILLS = int(os.environ.get("SDCC_KILLS", "7"))
#: How long a server is let live at most once it is asked, in seconds.
LIFE = 0.3


class Told:
    """What a modality is told, by Transaction UID; some of it twice at most, it answers with a failure."""

    def __init__(self, choices):
        self._choices = choices
        self.reports = defaultdict(list)
        self.handler = (pynetdicom.evt.EVT_N_EVENT_REPORT, self._take)

    def _take(self, event):
        data_set = event.event_information
        told = self.reports[data_set.TransactionUID]
        told.append((committed(data_set), failed(data_set)))
        return 0x0000 if len(told) > 2 else self._choices.choice((0x0000, 0x0000, 0x0000, 0x0110)), None


@pytest.fixture
def choices():
    seed = os.environ.get("SDCC_SEED") or str(random.randrange(10**6))
    print(f"SDCC_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def modality(choices):
    with contextlib.closing(Modality()) as modality:
        modality.reports = Told(choices)
        modality.listen()
        yield modality


def test_what_was_answered_success_is_reported(start, modality, choices):
    server = start(CONFIGURATION.format(port=modality.port))
    kept, promised, statuses = [(CT, new_uid()) for _ in range(5)], {}, set()
    association = requested(server.address, CONTEXTS, calling="MODALITY")
    for _, uid in kept:
        send(association, uid)
    association.release()
    for _ in range(KILLS):
        association = requested(server.address, CONTEXTS, calling="MODALITY")
        connection = association.dul.socket.socket
        if choices.random() < 0.5:  # else it answers nothing on its own associations
            association.bind(*modality.reports.handler)
        killing = Timer(choices.uniform(0, LIFE), server.process.kill)
        killing.start()
        with contextlib.suppress(AssertionError, AttributeError, OSError, RuntimeError):  # it is killed
            while True:
                missing = (CT, new_uid())
                transaction, status = commit(association, *kept, missing)
                statuses.add(status)
                promised[transaction] = (kept, [(*missing, 0x0112)])
        killing.join()
        association.abort()
        connection.close()  # pynetdicom forgets it when the peer is gone
        server.kill()
        server.start()
    assert statuses == {0x0000}
    until(lambda: promised.keys() <= modality.reports.reports.keys(), "all are told")
    for transaction, said in promised.items():
        assert modality.reports.reports[transaction].count(said) == len(modality.reports.reports[transaction])
    until(lambda: not owed(server), "nothing is owed")
    server.looked_through()
