"""A file that goes aside is never lost, whatever lies there already and whenever the process dies."""

from __future__ import annotations

import errno

import pytest

from sdcc.archive.quarantine import move, set_aside

PATH = "objects/2026/07/04/1.2/1.3/1.4-a.dcm"


@pytest.fixture
def file(tmp_path):
    file = tmp_path / PATH
    file.parent.mkdir(parents=True)
    file.write_text("content")
    return file


def test_a_file_keeps_its_path_below_another_top(disk, file, tmp_path):
    assert set_aside(PATH, str(tmp_path), disk) == f"quarantine/{PATH}"
    assert (tmp_path / "quarantine" / PATH).read_text() == "content"
    assert not file.exists()
    assert disk.open == {}


def test_it_is_durable_before_its_old_name_is_known_to_be_gone(disk, file, tmp_path):
    set_aside(PATH, str(tmp_path), disk)
    directory = PATH.rpartition("/")[0]
    renamed = disk.calls.index(("rename", PATH))
    assert disk.calls.index(("sync", PATH)) < renamed
    for made in disk.called("make_directory"):
        assert ("sync_directory", made.rpartition("/")[0] or ".") in disk.calls[:renamed]
    assert disk.calls[renamed + 1 :] == [
        ("sync_directory", f"quarantine/{directory}"),
        ("sync_directory", directory),
    ]


def test_it_is_never_moved_over_another(disk, file, tmp_path):
    for number in range(3):
        file.write_text(f"content {number}")
        suffix = f".{number}" if number else ""
        assert set_aside(PATH, str(tmp_path), disk) == f"quarantine/{PATH}{suffix}"
    directory = (tmp_path / "quarantine" / PATH).parent
    assert sorted(path.read_text() for path in directory.iterdir()) == ["content 0", "content 1", "content 2"]


@pytest.mark.parametrize("call", ["open_existing", "sync", "make_directory", "rename"])
def test_where_it_cannot_go_it_stays(disk, file, tmp_path, call):
    disk.fail(call, errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        set_aside(PATH, str(tmp_path), disk)
    assert file.read_text() == "content"
    assert disk.open == {}


def test_another_name_is_never_anothers(disk, file, tmp_path):
    other = PATH.replace("-a", "-b")
    (tmp_path / other).write_text("other")
    with pytest.raises(FileExistsError):
        move(PATH, other, str(tmp_path), disk)
    assert (file.read_text(), (tmp_path / other).read_text()) == ("content", "other")
