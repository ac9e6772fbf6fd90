"""A server that was killed: the next one looks through what it may have left, and mends what is harmless."""

from __future__ import annotations

import contextlib
import os
import sqlite3

import psycopg2
import pytest

from .objects import CT, data_set, new_uid
from .server import CONFIGURATION, PATIENCE, until
from .wire import COMMAND, DATA, EXPLICIT, STATUS, p_datas, store_rq

ON_EVERY_INDEX = True
CONTEXT = (1, CT, EXPLICIT)


@pytest.fixture
def settings(index):
    """A configuration; `timeout` of the index, which is what a file is left alone for."""

    def settings(timeout=0.2):
        return (index or "[index]\n") + f"timeout = {timeout}\n" + CONFIGURATION

    return settings


@pytest.fixture(autouse=True)
def empty(index):
    """The database is the module's, the storage directory a test's own."""
    yield
    if index:
        url = index.split('"')[1]
        with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("TRUNCATE study, series, instance, gone, notice")
            connection.commit()


@contextlib.contextmanager
def registration_held(server):
    """No registration is committed while the block runs."""
    if "postgresql" in server.configuration.read_text():
        with contextlib.closing(server._database()) as connection, connection.cursor() as cursor:
            cursor.execute("LOCK TABLE study IN EXCLUSIVE MODE")
            yield
    else:
        path = server.storage / "index.sqlite"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield


def begun(start, configuration):
    server = start(configuration)
    until(lambda: server.takes_objects, "objects are taken")
    return server


def stored(connect, server, *uids):
    peer = connect(server.address)
    peer.associate(CONTEXT)
    for uid in uids:
        assert peer.store(1, CT, uid, data_set(instance=uid))[STATUS] == 0
    peer.release()
    peer.close()


def kill(server):
    server.process.kill()
    server.process.wait(PATIENCE)


def test_after_a_stop_in_order_there_is_no_look(start, connect, settings):
    server = begun(start, settings())
    stored(connect, server, new_uid())
    server.stop()
    server.start()
    until(lambda: server.takes_objects, "objects are taken")
    stored(connect, server, new_uid())
    server.stop()
    assert "looking through" not in server.log()


def test_an_object_whose_registration_was_cut_off_is_registered(start, connect, settings):
    """Its sender was told nothing: it may send it again, or not."""
    server = begun(start, settings(timeout=5))
    acknowledged, cut_off = new_uid(), new_uid()
    stored(connect, server, acknowledged)
    with registration_held(server):
        peer = connect(server.address)
        peer.associate(CONTEXT)
        data = data_set(instance=cut_off)
        peer.send(p_datas(1, COMMAND, store_rq(CT, cut_off)), p_datas(1, DATA, data))
        until(lambda: len(server.objects()) == 2, "its file is there")
        kill(server)
    assert os.listdir(server.storage / "incoming") != []
    server.start()
    server.looked_through()
    assert server.instances().keys() == {acknowledged, cut_off}
    assert len(server.objects()) == 2
    assert server.sdccctl("verify").returncode == 0
    server.stop()


def test_the_log_says_when_it_begins_and_what_it_found(start, connect, settings):
    server = begun(start, settings())
    good, gone, older = new_uid(), new_uid(), new_uid()
    stored(connect, server, good, gone, older)
    rows = {uid: server.storage / row["path"] for uid, row in server.instances().items()}
    rows[gone].unlink()
    orphan = rows[older].with_name(f"{older}-left.dcm")
    orphan.write_bytes(rows[older].read_bytes()[:-1] + b"\x55")
    os.utime(orphan, (1, 1))
    kill(server)
    server.start()
    begin, *findings, end = server.looked_through()
    assert begin.startswith("A server has not stopped in order: looking through what was received since 20")
    paths = {uid: path.relative_to(server.storage) for uid, path in rows.items()}
    assert findings == [
        f"missing: {paths[gone]} (left as it is)",
        f"orphan: {orphan.relative_to(server.storage)} (older version of a registered object, removed)",
    ]
    assert end == (
        "Looked through: rows 3, files 3, findings 2, mended 1, missing 1, orphan 1; "
        "run `sdccctl verify --repair`"
    )
    assert server.instances().keys() == {good, gone, older}
    assert server.objects() == {rows[good], rows[older]}
    assert server.sdccctl("verify", "--repair").returncode == 0
    server.stop()


def test_an_index_that_was_lost_is_filled_again_and_no_file_removed(start, connect, settings):
    server = begun(start, settings())
    uids = [new_uid() for _ in range(5)]
    stored(connect, server, *uids)
    before = server.objects()
    kill(server)
    if "postgresql" in settings():
        with contextlib.closing(server._database()) as connection, connection.cursor() as cursor:
            cursor.execute("TRUNCATE study, series, instance")
            connection.commit()
    else:
        for file in server.storage.glob("index.sqlite*"):
            file.unlink()
    server.start()
    server.looked_through()
    assert server.instances().keys() == {*uids}
    assert server.objects() == before
    server.stop()


def test_a_stop_in_the_middle_of_the_look_leaves_it_to_the_next_start(start, connect, settings):
    """The look waits for a server that may be about to change what it has found: for long, here."""
    server = begun(start, settings(timeout=3600))
    good, gone = new_uid(), new_uid()
    stored(connect, server, good, gone)
    rows = {uid: server.storage / row["path"] for uid, row in server.instances().items()}
    rows[gone].unlink()
    kill(server)
    server.start()
    until(lambda: "looking through" in server.log(), "the look has begun")
    stored(connect, server, new_uid())
    server.ask_to_stop()
    server.process.wait(PATIENCE)
    assert "The look ends with the server, and begins anew with the next" in server.log()
    assert os.listdir(server.storage / "incoming") == []
    server.configuration.write_text(settings())
    server.start()
    lines = server.looked_through()
    assert any(line.startswith("missing: ") for line in lines)
    assert server.sdccctl("verify", "--repair").returncode == 0
    server.stop()


def test_kill_after_kill_the_look_is_never_forgotten(start, connect, settings):
    server = begun(start, settings(timeout=3600))
    good, gone = new_uid(), new_uid()
    stored(connect, server, good, gone)
    (server.storage / server.instances()[gone]["path"]).unlink()
    for _ in range(3):
        kill(server)
        server.start()
        until(lambda: "looking through" in server.log(), "the look has begun")
        assert len(os.listdir(server.storage / "incoming")) == 1
    kill(server)
    server.configuration.write_text(settings())
    server.start()
    assert any(line.startswith("missing: ") for line in server.looked_through())
    assert server.sdccctl("verify", "--repair").returncode == 0
    server.stop()
