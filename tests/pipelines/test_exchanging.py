"""Directories that change places: a reader finds the old one or the new one, at every moment."""

from pathlib import Path

import pytest

from pipelines.storage import directories, exchanging
from pipelines.storage.directories import replacing, sweep
from pipelines.storage.exchanging import exchange


def make(directory, text):
    directory.mkdir()
    (directory / "weights").write_text(text)
    return directory


def replace(final, text):
    with replacing(final) as temporary:
        (temporary / "weights").write_text(text)


@pytest.fixture
def supported(tmp_path):
    """Skips where the system cannot exchange two names."""
    if not exchange(make(tmp_path / "one", ""), make(tmp_path / "two", "")):
        pytest.skip("this system exchanges no names")


def test_two_directories_change_places(tmp_path, supported):
    first, second = make(tmp_path / "first", "1"), make(tmp_path / "second", "2")
    assert exchange(first, second)
    assert (first / "weights").read_text() == "2"
    assert (second / "weights").read_text() == "1"


def test_a_name_that_is_missing_is_an_error(tmp_path, supported):
    first = make(tmp_path / "first", "1")
    with pytest.raises(FileNotFoundError, match="missing"):
        exchange(first, tmp_path / "missing")
    assert (first / "weights").read_text() == "1"


def test_a_system_without_the_call_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(exchanging, "_renameat2", lambda: None)
    assert not exchange(make(tmp_path / "first", "1"), make(tmp_path / "second", "2"))
    assert (tmp_path / "first" / "weights").read_text() == "1"


@pytest.fixture
def there(tmp_path, monkeypatch):
    """Whether the directory that is replaced was there after each renaming."""
    seen, rename = [], Path.rename

    def renamed(self, target):
        moved = rename(self, target)
        seen.append((tmp_path / "model" / "weights").exists())
        return moved

    monkeypatch.setattr(Path, "rename", renamed)
    return seen


def test_what_is_replaced_is_never_absent(tmp_path, supported, there):
    for text in ("old", "new", "newer"):
        replace(tmp_path / "model", text)
        assert (tmp_path / "model" / "weights").read_text() == text
    assert all(there)
    assert {path.name for path in tmp_path.iterdir()} == {"model", "one", "two"}


def test_without_an_exchange_the_old_one_is_aside_for_a_moment(tmp_path, monkeypatch, there):
    monkeypatch.setattr(directories, "exchange", lambda first, second: False)
    replace(tmp_path / "model", "old")
    replace(tmp_path / "model", "new")
    assert there == [True, False, True]
    assert (tmp_path / "model" / "weights").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_kill_in_that_moment_brings_the_old_one_back(tmp_path):
    make(tmp_path / ".model.old-7", "old")
    make(tmp_path / ".model.tmp-7", "new, and nobody said that it is whole")
    sweep(tmp_path)
    assert (tmp_path / "model" / "weights").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
