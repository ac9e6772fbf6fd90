"""The host key: made once, for its owner alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from sdcc.manhole.authorized_keys import fingerprint
from sdcc.manhole.guarded import NotGuarded
from sdcc.manhole.host_key import host_key


def test_it_is_made_for_its_owner_alone_and_stays(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = host_key(tmp_path)
    finally:
        os.umask(before)
    path = tmp_path / "manhole_host_key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made.type() == "Ed25519"
    assert host_key(tmp_path) == made
    assert os.listdir(tmp_path) == ["manhole_host_key"]


def test_one_that_another_process_of_the_same_id_makes_meanwhile_is_the_key_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two containers that begin with the same storage directory."""
    others = []

    def late(source: Path, path: Path) -> None:
        monkeypatch.undo()
        others.append(host_key(tmp_path))
        os.link(source, path)

    monkeypatch.setattr(os, "link", late)
    assert [host_key(tmp_path)] == others
    assert os.listdir(tmp_path) == ["manhole_host_key"]


def test_ssh_keygen_sees_the_fingerprint_that_the_log_shows(
    tmp_path: Path, fingerprint_of: Callable[[Path], str]
) -> None:
    made = host_key(tmp_path)
    assert fingerprint_of(tmp_path / "manhole_host_key") == fingerprint(made.public().blob())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_one_that_others_may_know_is_not_used(tmp_path: Path, mode: int) -> None:
    host_key(tmp_path)
    (tmp_path / "manhole_host_key").chmod(mode)
    with pytest.raises(NotGuarded, match=r"manhole_host_key can be (read|written) by others"):
        host_key(tmp_path)


def test_none_is_made_where_others_could_put_theirs(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    with pytest.raises(NotGuarded, match=f"{tmp_path} can be written by others"):
        host_key(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["rsa", "public", "text"])
def test_what_is_no_key_of_its_kind_is_not_used(tmp_path: Path, keys: dict[str, Path], name: str) -> None:
    path = tmp_path / "manhole_host_key"
    found = {"rsa": keys["rsa"], "public": keys["anna"].with_suffix(".pub")}
    path.write_text(found[name].read_text() if name in found else "text")
    path.chmod(0o600)
    with pytest.raises(NotGuarded, match="is no private"):
        host_key(tmp_path)
