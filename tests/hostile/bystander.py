"""The well-behaved peer beside the attacker, who sees whether the server is as well as ever."""

from __future__ import annotations

import re

from ..interop.objects import CT, data_set, new_uid
from ..interop.server import until
from ..interop.wire import EXPLICIT, IMPLICIT, STATUS, VERIFICATION

#: Where objects lie: a day, then Study and Series, each by its UID or a hash of 64 digits, then the instance.
PLACE = re.compile(
    r"\d{4}/\d\d/\d\d/([0-9.]{1,64}|[0-9a-f]{64})/([0-9.]{1,64}|[0-9a-f]{64})/[0-9.]{1,64}-[0-9a-f]{30}\.dcm"
)
OPENED = re.compile(r" opened from ")
ENDED = re.compile(r" released, | aborted (?:by|source) ")


class Bystander:
    """One association, open from the beginning to :meth:`leave`."""

    def __init__(self, server, peer):
        self._server = server
        self._peer = peer
        self.address = server.address
        self._instance = new_uid()
        assert peer.associate((1, CT, EXPLICIT), (3, VERIFICATION, IMPLICIT)).contexts.keys() == {1, 3}
        self.goes_on()
        self._others = self._other_files()

    def is_answered(self):
        assert self._peer.echo(3) == 0

    def goes_on(self):
        self.is_answered()
        answer = self._peer.store(1, CT, self._instance, data_set(instance=self._instance))
        assert answer[STATUS] == 0, answer

    def check(self):
        """Nobody else is left: no association, no object half received, no file where none belongs."""
        until(lambda: not self._server.incoming(), "nothing is being received")
        until(lambda: self._open_associations() == 1, "this association alone is open")
        self.goes_on()
        log = self._server.log()
        assert not re.search("Unhandled|Traceback", log), log[-10_000:]
        assert self._other_files() == self._others
        objects = self._server.storage / "objects"
        misplaced = [
            path
            for path in self._server.objects()
            if not PLACE.fullmatch(path.relative_to(objects).as_posix())
        ]
        assert misplaced == []

    def leave(self):
        self._peer.release()

    def _open_associations(self):
        log = self._server.log()
        return len(OPENED.findall(log)) - len(ENDED.findall(log))

    def _other_files(self):
        """All that lies in the server's directory and is no object."""
        objects = self._server.storage / "objects"
        return {
            path
            for path in self._server.directory.rglob("*")
            if objects not in path.parents and path.suffix != ".part" and path.is_file()
        }
