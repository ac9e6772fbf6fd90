"""Servers whose index is on PostgreSQL: several on one database, and a database that goes away under load."""

from __future__ import annotations

import itertools
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from .objects import CT, data_set, new_uid
from .server import CONFIGURATION, STORAGE, Server, until
from .wire import (
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    ERROR_COMMENT,
    EXPLICIT,
    IMPLICIT,
    STATUS,
    VERIFICATION,
    Peer,
)

STORING, VERIFYING = (1, CT, EXPLICIT), (3, VERIFICATION, IMPLICIT)
SUCCESS, OUT_OF_RESOURCES = 0x0000, 0xA700
TIMEOUT = 2.0
#: What an answer may come later than the timeout, on a busy machine.
GRACE = 1.0
TRANSIENT_REJECTION = "2/3/1"


@pytest.fixture
def database(postgresql):
    """A new database of a server that runs again after the test."""
    with postgresql.database() as name:
        yield name
        if not postgresql.is_running:
            postgresql.start()


@pytest.fixture
def configured(postgresql, database):
    """A configuration with this database; who also asks for `start` asks for it after this."""
    return f'[index]\nurl = "{postgresql.url(database)}"\ntimeout = {TIMEOUT}\n' + CONFIGURATION


@pytest.fixture
def server(configured, start):
    server = start(configured)
    until(lambda: server.takes_objects, "the database is found")
    return server


class Load:
    """Associations that store objects one after the other, and one that verifies, until the block ends.

    Every few objects, a SOP Instance UID comes again.
    """

    def __init__(self, *servers, associations=6):
        self.answers = []
        self.echoes = []
        self._servers = servers
        self._ends = threading.Event()
        self._study = new_uid()
        self._pool = ThreadPoolExecutor(associations + 1)
        self._tasks = [self._pool.submit(self._store, number) for number in range(associations)]
        self._tasks.append(self._pool.submit(self._verify))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._ends.set()
        self._pool.shutdown()
        for task in self._tasks:
            task.result()

    def passes(self, count, status=None):
        """Wait until so many more objects are answered, with this status."""
        begin = len(self.answers)
        until(lambda: sum(status in (None, answer[1]) for answer in self.answers[begin:]) >= count, status)

    def _store(self, number):
        with Peer(self._servers[number % len(self._servers)].address) as peer:
            assert peer.associate(STORING, VERIFYING).type == ASSOCIATE_AC
            for place in itertools.count():
                if self._ends.is_set():
                    break
                uid = f"{self._study}.{number}.{place % 7}"
                begun = time.monotonic()
                data = data_set(instance=uid, study=self._study, pixels=f"{place:08}".encode())
                response = peer.store(1, CT, uid, data)
                taken = time.monotonic() - begun
                self.answers.append((uid, response[STATUS], response.get(ERROR_COMMENT), taken))
            peer.release()

    def _verify(self):
        with Peer(self._servers[0].address) as peer:
            assert peer.associate(VERIFYING).type == ASSOCIATE_AC
            while not self._ends.wait(0.05):
                begun = time.monotonic()
                assert peer.echo(3) == SUCCESS
                self.echoes.append(time.monotonic() - begun)
            peer.release()

    def check(self, server):
        """After the block: each was answered in time and in words, and what was taken is there."""
        for _, status, comment, taken in self.answers:
            assert status in (SUCCESS, OUT_OF_RESOURCES)
            assert taken < TIMEOUT + GRACE
            if status != SUCCESS:
                assert re.match("index (unreachable|did not answer)", comment), comment
        assert max(self.echoes) < GRACE
        stored = {uid for uid, status, *_ in self.answers if status == SUCCESS}
        assert stored <= server.instances(self._study).keys()


def rejected(server, *contexts):
    """How an association with these contexts is answered; None: it is accepted."""
    with Peer(server.address) as peer:
        answer = peer.associate(*contexts)
        if answer.type == ASSOCIATE_RJ:
            return answer.codes
        peer.release()
        return None


# --- two servers -----------------------------------------------------------------------------------


@pytest.fixture
def servers(configured, tmp_path):
    """Two that share the database and the storage directory, and begin with it at once."""
    shared = configured.replace("[storage]\n", f'[storage]\ndirectory = "{tmp_path / STORAGE}"\n')
    directories = [tmp_path / name for name in ("one", "two")]
    for directory in directories:
        directory.mkdir()
    with ThreadPoolExecutor() as pool:
        servers = [*pool.map(lambda directory: Server(directory, shared), directories)]
    try:
        until(lambda: all(server.takes_objects for server in servers), "the database is found")
        yield servers
        for server in servers:
            server.ask_to_stop()
        for server in servers:
            server.process.wait()
        for server in servers:
            server.stopped()
    finally:
        for server in servers:
            server.discard()


def test_first_objects_of_one_new_study_from_many_associations_of_two_servers(servers, postgresql, database):
    """32 at once, again and again; in each round one SOP Instance UID that all of them send."""
    rounds = 10
    start = threading.Barrier(32)
    studies = [new_uid() for _ in range(rounds)]

    def associated(number):
        statuses = []
        with Peer(servers[number % 2].address) as peer:
            peer.associate(STORING)
            for study in studies:
                start.wait()
                for uid in (f"{study}.{number}", f"{study}.100"):
                    data = data_set(
                        instance=uid, study=study, series=f"{study}.{number % 3}", pixels=b"%04d" % number
                    )
                    statuses.append(peer.store(1, CT, uid, data)[STATUS])
            peer.release()
        return statuses

    with ThreadPoolExecutor(32) as pool:
        answers = [*pool.map(associated, range(32))]
    assert answers == [[SUCCESS] * 2 * rounds] * 32
    counts = [
        postgresql.execute(f"SELECT count(*) FROM {table}", database=database)[0][0]
        for table in ("study", "series", "instance")
    ]
    assert counts == [rounds, 3 * rounds, 33 * rounds]
    registered = servers[0].registered()
    until(lambda: servers[0].objects() == registered.keys(), "the files of the losers are removed")


