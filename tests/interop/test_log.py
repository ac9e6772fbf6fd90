"""The log of a real server, as an administrator and a collector read it."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess

import pytest

from .objects import CT, data_set, new_uid
from .server import CONFIGURATION, TWISTD, run, until
from .wire import EXPLICIT, STATUS, Peer


def store(port):
    """One object over an association of its own; its SOP Instance UID."""
    uid = new_uid()
    with Peer(("127.0.0.1", port)) as peer:
        peer.associate((1, CT, EXPLICIT))
        assert peer.store(1, CT, uid, data_set(instance=uid))[STATUS] == 0
        peer.release()
    return uid


def test_a_collector_reads_an_object_a_line_from_a_file_that_may_be_moved_away(tmp_path):
    """And nothing is anywhere else."""
    file = tmp_path / "sdcc.jsonl"
    configuration = CONFIGURATION + f'[log]\nfile = "{file.name}"\nformat = "json"\n'
    (tmp_path / "sdcc.toml").write_text(configuration)
    with subprocess.Popen(
        (TWISTD, "--nodaemon", "--pidfile=", "sdcc", "--config", "sdcc.toml"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            until(lambda: file.exists() and " is ready" in file.read_text(), "it is ready")
            started = read(tmp_path)
            [port] = [line["fields"]["port"] for line in started if line["message"].startswith("AE SDCC on")]
            uid = store(port)
            until(
                lambda: any(f" {uid} 0000 " in line["message"] for line in read(tmp_path)),
                "the C-STORE's line",
            )
            file.rename(tmp_path / "moved.jsonl")
            process.send_signal(signal.SIGUSR1)
            until(file.exists, "the file is begun anew")
            store(port)
        finally:
            process.terminate()
            output, _ = process.communicate(timeout=30)
    assert output == b""
    lines = read(tmp_path)
    assert [line["message"] for line in lines if line["logger"] == "sdcc"][-1] == "SDCC has stopped"
    assert [line["message"] for line in lines][-1] == "Server Shut Down."
    assert {line["level"] for line in lines} == {"info"}
    assert not any(stat.S_IMODE(path.stat().st_mode) & 0o007 for path in tmp_path.glob("*.jsonl"))


def read(directory):
    """All lines that were written, in order, wherever they are by now."""
    files = [
        *sorted(directory.glob("*.jsonl.*")),
        *directory.glob("moved.jsonl"),
        *directory.glob("sdcc.jsonl"),
    ]
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return sorted(lines, key=lambda line: line["time"])


def test_standard_output_that_is_the_journal_has_priorities(tmp_path):
    """The journal's end of the stream is here a file."""
    (tmp_path / "sdcc.toml").write_text(CONFIGURATION)
    with (tmp_path / "journal").open("wb") as stream:
        status = os.fstat(stream.fileno())
        process = subprocess.Popen(
            (TWISTD, "--nodaemon", "--pidfile=", "sdcc", "--config", "sdcc.toml"),
            cwd=tmp_path,
            stdout=stream,
            env={**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"},
        )
    try:
        journal = tmp_path / "journal"
        until(lambda: " is ready" in journal.read_text(), "it is ready")
        (port,) = re.findall(r"AE SDCC on 127\.0\.0\.1:([0-9]+)$", journal.read_text(), re.MULTILINE)
        store(int(port))
    finally:
        process.terminate()
        process.wait(30)
    lines = journal.read_text().splitlines()
    assert len(lines) > 5
    assert all(re.match(r"<6>\[[^]]+\] ", line) for line in lines), lines
    assert lines[-1].endswith(" Server Shut Down.")


@pytest.mark.parametrize("option", ["--logfile=none/sdcc.log", None], ids=["asked of twistd", "configured"])
def test_a_log_that_cannot_be_written_keeps_the_server_from_starting(tmp_path, option):
    own = '[log]\nfile = "none/sdcc.log"\n' if option is None else ""
    (tmp_path / "sdcc.toml").write_text(CONFIGURATION + own)
    options = ("--nodaemon", "--pidfile=", *([option] if option else []))
    done = run(TWISTD, *options, "sdcc", "--config", "sdcc.toml", cwd=tmp_path)
    assert done.returncode == 1
    [line] = [line for line in (done.stdout + done.stderr).splitlines() if "cannot be written" in line]
    assert line.endswith(
        f"sdcc: the log cannot be written: [Errno 2] No such file or directory: '{tmp_path}/none/sdcc.log'"
    )
