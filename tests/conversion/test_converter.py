"""The processes that decode: few, kept, bounded; and whatever becomes of one costs one object alone."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import globalLogPublisher
from zope.interface.verify import verifyObject

from sdcc.archive.filesystem import FileSystem
from sdcc.archive.scratch import ScratchFile
from sdcc.conversion.converter import COMMAND, Converter
from sdcc.interfaces import CannotConvert, IConverter, OutOfResources

EXPLICIT = "1.2.840.10008.1.2.1"

#: In place of the process that decodes: what follows is told a job as `job`, by its line as `line`.
STANDING_IN = """
import json, os, signal, sys, time
print("here", file=sys.stderr, flush=True)
for line in sys.stdin:
    job = json.loads(line)
    open(job["output"], "w").write(str(os.getpid()))
"""


async def at_once(call, *arguments):
    return call(*arguments)


class World(Clock):
    """Time that the test makes, and processes that are real."""

    def __init__(self):
        super().__init__()
        self.spawned = []

    def spawnProcess(self, protocol, executable, arguments, env):
        transport = reactor.spawnProcess(protocol, executable, arguments, env=env)
        self.spawned.append((transport.pid, arguments, env))
        return transport


class Rig:
    def __init__(self, directory, **settings):
        self.directory = directory
        self.world = World()
        self.fault = None
        self.converter = Converter(self.world, self.scratch, **settings)

    def scratch(self):
        if self.fault is not None:
            raise self.fault
        path = str(self.directory / f"{len(os.listdir(self.directory))}-{os.urandom(4).hex()}")
        return ScratchFile(path, filesystem=FileSystem(), run_in_thread=at_once)

    def convert(self, path="whatever"):
        return ensureDeferred(self.converter.convert(str(path), EXPLICIT))

    @property
    def files(self):
        return os.listdir(self.directory)


@pytest.fixture
def rig(tmp_path):
    """Makes a converter; in place of the decoders, some lines of Python may stand."""
    rigs = []
    directory = tmp_path / "scratch"
    directory.mkdir()

    def make(program=None, **settings):
        if program is not None:
            settings["command"] = (sys.executable, "-c", STANDING_IN + "    " + program)
        rigs.append(Rig(directory, **settings))
        return rigs[-1]

    yield make
    for rig in rigs:
        pytest_twisted.blockon(ensureDeferred(rig.converter.stop()))
        for pid, _, _ in rig.world.spawned:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        assert rig.world.getDelayedCalls() == []


def content(scratch):
    with open(scratch.path, "rb") as file:
        return file.read()


async def fault_of(conversion):
    with pytest.raises(CannotConvert) as raised:
        await conversion
    return str(raised.value)


WELL = 'print("{}", flush=True)'


@pytest_twisted.ensureDeferred
async def test_an_object_is_converted_by_another_process(rig, lab):
    made = rig()
    verifyObject(IConverter, made.converter)
    path = lab.shipped("MR_small_RLE.dcm")
    scratch = await made.convert(path)
    assert content(scratch) == lab.converted(path)
    blocks = [block async for block in scratch.read()]
    assert b"".join(blocks) == lab.converted(path)


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_converted_leaves_its_reason_and_nothing_else(rig, lab):
    made = rig()
    assert "scan start must be zero" in await fault_of(made.convert(lab.shipped("JPEG-lossy.dcm")))
    assert made.files == []


@pytest_twisted.ensureDeferred
async def test_a_file_that_is_gone_has_a_reason_too(rig):
    assert await fault_of(rig().convert("/nowhere")) == "No such file or directory"


@pytest_twisted.ensureDeferred
async def test_a_process_converts_one_object_after_the_other(rig, lab):
    """Also after one that it could not convert."""
    made = rig()
    await made.convert(lab.shipped("MR_small_RLE.dcm"))
    await fault_of(made.convert(lab.shipped("no_meta.dcm")))
    await made.convert(lab.shipped("SC_rgb_rle.dcm"))
    assert len(made.world.spawned) == 1


@pytest_twisted.ensureDeferred
async def test_there_are_no_more_processes_than_allowed(rig):
    made = rig(WELL, processes=2)
    await DeferredList([made.convert() for _ in range(7)], fireOnOneErrback=True)
    assert len(made.world.spawned) == 2
    assert len(made.files) == 7


@pytest_twisted.ensureDeferred
async def test_a_process_that_has_nothing_to_do_ends_after_a_while(rig):
    made = rig(WELL, idle=60)
    await made.convert()
    made.world.advance(59)
    await made.convert()
    made.world.advance(59)
    assert len(made.converter._children) == 1
    made.world.advance(1)
    while made.converter._children:
        await deferLater(reactor, 0.01)
    await made.convert()
    assert len(made.world.spawned) == 2


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "the process that decodes ended, by signal 11"),
        ("sys.exit(3)", "the process that decodes ended, exit code 3"),
        ("sys.exit()", "the process that decodes ended, exit code 0"),
        ("print('what?', flush=True)", "the process that decodes answered with nonsense"),
        ("print('[]', flush=True)", "the process that decodes answered with nonsense"),
        (
            "print('x' * 5000, end='', flush=True)",
            "the process that decodes answered with nonsense",
        ),
        ("print(json.dumps({'fault': 'x' * 300}), flush=True)", "x" * 200),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_becomes_of_a_process_costs_its_object_alone(rig, program, reason):
    made = rig(f"{program} if job['path'] == 'bad' else {WELL}")
    assert await fault_of(made.convert("bad")) == reason
    assert made.files == []
    await made.convert("good")


@pytest_twisted.ensureDeferred
async def test_a_process_that_hangs_is_killed(rig):
    made = rig("time.sleep(600)", timeout=120)
    conversion = made.convert()
    while not made.files:
        await deferLater(reactor, 0.01)
    made.world.advance(119)
    assert not conversion.called
    made.world.advance(1)
    assert await fault_of(conversion) == "the conversion took longer than 120 s"
    assert made.files == []


@pytest_twisted.ensureDeferred
async def test_an_answer_that_nobody_asked_for_ends_a_process(rig):
    made = rig('print("{}\\n{}", flush=True)')
    assert await fault_of(made.convert()) == "the process that decodes answered with nonsense"


@pytest_twisted.ensureDeferred
async def test_a_stop_gives_up_what_is_being_converted_and_what_waits(rig):
    made = rig("time.sleep(600)", processes=1)
    first, second = made.convert(), made.convert()
    while not made.files:
        await deferLater(reactor, 0.01)
    await made.converter.stop()
    assert await fault_of(first) == await fault_of(second) == "SDCC is stopping"
    assert made.files == []


@pytest.mark.parametrize("fault", [OutOfResources("the disk is full"), FileNotFoundError(2, "no folder")])
@pytest_twisted.ensureDeferred
async def test_where_there_is_no_room_nothing_is_converted(rig, fault):
    made = rig(WELL)
    made.fault = fault
    assert await fault_of(made.convert()) == str(fault)
    made.fault = None
    await made.convert()


@pytest_twisted.ensureDeferred
async def test_a_process_knows_no_secrets_of_the_environment(rig):
    made = rig(WELL, environment={"PATH": "/bin", "SDCC_PASSWORD": "secret"})
    await made.convert()
    ((_, _, environment),) = made.world.spawned
    assert environment["PATH"] == "/bin"
    assert "SDCC_PASSWORD" not in environment


@pytest_twisted.ensureDeferred
async def test_what_a_process_says_is_for_debugging_only(rig):
    events = []
    globalLogPublisher.addObserver(events.append)
    try:
        await rig(WELL).convert()
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert [event["log_level"].name for event in events if "here" in event.get("text", "")] == ["debug"]


# --- the process itself ------------------------------------------------------------------------


def decoding(tmp_path, *jobs, memory=4 << 30, seconds=60):
    lines = [
        json.dumps(
            {
                "path": str(path),
                "transfer_syntax": EXPLICIT,
                "output": str(tmp_path / str(n)),
                "seconds": seconds,
            }
        )
        for n, path in enumerate(jobs)
    ]
    command = [*COMMAND[:-1], str(memory)]
    return subprocess.run(
        command, input="\n".join(lines), capture_output=True, text=True, check=False, timeout=60
    )


def test_the_process_ends_when_nobody_is_left_to_tell_it_anything(tmp_path, lab):
    done = decoding(tmp_path, lab.shipped("MR_small_RLE.dcm"), lab.shipped("no_meta.dcm"))
    assert done.returncode == 0
    well, fault = map(json.loads, done.stdout.splitlines())
    assert well == {}
    assert "DICM" in fault["fault"]
    assert done.stderr == ""


def test_a_fault_of_the_program_is_told_without_its_words(tmp_path):
    """They may be a patient's; and what it says goes to the log."""
    done = subprocess.run(
        COMMAND, input='{"path": "Patient^Some"', capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.endswith("JSONDecodeError\n")
    assert "conversion/__main__.py" in done.stderr
    assert "Expecting" not in done.stderr


def test_what_the_process_makes_is_not_for_others(tmp_path, lab):
    before = os.umask(0)
    try:
        decoding(tmp_path, lab.shipped("MR_small_RLE.dcm"))
    finally:
        os.umask(before)
    assert not (tmp_path / "0").stat().st_mode & 0o137


def test_the_process_is_the_first_to_go_where_memory_runs_out(tmp_path):
    """And leaves no core, with what it was at."""
    job = {"path": "nowhere", "transfer_syntax": EXPLICIT, "output": "nowhere", "seconds": 9}
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        process.stdout.readline()
        score = Path(f"/proc/{process.pid}/oom_score_adj").read_text()
        limits = Path(f"/proc/{process.pid}/limits").read_text()
    assert score.strip() == "1000"
    assert re.search(r"Max core file size +0 +0 ", limits)


def test_the_process_gets_no_more_memory_than_it_may_have(tmp_path, lab):
    """A frame that is said to be of 65,535 x 65,535 pixels: this decoder gives up with all its process."""
    data = lab.shipped("MR_small_RLE.dcm").read_bytes()
    for tag in (b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x11\x00US\x02\x00"):
        data = data.replace(tag + b"\x40\x00", tag + b"\xff\xff")
    (tmp_path / "huge").write_bytes(data)
    done = decoding(tmp_path, tmp_path / "huge", memory=1 << 30)
    assert done.returncode == -signal.SIGABRT
    assert "memory allocation" in done.stderr


def test_the_process_ends_itself_where_its_time_is_over(tmp_path):
    """Though nobody is left to kill it: here it waits for a pipe that nobody writes to."""
    os.mkfifo(tmp_path / "pipe")
    assert decoding(tmp_path, tmp_path / "pipe", seconds=1).returncode == -signal.SIGALRM
