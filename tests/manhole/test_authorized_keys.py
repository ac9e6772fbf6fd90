"""Which lines of a file of keys let somebody in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sdcc.manhole import guarded
from sdcc.manhole.authorized_keys import authorized_keys
from sdcc.manhole.guarded import MAXIMUM_SIZE, NotGuarded

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJhUbCBtqCfEw1nCwIIfSFFlgxLHp4oSM0mpSKCfW0tJ"
DSA = "ssh-dss AAAAB3NzaC1kc3MAAAAB"
OPTIONS = "its options are not known here, and are not ignored"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (ED25519, ""),
        (f"  {ED25519}   anna of radiology", ""),
        (f"restrict {ED25519}", OPTIONS),
        (f'from="10.0.0.1,10.0.0.2",command="a b" {ED25519}', OPTIONS),
        (DSA, "it is no key of a type that is taken; allowed: ssh-ed25519, "),
        ("sk-ssh-ed25519@openssh.com AAAA", "it is no key of a type that is taken"),
        ("ssh-ed25519", "it is no key of a type that is taken"),
        ("ssh-ed25519 AAAA!", "its key is damaged"),
        ("ssh-ed25519 AAAAB3NzaC1yc2E=", "its key is damaged"),
    ],
)
def test_a_line_is_a_key_or_says_why_not(tmp_path: Path, line: str, fault: str) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# who may\n\n{line}\n")
    [key] = authorized_keys(path)
    assert key.number == 3
    assert key.fault == fault if not fault else key.fault.startswith(fault)
    assert bool(key.blob) == (ED25519 in line)


def test_a_key_is_shown_with_its_comment_which_steers_no_terminal(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{ED25519} anna \x1b[2J\n{ED25519}\n")
    named, nameless = map(str, authorized_keys(path))
    assert named == rf"{nameless} (anna \x1b[2J)"
    assert nameless.startswith("SHA256:")


def test_a_file_of_another_user_lets_nobody_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"
    path.write_text(ED25519)
    if os.geteuid() == 0:
        os.chown(path, 4711, -1)
    else:
        monkeypatch.setattr(guarded.os, "geteuid", lambda: 4711)
    with pytest.raises(NotGuarded, match="belongs to user"):
        authorized_keys(path)


def test_what_is_no_small_file_is_not_read(tmp_path: Path) -> None:
    fifo, large = tmp_path / "fifo", tmp_path / "large"
    os.mkfifo(fifo, 0o600)
    large.touch(0o600)
    os.truncate(large, MAXIMUM_SIZE + 1)
    with pytest.raises(NotGuarded, match="fifo is no file"):
        authorized_keys(fifo)
    with pytest.raises(NotGuarded, match="large has 1048577 bytes; allowed: 1048576"):
        authorized_keys(large)
