"""Associations that store one object after the other, until their server is killed."""

from __future__ import annotations

import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor

from ..interop.objects import CT, data_set
from ..interop.wire import ASSOCIATE_AC, COMMAND, DATA, EXPLICIT, STATUS, Peer, elements, p_datas, store_rq

ASSOCIATIONS = 5
#: Bytes of pixels at most, and how often: most objects take one write, the others several.
SMALL, LARGE, LARGE_SHARE = 20_000, 1_500_000, 0.15
#: An object, when it comes again, may come in another study.
STUDIES = [f"1.2.826.0.1.3680043.9.7307.1.{number}" for number in range(3)]


def fresh(seed):
    """SOP Instance UIDs that are never the same."""
    return (f"1.2.826.0.1.3680043.9.7307.2.{seed}.{number}" for number in itertools.count())


def few(seed):
    """SOP Instance UIDs that come again and again, from several associations at once."""
    chosen = random.Random(seed)
    return (f"1.2.826.0.1.3680043.9.7307.3.{chosen.randrange(7)}" for _ in itertools.count())


class Storm:
    """Runs from its making until :meth:`kill`."""

    def __init__(self, server, history, uids, seed):
        self._server = server
        self._history = history
        self._uids = uids
        self._choice = threading.Lock()
        self._is_killed = False
        self._pool = ThreadPoolExecutor(ASSOCIATIONS)
        self._tasks = [
            self._pool.submit(self._send, random.Random(f"{seed} {number}")) for number in range(ASSOCIATIONS)
        ]

    def kill(self):
        """kill -9 of the server. Whatever but this ended an association is raised."""
        self._is_killed = True
        self._server.kill()
        self._pool.shutdown()
        self._history.cut()
        for task in self._tasks:
            task.result()

    def _send(self, chosen):
        try:
            with Peer(self._server.address) as peer:
                answer = peer.associate((1, CT, EXPLICIT))
                while answer is not None and self._goes_on(answer):
                    answer = self._store(peer, chosen)
        except OSError:
            pass
        assert self._is_killed, "the server has ended an association"

    def _goes_on(self, answer):
        return answer.type == ASSOCIATE_AC or elements(answer.body[6:])[STATUS] == 0

    def _store(self, peer, chosen):
        with self._choice:
            uid = next(self._uids)
        pixels = chosen.randbytes(
            2 * chosen.randrange(4, (LARGE if chosen.random() < LARGE_SHARE else SMALL) // 2)
        )
        data = data_set(instance=uid, study=chosen.choice(STUDIES), pixels=pixels)
        version = self._history.begin(uid, data)
        peer.send(p_datas(1, COMMAND, store_rq(CT, uid)), p_datas(1, DATA, data))
        answer = peer.receive()
        if answer is not None and self._goes_on(answer):
            self._history.acknowledge(version)
        return answer
