"""Many associations that each push one object as fast as they can, until their server holds them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from ..interop.halves import CONTEXTS
from ..interop.objects import CT, data_set, new_uid
from ..interop.server import until
from ..interop.wire import ASSOCIATE_AC, COMMAND, DATA, STATUS, Peer, p_datas, store_rq

#: Bytes that are sent in one go, and seconds without any for a sender to count as held.
PIECE = 64 * 1024
QUIET = 0.5


class Crowd:
    """Sends from its making on.

    :param size: bytes of pixels of each object.
    """

    def __init__(self, server, associations, size):
        self._address = server.address
        self._size = size
        self._sent = [0] * associations
        self._counted = threading.Lock()
        #: Of each that was answered.
        self.statuses = []
        self._pool = ThreadPoolExecutor(associations)
        self._tasks = [self._pool.submit(self._send, number) for number in range(associations)]

    @property
    def sent(self):
        """Bytes that the senders could get rid of."""
        return sum(self._sent)

    @property
    def finished(self):
        """How many have sent their object whole."""
        return sum(sent >= self._size for sent in self._sent)

    def is_held(self):
        """Whether no byte has been sent for a while."""
        before = self.sent
        time.sleep(QUIET)
        return self.sent == before > 0

    def wait_until_held(self):
        until(self.is_held, "every sender is held")

    def end(self):
        """Wait until every object is answered."""
        self._pool.shutdown()
        for task in self._tasks:
            task.result()

    def _send(self, number):
        uid = new_uid()
        stream = p_datas(1, COMMAND, store_rq(CT, uid)) + p_datas(
            1, DATA, data_set(instance=uid, study="1.2.3.5", pixels=bytes(self._size))
        )
        with Peer(self._address, timeout=None) as peer:
            assert peer.associate(*CONTEXTS).type == ASSOCIATE_AC
            for start in range(0, len(stream), PIECE):
                peer.send(stream[start : start + PIECE])
                self._sent[number] += PIECE
            status = peer.response()[STATUS]
            with self._counted:
                self.statuses.append(status)
            peer.release()
