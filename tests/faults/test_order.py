"""A power cut at any instant loses nothing that was acknowledged: shown by the order of the system calls.

The server runs under strace from its first start on. The judge of the trace is judged too: in a trace
from which any one of these calls is taken, or in which it comes late, it finds what is wrong.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ..interop.objects import CT, data_set, new_uid
from ..interop.server import CONFIGURATION, running, until
from ..interop.wire import EXPLICIT, STATUS, Peer
from . import engines
from .order import CALLS, SYNCS, Order, PostgreSQLCommits, SQLiteCommits
from .trace import OPTIONS, read

ASSOCIATIONS = 6
#: Bytes of pixels: one write, and several.
SIZES = (200, 20_000, 600_000)
#: Bytes of each string that strace writes: a page of the database, and a group's statement.
STRINGS = 16384


def store(server, number):
    """Fresh objects in a study of the association's own, and one object again and again."""
    study, again = new_uid(), new_uid()
    with Peer(server.address) as peer:
        peer.associate((1, CT, EXPLICIT))
        for place, size in enumerate(SIZES):
            for uid in (new_uid(), again):
                data = data_set(
                    instance=uid, study=study, series=f"{study}.{place}", pixels=bytes(size + number * 2)
                )
                assert peer.store(1, CT, uid, data)[STATUS] == 0
        peer.release()


def store_one(server, uid):
    with Peer(server.address) as peer:
        peer.associate((1, CT, EXPLICIT))
        assert peer.store(1, CT, uid, data_set(instance=uid, study="1.2.3.4"))[STATUS] == 0
        peer.release()


def uids_of(paths):
    return {path.name.rpartition("-")[0] for path in paths}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Traced:
    """A run, and what is needed to judge it or one that is not quite the same."""

    calls: list
    root: os.PathLike
    port: str
    #: Of calls.
    commits: object
    #: What the file of the index is, or its server's end of the connection.
    index: str

    def is_commit(self, call):
        """Whether it may be what a commit waits for."""
        return call.file.endswith(self.index) and call.name in (*SYNCS, "recvfrom")

    def order(self, calls=None):
        calls = self.calls if calls is None else calls
        return Order(calls, root=self.root, port=self.port, commits=self.commits(calls))


@pytest.fixture(scope="module", params=engines.NAMES)
def traced(request, strace, tmp_path_factory):
    with engines.engine(request) as engine:
        root = tmp_path_factory.mktemp("traced")
        is_sqlite = request.param == "sqlite"
        calls = CALLS if is_sqlite else (*CALLS, "recvfrom")
        under = (
            *(strace, "-D", "--seccomp-bpf", *OPTIONS, "-s", str(STRINGS), "-o", root / "trace"),
            *("-e", f"trace={','.join('?' + call for call in calls)}"),
        )
        with running(root, engine.configuration + CONFIGURATION, under=under) as server:
            until(lambda: server.takes_objects, "objects are taken")
            with ThreadPoolExecutor(ASSOCIATIONS) as pool:
                for stored in [pool.submit(store, server, number) for number in range(ASSOCIATIONS)]:
                    stored.result()
                uids = {new_uid() for _ in range(ASSOCIATIONS)}
                with engine.held(server):
                    held = [pool.submit(store_one, server, uid) for uid in uids]
                    until(lambda: uids <= uids_of(server.objects()), "all have come to the index")
                for stored in held:
                    stored.result()
            pid, port = server.process.pid, server.port
        end = re.compile(rf"^{pid} +\+\+\+ ", re.MULTILINE)  # strace fills short numbers up to five columns
        until(lambda: end.search((root / "trace").read_text()), "strace has written it all")
        with (root / "trace").open() as lines:
            calls = read(lines)
        commits = (
            (lambda calls: SQLiteCommits(calls, root / "sdcc-data" / "index.sqlite"))
            if is_sqlite
            else (lambda calls: PostgreSQLCommits(calls, engine.port))
        )
        index = "/index.sqlite-wal" if is_sqlite else f"->127.0.0.1:{engine.port}]"
        yield Traced(calls=calls, root=root, port=port, commits=commits, index=index)


def test_every_success_came_after_all_that_makes_its_object_safe(traced):
    order = traced.order()
    assert [*order.violations()] == []
    # and nothing of the run has escaped it
    answers = Counter({uid: len(moments) for uid, moments in order.answers.items()})
    assert sorted(answers.values()) == [1] * (len(SIZES) + 1) * ASSOCIATIONS + [len(SIZES)] * ASSOCIATIONS
    assert answers == Counter({uid: len(links) for uid, links in order.links.items()})
    commits = Counter(order.commit(link) for links in order.links.values() for link in links)
    assert None not in commits
    assert max(commits.values()) > 1, "no two objects have gone in one commit"


