"""How long C-ECHO takes on one association, one after another."""

from __future__ import annotations

import time

from tests.interop.wire import IMPLICIT, VERIFICATION, Peer

from .figures import percentile


def latencies(address, count):
    """Milliseconds, in ascending order."""
    found = []
    with Peer(address) as peer:
        peer.associate((1, VERIFICATION, IMPLICIT))
        for _ in range(count):
            begun = time.perf_counter()
            assert peer.echo() == 0
            found.append(1000 * (time.perf_counter() - begun))
        peer.release()
    return sorted(found)


def in_words(found):
    """The latencies' percentiles."""
    p50, p99 = (percentile(found, share) for share in (50, 99))
    return f"p50 {p50:7.2f} ms   p99 {p99:7.2f} ms   max {found[-1]:7.2f} ms"
