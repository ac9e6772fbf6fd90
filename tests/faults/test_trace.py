"""Lines of strace become calls, whole and interrupted ones."""

from __future__ import annotations

import pytest

from .trace import Call, NoTrace, read


def hexadecimal(data):
    return "".join(f"\\x{byte:02x}" for byte in data)


A, B = hexadecimal(b"/a"), hexadecimal(b"/b")
PEER = "TCP:[127.0.0.1:104->127.0.0.1:5]"

LINES = {
    "a-descriptor": (
        f"7     fsync(12<{A}>) = 0",
        Call(name="fsync", file="/a", arguments=f"12<{A}>", begun=0, ended=0),
    ),
    "two-paths": (
        f'7  link("{A}", "{B}") = 0',
        Call(name="link", strings=(b"/a", b"/b"), arguments=f'"{A}", "{B}"', begun=0, ended=0),
    ),
    "a-result-with-a-name": (
        f'7 openat(AT_FDCWD<{B}>, "{A}", O_RDWR|O_CREAT, 0640) = 15<{A}>',
        Call(
            name="openat",
            strings=(b"/a",),
            arguments=f'AT_FDCWD<{B}>, "{A}", O_RDWR|O_CREAT, 0640',
            result=15,
            begun=0,
            ended=0,
        ),
    ),
    "bytes-to-a-socket": (
        f'7 sendto(11<{PEER}>, "\\x04\\x22\\x2c", 3, 0, NULL, 0)     = 3',
        Call(
            name="sendto",
            file=PEER,
            strings=(b'\x04",',),
            arguments=f'11<{PEER}>, "\\x04\\x22\\x2c", 3, 0, NULL, 0',
            result=3,
            begun=0,
            ended=0,
        ),
    ),
    "pieces-to-a-socket": (
        f'7 sendmsg(11<{PEER}>, {{msg_name=NULL, msg_iov=[{{iov_base="\\x04", iov_len=1}}, '
        f'{{iov_base="\\x22\\x2c", iov_len=2}}], msg_iovlen=2, msg_controllen=0, msg_flags=0}}, 0) = 3',
        Call(
            name="sendmsg",
            file=PEER,
            strings=(b"\4", b'",'),
            arguments=f'11<{PEER}>, {{msg_name=NULL, msg_iov=[{{iov_base="\\x04", iov_len=1}}, '
            f'{{iov_base="\\x22\\x2c", iov_len=2}}], msg_iovlen=2, msg_controllen=0, msg_flags=0}}, 0',
            result=3,
            begun=0,
            ended=0,
        ),
    ),
    "several-buffers": (
        f'7 writev(9<{A}>, [{{iov_base="\\x01"..., iov_len=8}}, {{iov_base="\\x02", iov_len=1}}], 2) = 9',
        Call(
            name="writev",
            file="/a",
            strings=(b"\1", b"\2"),
            arguments=f'9<{A}>, [{{iov_base="\\x01"..., iov_len=8}}, {{iov_base="\\x02", iov_len=1}}], 2',
            result=9,
            begun=0,
            ended=0,
        ),
    ),
    "a-failure": (
        f"7 fsync(12<{A}>) = -1 EIO (Input/output error) (INJECTED)",
        Call(name="fsync", file="/a", arguments=f"12<{A}>", result=-1, begun=0, ended=0),
    ),
}


@pytest.mark.parametrize(("line", "call"), LINES.values(), ids=LINES)
def test_a_line_is_a_call(line, call):
    assert read([line + "\n"]) == [call]
    assert call.has_succeeded == (call.result >= 0)


@pytest.mark.parametrize(("line", "call"), LINES.values(), ids=LINES)
def test_a_call_may_be_interrupted_by_those_of_other_threads(line, call):
    """It has begun at its first line and ended at its last, wherever it is split."""
    arguments, _, result = line.partition(") ")
    between = f"8 fsync(3<{B}>) = 0"
    (other, found) = read(
        [f"{arguments} <unfinished ...>\n", between, f"7 <... {call.name} resumed>) {result}\n"]
    )
    assert (other.begun, other.ended) == (1, 1)
    assert (found.begun, found.ended) == (0, 2)
    assert (found.name, found.file, found.strings, found.result) == (
        call.name,
        call.file,
        call.strings,
        call.result,
    )


def test_signals_ends_and_calls_that_never_returned_are_none():
    assert (
        read(
            [
                "7 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1, si_uid=0} ---",
                f"8 fsync(3<{A}> <unfinished ...>",
                f"9 fsync(3<{A}> <unfinished ...>",
                "9 <... fsync resumed>) = ?",
                "7 +++ killed by SIGKILL +++",
            ]
        )
        == []
    )


@pytest.mark.parametrize("line", ["", "fsync(3) = 0", "7 fsync(3", "7 <... resumed>) = 0"])
def test_what_strace_does_not_write_is_refused(line):
    with pytest.raises(NoTrace):
        read([line])
