"""Who is told of associations: several observers as one, or none.

With none, nothing is made that only an observer would want.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from sdcc.interfaces import (
    AssociationFacts,
    Ending,
    IAssociationWatch,
    IObserver,
    OperationFacts,
    RefusalFacts,
)


class Observers:
    """
    :param now: the time, aware, UTC.
    """

    def __init__(self, observers: Iterable[IObserver], now: Callable[[], datetime.datetime]) -> None:
        self._observers = tuple(map(_Guarded, observers))
        self._now = now

    def opened(
        self,
        *,
        number: int,
        calling_ae: str,
        called_ae: str,
        address: str,
        is_ours: bool,
        is_remote: bool,
        is_secure: bool = False,
    ) -> IAssociationWatch | None:
        """An association is established, as :class:`~sdcc.interfaces.AssociationFacts` has it.

        None: nobody wants to know more of it.
        """
        if not self._observers:
            return None
        facts = AssociationFacts(
            number=number,
            calling_ae=calling_ae,
            called_ae=called_ae,
            address=address,
            is_ours=is_ours,
            is_remote=is_remote,
            is_secure=is_secure,
            opened_at=self._now(),
        )
        return _Watches([(each, each.tell("opened", facts)) for each in self._observers])

    def refused(self, refusal: Callable[[], RefusalFacts]) -> None:
        """:param refusal: gives the facts, where anybody wants them."""
        if self._observers:
            facts = refusal()
            for observer in self._observers:
                observer.tell("refused", facts)

    def not_opened(self, called_ae: str, cause: str) -> None:
        for observer in self._observers:
            observer.tell("not_opened", called_ae, cause)


class _Guarded:
    """An observer whose faults hurt nobody else. It is told on: what it keeps may still be of use."""

    _log = Logger()

    def __init__(self, observer: IObserver) -> None:
        self._observer = observer
        self._has_failed = False

    def tell(self, what: str, *facts: object) -> Any:
        return self.call(getattr(self._observer, what), *facts)

    def call(self, call: Callable[..., Any], *facts: object) -> Any:
        try:
            return call(*facts)
        except Exception:  # the boundary: an association must not end of what is told of it
            if not self._has_failed:
                self._has_failed = True
                self._log.failure(
                    "{observer} failed; more faults of it will not be in the log",
                    observer=type(self._observer).__name__,
                )
            return None


@implementer(IAssociationWatch)
class _Watches:
    """Of one association, that of each observer."""

    def __init__(self, watches: Iterable[tuple[_Guarded, IAssociationWatch | None]]) -> None:
        self._watches = [(observer, watch) for observer, watch in watches if watch is not None]

    def performed(self, operation: OperationFacts) -> None:
        for observer, watch in self._watches:
            observer.call(watch.performed, operation)

    def ended(self, ending: Ending, cause: str) -> None:
        for observer, watch in self._watches:
            observer.call(watch.ended, ending, cause)


def _nobody_asks() -> datetime.datetime:
    raise AssertionError("there is no observer")


NOBODY = Observers((), _nobody_asks)
