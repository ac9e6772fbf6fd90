"""Standard output, the journal and syslog."""

from __future__ import annotations

import os
import syslog

from sdcc.logs.outlets import Descriptor, Syslog, is_journal


def test_a_stream_is_written_as_it_is_and_never_closed(pipe):
    reading, writing = pipe
    outlet = Descriptor(writing)
    outlet.open()
    assert outlet.write(b"a line\n") == 7
    assert outlet.write(b"") == 0
    outlet.reopen()
    outlet.close()
    assert os.read(reading, 100) == b"a line\n"
    os.fstat(writing)


def test_each_line_is_a_message_of_syslog_with_its_priority():
    said = []
    outlet = Syslog("sdcc", begin=lambda *of: said.append(of), send=lambda *of: said.append(of))
    outlet.open()
    data = "<6>[sdcc#info] 山 <b>\n<2>[sdcc#critical] it failed\n<2>\tTraceback\n".encode()
    assert outlet.write(data) == len(data)
    assert outlet.write(b"") == 0
    assert said == [
        ("sdcc", syslog.LOG_PID, syslog.LOG_DAEMON),
        (syslog.LOG_INFO, "[sdcc#info] 山 <b>"),
        (syslog.LOG_CRIT, "[sdcc#critical] it failed"),
        (syslog.LOG_CRIT, "\tTraceback"),
    ]


def test_the_journal_is_what_systemd_says_it_is_and_nothing_else(pipe):
    _, writing = pipe
    status = os.fstat(writing)
    stream = f"{status.st_dev}:{status.st_ino}"
    assert is_journal(writing, {"JOURNAL_STREAM": stream})
    assert not is_journal(writing, {})
    assert not is_journal(writing, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"})
    closed = os.dup(writing)
    os.close(closed)
    assert not is_journal(closed, {"JOURNAL_STREAM": stream})
