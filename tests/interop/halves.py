"""Objects of which the first half is sent, and the second when the test says so."""

from __future__ import annotations

from .objects import CT, data_set
from .wire import COMMAND, DATA, EXPLICIT, IMPLICIT, VERIFICATION, p_data, p_datas, store_rq, value

#: Enough for a file to have been begun.
HALF = b"\x01\x02" * (1 << 19)
CONTEXTS = ((1, CT, EXPLICIT), (3, VERIFICATION, IMPLICIT))


def half(data):
    """The first half of a Data Set, in fragments of which none is the last."""
    middle = len(data) // 2
    return b"".join(
        p_data(value(1, DATA, data[start : min(start + 16000, middle)])) for start in range(0, middle, 16000)
    )


def begin(peer, uid):
    """Sends half an object; gives what is left to send, and the Data Set."""
    data = data_set(instance=uid, pixels=2 * HALF)
    peer.send(p_datas(1, COMMAND, store_rq(CT, uid)), half(data))
    return p_datas(1, DATA, data[len(data) // 2 :]), data
