"""Work given to threads comes back to the reactor's, and no stop waits for what may hang."""

from __future__ import annotations

import threading

import pytest
import pytest_twisted
from twisted.internet import reactor

from sdcc.threads import LooseThreads, Threads


@pytest_twisted.ensureDeferred
async def test_a_pool_works_between_its_start_and_its_stop() -> None:
    threads = Threads(reactor, "test", 2)  # type: ignore[arg-type]
    threads.start()
    assert await threads.run(threading.current_thread) is not threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)
    threads.stop()


@pytest_twisted.ensureDeferred
async def test_a_loose_thread_gives_its_result_or_its_exception() -> None:
    threads = LooseThreads(reactor, "test")  # type: ignore[arg-type]
    worker = await threads.run(threading.current_thread)
    assert worker.daemon, "the process ends without it"
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)
