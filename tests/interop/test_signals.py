"""Signals to a real process: SIGHUP while it serves, SIGTERM twice while it waits.

The tests share a server, whose end is the last one's.
"""

from __future__ import annotations

import signal

import pytest

from ..certificates import Authority
from .objects import CT, data_set, new_uid
from .server import CONFIGURATION, until
from .test_sending import storescp
from .test_tls import move
from .wire import ABORT, ASSOCIATE_AC, COMMAND, DATA, EXPLICIT, STATUS, p_data, p_datas, store_rq, value

CONTEXT = (1, CT, EXPLICIT)
REJECT = CONFIGURATION + '[access]\nunknown_callers = "reject"\n'
READ_AGAIN = "The configuration was read again: "


@pytest.fixture
def hang_up(server):
    """:meth:`Server.hang_up`, and at the end the file that there was."""
    yield server.hang_up
    server.hang_up(CONFIGURATION)


def test_sighup_has_the_file_read_again_and_open_associations_go_on(server, hang_up, connect):
    here = connect(server.address)
    here.associate(CONTEXT)
    assert hang_up(REJECT) == [f"{READ_AGAIN}in effect now: [access] unknown_callers"]
    assert connect(server.address).associate(CONTEXT).codes == "1/1/3"
    uid = new_uid()
    assert here.store(1, CT, uid, data_set(instance=uid))[STATUS] == 0
    here.release()
    assert hang_up(CONFIGURATION) == [f"{READ_AGAIN}in effect now: [access] unknown_callers"]
    assert connect(server.address).associate(CONTEXT).type == ASSOCIATE_AC


def test_a_bad_file_changes_nothing_and_the_log_says_why(server, hang_up, connect):
    problems = hang_up(REJECT + "[query]\nmaximum_answers = -1\n[storge]\n", lines=2)
    assert [problem.split(": ")[0] for problem in problems] == ["The configuration stays as it is"] * 2
    assert "[query].maximum_answers = -1" in problems[0]
    assert "did you mean [storage]?" in problems[1]
    assert connect(server.address).associate(CONTEXT).type == ASSOCIATE_AC


def test_signals_that_come_together_are_one_reload_after_the_other(server, hang_up):
    """Of one number, those that come before the first is seen are one."""
    before = len(server.log())

    def counts():
        new = server.log()[before:]
        return new.count("SIGHUP: "), new.count(READ_AGAIN)

    assert hang_up(REJECT, signals=2)[0] == f"{READ_AGAIN}in effect now: [access] unknown_callers"
    until(lambda: counts() in ((1, 1), (2, 2)), "each is over")


def test_what_waits_for_a_restart_is_named(server, hang_up):
    lines = hang_up(CONFIGURATION.replace("minimum_free", "threads = 3\nminimum_free"), lines=2)
    assert lines[-1].endswith("after a restart only in: [storage] threads")


def test_sighup_brings_tls_and_takes_it_away(server, hang_up, connect, dcmtk, tmp_path):
    """To a process that has not even loaded OpenSSL. What cannot be used changes nothing."""
    study, uid = new_uid(), new_uid()
    peer = connect(server.address)
    peer.associate(CONTEXT)
    assert peer.store(1, CT, uid, data_set(instance=uid, study=study))[STATUS] == 0
    own, received = Authority(tmp_path).sign("server", "127.0.0.1"), tmp_path / "received"
    received.mkdir()
    key, authority = own.with_suffix(".key"), tmp_path / "authority.crt"
    options = ("+tls", key, own, "+cf", authority, "+xa")
    with storescp(dcmtk, received, *options) as port:
        remote = f'[[remote]]\nae_title = "SCP"\naddress = "127.0.0.1"\nport = {port}\ntls = true\n'
        tls = f'[tls]\ncertificate = "{own}"\nclient_authorities = "{authority}"\nprivate_key = '
        [problem] = hang_up(CONFIGURATION + remote + tls + f'"{authority}"\n')
        assert problem.endswith(f"[tls].private_key: {authority} is no private key in PEM")
        assert move(server, dcmtk, "SCP", study, called="SDCC").returncode != 0
        now = "in effect now: [[remote]] SCP, [tls]"
        assert hang_up(CONFIGURATION + remote + tls + f'"{key}"\n') == [f"{READ_AGAIN}{now}"]
        assert move(server, dcmtk, "SCP", study, called="SDCC").returncode == 0
    assert [path.name.partition(".")[2] for path in received.iterdir()] == [uid]
    assert hang_up(CONFIGURATION) == [f"{READ_AGAIN}{now}"]


def test_a_second_sigterm_stops_it_at_once_and_nothing_that_was_answered_is_lost(server, connect):
    """Of drain_timeout's 30 s next to nothing has passed. A third one changes nothing."""
    peer = connect(server.address)
    peer.associate(CONTEXT)
    stored, lost = new_uid(), new_uid()
    assert peer.store(1, CT, stored, data_set(instance=stored))[STATUS] == 0
    peer.send(p_datas(1, COMMAND, store_rq(CT, lost)), *20 * [p_data(value(1, DATA, bytes(16000)))])
    until(server.incoming, "the object's file is begun")

    server.ask_to_stop()
    until(lambda: "SDCC is stopping" in server.log(), "the stop has begun")
    server.ask_to_stop()
    answer = peer.receive()
    assert (answer.type, answer.codes) == (ABORT, "0/0/0")
    server.ask_to_stop()
    server.process.wait(10)
    assert server.process.returncode == -signal.SIGTERM
    server.stopped()
    assert "SDCC stops at once" in server.log()
    found = server.instances()
    assert stored in found
    assert lost not in found
