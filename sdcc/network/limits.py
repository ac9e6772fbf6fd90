"""What peers may take of this process: associations, and bytes waiting to be written.

Nothing else counts either of them. The counts live in this process; counting that several
processes share would take the place of these two classes and of nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sdcc.config import Local, Remote

#: One association's bytes waiting to be written, and those of all associations together.
WAITING_BYTES_OF_ONE = 4 * 1024 * 1024
WAITING_BYTES_OF_ALL = 128 * 1024 * 1024
#: An association of which no more than this waits is never held: what performs its operation may
#: itself be waiting for more before it writes any, and both would wait for ever.
SPARED_BYTES = 512 * 1024
#: What an operation that is being performed costs beyond its bytes.
OPERATION_COST = 16 * 1024


@dataclass(frozen=True, slots=True)
class Slot:
    """An association's place among those that are open."""

    local_ae: str
    calling_ae: str


class AssociationLimits:
    """How many associations are open: per local AE, per calling AE, and in all.

    :param maximum_open: of all AEs together.
    """

    def __init__(self, maximum_open: int) -> None:
        self.maximum_open = maximum_open
        self._total = 0
        self._by_local: Counter[str] = Counter()
        self._by_caller: Counter[str] = Counter()

    @property
    def total(self) -> int:
        return self._total

    def of_local(self, ae_title: str) -> int:
        """How many are open with this local AE."""
        return self._by_local[ae_title]

    def of_caller(self, ae_title: str) -> int:
        """How many this calling AE has open."""
        return self._by_caller[ae_title]

    def exceeded(self, local: Local, remote: Remote | None) -> str | None:
        """The limit that one more association would break, in words; None: there is room."""
        if self._by_local[local.ae_title] >= local.max_associations:
            return f"max_associations = {local.max_associations} of [[local]] {local.ae_title!r} reached"
        if remote and 0 < remote.max_associations <= self._by_caller[remote.ae_title]:
            return f"max_associations = {remote.max_associations} of [[remote]] {remote.ae_title!r} reached"
        if self._total >= self.maximum_open:
            return f"[association] maximum_open = {self.maximum_open} reached"
        return None

    def take(self, local_ae: str, calling_ae: str) -> Slot:
        """Count an association in, to be given back by :meth:`release` once."""
        slot = Slot(local_ae, calling_ae)
        self._total += 1
        self._by_local[local_ae] += 1
        self._by_caller[calling_ae] += 1
        return slot

    def release(self, slot: Slot) -> None:
        self._total -= 1
        for counter, key in ((self._by_local, slot.local_ae), (self._by_caller, slot.calling_ae)):
            counter[key] -= 1
            if not counter[key]:
                del counter[key]  # strangers' titles must not gather here


class Account:
    """One association's part of the waiting bytes.

    :param pause: called when the association should send no more for now.
    :param resume: called when it may again. Each is called once in turn.
    """

    def __init__(self, waiting: WaitingBytes, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._waiting = waiting
        self._pause = pause
        self._resume = resume
        self.bytes = 0
        self.is_held = False

    def add(self, count: int) -> None:
        self.bytes += count
        self._waiting.total += count
        if not self.is_held and self._waiting.is_too_much(self):
            self._waiting.held.append(self)
            self.is_held = True
            self._pause()

    def begin_operation(self) -> None:
        """A request is whole and being performed; to be followed by :meth:`end_operation`, also where the
        association ends before."""
        self._waiting.operations += 1

    def end_operation(self) -> None:
        self._waiting.operations -= 1

    def remove(self, count: int) -> None:
        self.bytes -= count
        self._waiting.total -= count
        self._waiting.let_go()

    def resume(self) -> None:
        self.is_held = False
        self._resume()


class WaitingBytes:
    """Bytes of all associations that wait in memory to be written.

    An association that waits for more than its own limit, or adds to a total over the common
    one, is held until both have fallen to half, or to what is spared. What is spared, and what is performed
    for peers that have left, could still add up while the disk stands still: at twice the common limit
    nothing new is stored.
    """

    def __init__(
        self,
        of_one: int = WAITING_BYTES_OF_ONE,
        of_all: int = WAITING_BYTES_OF_ALL,
        spared: int = SPARED_BYTES,
    ) -> None:
        self._of_one = of_one
        self.of_all = of_all
        self._spared = spared
        self.total = 0
        #: How many operations are being performed, those of associations that have ended included.
        self.operations = 0
        self.held: list[Account] = []

    @property
    def refusal(self) -> str | None:
        """Why nothing more can be stored at present."""
        if self.total + self.operations * OPERATION_COST > 2 * self.of_all:
            return "too much waits to be written"
        return None

    def is_too_much(self, account: Account) -> bool:
        return account.bytes > self._of_one or (self.total > self.of_all and account.bytes > self._spared)

    def let_go(self) -> None:
        """Resume whom nothing holds any more."""
        if not self.held:
            return
        enough = self._of_one // 2 if self.total <= self.of_all // 2 else self._spared
        for account in [account for account in self.held if account.bytes <= enough]:
            self.held.remove(account)
            account.resume()