def test_two_servers_under_load_while_their_connections_are_cut(servers, postgresql, database):
    with Load(*servers) as load:
        for _ in range(8):
            load.passes(10)
            for backend in postgresql.backends(database):
                postgresql.execute("SELECT pg_terminate_backend(%s)", [backend])
    load.check(servers[0])
    assert {status for _, status, *_ in load.answers} == {SUCCESS}


# --- outages ---------------------------------------------------------------------------------------

WAYS = {
    "stopped": lambda server: server.stop("fast"),
    "stopped at once": lambda server: server.stop("immediate"),
    "killed": lambda server: server.kill(),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_outage_under_load(server, postgresql, database, way):
    with Load(server) as load:
        load.passes(30)
        WAYS[way](postgresql)
        postgresql.start()
        load.passes(30, SUCCESS)
        WAYS[way](postgresql)
        load.passes(12, OUT_OF_RESOURCES)
        until(lambda: rejected(server, STORING) == TRANSIENT_REJECTION, "storage alone is refused")
        assert rejected(server, STORING, VERIFYING) is None
        assert rejected(server, VERIFYING) is None
        postgresql.start()
        load.passes(30, SUCCESS)
        assert rejected(server, STORING) is None
    load.check(server)
    log = server.log()
    assert 1 <= log.count("PostgreSQL is away") <= 2
    assert log.count("PostgreSQL is there") == 1 + log.count("PostgreSQL is away")
    assert len(postgresql.backends(database)) <= 2


def test_a_database_that_hangs_under_load(server, postgresql, database):
    with Load(server) as load:
        load.passes(30)
        with postgresql.hanging():
            load.passes(12, OUT_OF_RESOURCES)
            until(lambda: rejected(server, STORING) == TRANSIENT_REJECTION, "storage alone is refused")
        load.passes(30, SUCCESS)
    load.check(server)
    until(lambda: not [*(server.storage / "doubts").iterdir()], "the doubts are settled")
    until(lambda: len(postgresql.backends(database)) <= 2, "no backend is left over")


def test_a_server_that_is_killed_while_the_database_hangs_leaves_doubts_for_its_next_start(
    server, postgresql, database
):
    study = new_uid()
    uids = [f"{study}.{number}" for number in range(4)]

    def store(uid):
        with Peer(server.address) as peer:
            peer.associate(STORING)
            return peer.store(1, CT, uid, data_set(instance=uid, study=study))[STATUS]

    assert store(uids[0]) == SUCCESS
    with postgresql.hanging():
        with ThreadPoolExecutor() as pool:
            assert [*pool.map(store, uids)] == [OUT_OF_RESOURCES] * 4
        server.kill()
        assert [*(server.storage / "doubts").iterdir()]
    server.start()
    until(lambda: not [*(server.storage / "doubts").iterdir()], "the doubts are settled")
    until(lambda: server.objects() == server.registered().keys(), "no file is without a row")
    assert uids[0] in server.instances(study)


def test_a_start_with_the_database_down(configured, start, postgresql):
    postgresql.stop()
    server = start(configured)
    until(lambda: "PostgreSQL is away: " in server.log(), "the log says so")
    assert rejected(server, STORING) == TRANSIENT_REJECTION
    assert rejected(server, VERIFYING) is None
    with Peer(server.address) as peer:
        peer.associate(STORING, VERIFYING)
        response = peer.store(1, CT, "1.2.3", data_set(instance="1.2.3"))
        assert response[STATUS] == OUT_OF_RESOURCES
        assert response[ERROR_COMMENT] == "index unreachable: Connection refused"
        listing = server.sdccctl("instances")
        assert (listing.returncode, listing.stdout) == (1, "")
        assert listing.stderr.startswith("the index cannot be read: Connection refused")
        postgresql.start()
        until(lambda: server.takes_objects, "the database is found")
        assert peer.store(1, CT, "1.2.3", data_set(instance="1.2.3"))[STATUS] == SUCCESS
        peer.release()
    assert server.log().count("away") == 1


def test_a_wrong_password_is_in_no_log(configured, database, start, postgresql):
    url = f"postgresql://secretive:wr0ng@127.0.0.1:{postgresql.port}/{database}"
    server = start(f'[index]\nurl = "{url}"\n{CONFIGURATION}')
    until(lambda: "password authentication failed" in server.log(), "the log says what is wrong")
    outputs = [server.sdccctl(command) for command in ("check", "instances", "conformance")]
    texts = [server.log(), *(done.stdout + done.stderr for done in outputs)]
    assert not [text for text in texts if "wr0ng" in text]
    assert "password authentication failed" in outputs[1].stderr
    server.ask_to_stop()
    server.process.wait()
    # for a last look at what it leaves
    server.configuration.write_text(configured)
    server.start()
    until(lambda: server.takes_objects, "the database is found")
