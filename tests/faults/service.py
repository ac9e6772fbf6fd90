"""What holds of a server whose disk or database fails: who stores is told, and everybody else is served."""

from __future__ import annotations

from ..interop.halves import CONTEXTS, begin
from ..interop.objects import CT, data_set, element, new_uid
from ..interop.server import until
from ..interop.wire import ERROR_COMMENT, STATUS

SUCCESS, OUT_OF_RESOURCES = 0x0000, 0xA700
#: Beside the storage directory.
INDEX_ELSEWHERE = '[index]\nurl = "sqlite:///index.sqlite"\n'
#: Bytes of pixels that take several writes.
LARGE = 600_000


def store(peer, *, study=None, size=LARGE, private=0):
    """A new object; the response.

    :param private: bytes of an element that stands before all that the index wants; 0: there is none.
    """
    uid = new_uid()
    first = element(0x0007, 0x1010, "UN", bytes(private)) if private else b""
    return peer.store(
        1, CT, uid, first + data_set(instance=uid, study=study or new_uid(), pixels=bytes(size))
    )


def is_stored(peer, **options):
    return store(peer, **options)[STATUS] == SUCCESS


class Witness:
    """An association in the middle of an object of its own, which it goes on with when all is well again."""

    def __init__(self, server, peer):
        before = server.incoming()
        peer.associate(*CONTEXTS)
        self._peer = peer
        self._rest, _ = begin(peer, new_uid())
        self.files = until(lambda: server.incoming() - before, "the file of its object is begun")

    def is_unharmed(self):
        self._peer.send(self._rest)
        return self._peer.response()[STATUS] == SUCCESS and self._peer.echo(3) == SUCCESS


def refuses(server, peer, witness, comment, **options):
    """An object is answered A700 with the reason, its file is gone, and its association lives."""
    response = store(peer, **options)
    assert (f"{response[STATUS]:04X}", response.get(ERROR_COMMENT)) == ("A700", comment)
    assert peer.echo(3) == SUCCESS
    until(lambda: server.incoming() == witness.files, "nothing of the object is left")


def serves(peer, witness):
    """All is well again, with no restart; sooner or later."""
    until(lambda: is_stored(peer), "objects are taken again")
    assert witness.is_unharmed()