# --- the judge, judged ---

#: What is done to the calls: they are missing, or come last of all, or first.
PLACES = {"missing": None, "late": 1 << 30, "early": -1}
#: How many directories are above a file: its series, study, day, month, year, `objects`, and the storage
#: directory, which is itself in one that was there before.
DEPTH = 8


def doctored(calls, is_meant, place):
    assert any(is_meant(call) for call in calls), "the run has no such call"
    others = [call for call in calls if not is_meant(call)]
    moved = [] if place is None else [call for call in calls if is_meant(call)]
    moved = [dataclasses.replace(call, begun=place, ended=place) for call in moved]
    return sorted((*others, *moved), key=lambda call: call.ended)


def first_link(order):
    return min((link for links in order.links.values() for link in links), key=lambda link: link.ended)


@pytest.mark.parametrize("place", PLACES)
def test_the_sync_of_the_bytes_is_missed(traced, place):
    link = first_link(traced.order())
    calls = doctored(
        traced.calls, lambda call: call.name in SYNCS and call.file == link.paths[0], PLACES[place]
    )
    assert [*traced.order(calls).violations()] == [f"{link.paths[1]}: Success before the sync of its bytes"]


@pytest.mark.parametrize("place", ["missing", "late"])
def test_the_name_is_missed(traced, place):
    link = first_link(traced.order())
    violations = [
        *traced.order(doctored(traced.calls, lambda call: call is link, PLACES[place])).violations()
    ]
    assert any("Success without a file" in what or "Success before its name" in what for what in violations)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("height", range(DEPTH))
def test_the_sync_of_a_directory_is_missed(traced, height, place):
    link = first_link(traced.order())
    directory = str(Path(link.paths[1]).parents[height])
    calls = doctored(traced.calls, lambda call: call.name in SYNCS and call.file == directory, PLACES[place])
    assert f"{link.paths[1]}: Success before the sync of {directory}" in traced.order(calls).violations()


@pytest.mark.parametrize("place", PLACES)
def test_the_commit_is_missed(traced, place):
    order = traced.order(doctored(traced.calls, traced.is_commit, PLACES[place]))
    paths = {link.paths[1] for links in order.links.values() for link in links}
    assert paths == {path for path in paths if f"{path}: Success before its commit" in {*order.violations()}}


def test_the_sync_of_one_commit_is_missed(traced):
    """One after the answer would come too late."""
    order = traced.order()
    uid, (link, *_) = next(iter(order.links.items()))
    commit, answer = order.commit(link), order.answers[uid][0]
    calls = doctored(
        traced.calls, lambda call: traced.is_commit(call) and commit <= call.ended < answer, PLACES["missing"]
    )
    assert f"{link.paths[1]}: Success before its commit" in traced.order(calls).violations()


def test_the_removal_of_a_replaced_file_before_the_commit_is_seen(traced):
    order = traced.order()
    replaced = next(links[0].paths[1] for links in order.links.values() if len(links) > 1)
    before = order.commit(first_link(order)) - 1
    calls = doctored(
        traced.calls, lambda call: call.name.startswith("unlink") and call.paths == (replaced,), before
    )
    assert [*traced.order(calls).violations()] == [
        f"{replaced}: removed before the commit of what takes its place"
    ]


@pytest.mark.parametrize("traced", ["sqlite"], indirect=True)
def test_the_sync_of_the_name_of_the_log_is_missed(traced):
    """SQLite makes the log anew at each start, and syncs its directory by itself."""
    storage = str(traced.root / "sdcc-data")
    created = max(
        call.ended
        for call in traced.calls
        if call.name.startswith("open")
        and call.paths[0].endswith(traced.index)
        and "O_CREAT" in call.arguments
    )
    calls = doctored(
        traced.calls,
        lambda call: call.name in SYNCS and call.file == storage and call.begun > created,
        None,
    )
    assert len([*traced.order(calls).violations()]) == sum(map(len, traced.order().answers.values()))


@pytest.mark.parametrize("traced", ["postgresql"], indirect=True)
def test_a_session_that_does_not_wait_for_its_disk_is_seen(traced):
    """The database's own default is not to."""
    calls = doctored(traced.calls, lambda call: PostgreSQLCommits.SETTING in call.data, None)
    assert any("its commit" in what for what in traced.order(calls).violations())
