"""What strangers cost: `python -m benchmarks.connections`, in the root of the source tree.

A server of its own is started, and measured from outside, as Linux shows it.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from tests.hostile.crowd import ABORTED, Visit, descriptor_limit, descriptors, flood, silent
from tests.hostile.streams import request_of
from tests.hostile.test_requests import EXTREME
from tests.interop.server import Server, until
from tests.interop.wire import IMPLICIT, RELEASE_RQ, VERIFICATION, Peer, associate_rq, pdu

from .processes import processor_seconds

CONFIGURATION = """
[[local]]
port = 0
max_associations = 100
[[local]]
ae_title = "ONE"
port = 0
[storage]
minimum_free = 0
"""
CONTEXT = (1, VERIFICATION, IMPLICIT)
#: Of connections that say nothing.
CROWD = 1000
#: Of associations, before anything is compared, and to compare.
WARM_UP, MANY = 2000, 10_000
#: How often each costly request is sent.
REPEATED = 20
RELEASE = pdu(RELEASE_RQ, bytes(4))


def silence(server):
    """Beyond a first crowd, which takes what memory is free in the process."""
    with contextlib.ExitStack() as crowds:
        for count in (CROWD // 2, CROWD):
            memory, files = server.rss(), descriptors(server)
            crowds.enter_context(silent(server.address, count))
            until(lambda files=files, count=count: descriptors(server) >= files + count, "all are accepted")
        each = (server.rss() - memory) / CROWD
    print(f"a silent connection              {each / 1000:10.1f} kB")


def rate(server, name, address, visit):
    processor, begun = processor_seconds(server.process.pid), time.monotonic()
    answers = flood(address, [visit] * WARM_UP)
    seconds = time.monotonic() - begun
    each = (processor_seconds(server.process.pid) - processor) / WARM_UP
    print(f"{name:32} {WARM_UP / seconds:10.0f} a second, {each * 1e3:.2f} ms of processor each")
    assert len(answers) == 1, answers


def growth(server):
    visits = cycle(
        (
            Visit(associate_rq(CONTEXT), ABORTED),
            Visit(associate_rq(CONTEXT), RELEASE),
            Visit(associate_rq(CONTEXT, called="NOBODY")),
            Visit(b"GET / HTTP/1.1\r\n\r\n"),
        )
    )
    flood(server.address, islice(visits, WARM_UP))
    memory, files = server.rss(), descriptors(server)
    flood(server.address, islice(visits, MANY))
    until(lambda: descriptors(server) <= files, "all have left")
    print(f"memory over {MANY} associations   {(server.rss() - memory) / 1000:10.0f} kB more")


def costly_requests(server):
    for name, (items, _) in EXTREME.items():
        request = request_of(*items)
        before = processor_seconds(server.process.pid)
        for _ in range(REPEATED):
            with Peer(server.address) as peer:
                peer.send(request)
                peer.receive()
                peer.abort()
        each = (processor_seconds(server.process.pid) - before) / REPEATED
        print(f"{each * 1e3:6.1f} ms of processor  {len(request):7} bytes  {name}")


def main():
    with tempfile.TemporaryDirectory() as directory, descriptor_limit(10_000):
        server = Server(Path(directory), CONFIGURATION)
        try:
            silence(server)
            with Peer(server.addresses["ONE"]) as holder:
                holder.associate(CONTEXT, called="ONE")
                rate(server, "opened and released", server.address, Visit(associate_rq(CONTEXT), RELEASE))
                refused = Visit(associate_rq(CONTEXT, called="ONE"))
                rate(server, "beyond a limit, 2/3/2", server.addresses["ONE"], refused)
            growth(server)
            costly_requests(server)
            server.stop()
        finally:
            server.discard()


if __name__ == "__main__":
    main()
