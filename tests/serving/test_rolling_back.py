"""Rollbacks: an earlier version again, under the next number."""

import json
import multiprocessing
import os
import signal
import time

import pytest

from serving.pushing.manifest import damages
from serving.pushing.rollback import Rollback, roll_back, withdrawn_sources
from serving.pushing.versions import push, pushed_last, versions


@pytest.fixture
def base(tmp_path):
    """Versions 1 to 3, whose graphs are their numbers."""
    for number in (1, 2, 3):
        source = tmp_path / f"source{number}"
        (source / "variables").mkdir(parents=True)
        (source / "saved_model.pb").write_text(str(number))
        (source / "variables" / "variables.index").write_text("index")
        about = {"sources": {"model": f"model-{number}"}, "metrics": {"click": {"auc": number}}}
        push(source, tmp_path / "serving" / "shop", about=about)
    return tmp_path / "serving" / "shop"


def graph(base, version):
    return (base / str(version) / "saved_model.pb").read_text()


def manifest(base, version):
    return json.loads((base / str(version) / "assets.extra" / "manifest.json").read_text())


def test_the_version_before_is_served_as_the_next_one(base):
    assert roll_back(base) == Rollback(version=4, withdrawn=3, to=2)
    assert versions(base) == [1, 2, 3, 4]
    assert graph(base, 4) == "2"
    told = manifest(base, 4)
    assert (told["name"], told["version"]) == ("shop", 4)
    assert told["rolled_back"] == {"from": 3, "to": 2}
    assert told["sources"] == {"model": "model-2"}
    assert told["metrics"] == {"click": {"auc": 2}}
    assert damages(base / "4") == []
    assert manifest(base, 2)["version"] == 2, "the original keeps its own manifest"
    assert pushed_last(base) == 3


def test_files_are_shared(base):
    roll_back(base)
    inode = (base / "2" / "saved_model.pb").stat().st_ino
    assert (base / "4" / "saved_model.pb").stat().st_ino == inode


def test_without_hard_links_they_are_copied(base, monkeypatch):
    def refuse(old, new):
        raise OSError("Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    roll_back(base)
    assert graph(base, 4) == "2"
    assert damages(base / "4") == []


def test_a_second_rollback_goes_further_back_and_not_to_what_was_withdrawn(base):
    roll_back(base)
    assert roll_back(base) == Rollback(version=5, withdrawn=4, to=1)
    assert graph(base, 5) == "1"
    assert [entry["version"] for entry in withdrawn_sources(base)] == [2, 3]
    assert pushed_last(base) == 3
    with pytest.raises(ValueError, match="version 1 is served, and no version that was pushed"):
        roll_back(base)


def test_what_was_withdrawn_can_be_brought_back(base):
    roll_back(base)
    assert roll_back(base, to=3) == Rollback(version=5, withdrawn=4, to=3)
    assert graph(base, 5) == "3"
    assert [entry["version"] for entry in withdrawn_sources(base)] == [2]
    assert roll_back(base) == Rollback(version=6, withdrawn=5, to=1)


def test_a_push_ends_a_rollback(base, tmp_path):
    roll_back(base)
    push(tmp_path / "source3", base)
    assert pushed_last(base) == 5
    assert withdrawn_sources(base) == []
    assert roll_back(base) == Rollback(version=6, withdrawn=5, to=3)


def test_old_versions_go_as_after_a_push(base):
    roll_back(base, to=1, keep=2)
    assert versions(base) == [3, 4]
    assert graph(base, 4) == "1"


def test_what_cannot_be_gone_back_to(base, tmp_path):
    with pytest.raises(ValueError, match="there is no version 7; there is 1, 2, 3"):
        roll_back(base, to=7)
    with pytest.raises(ValueError, match="version 3 is served already"):
        roll_back(base, to=3)
    roll_back(base, to=1)
    with pytest.raises(ValueError, match="version 1 is served already, version 4 is a copy of it"):
        roll_back(base, to=1)
    (base / "2" / "saved_model.pb").write_text("two")
    with pytest.raises(ValueError, match=r"files that were pushed, saved_model\.pb was changed"):
        roll_back(base, to=2)
    (base / "3" / "assets.extra" / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match="expected JSON, the file is damaged"):
        roll_back(base, to=3)
    for nowhere in (tmp_path / "nothing", tmp_path / "empty"):
        with pytest.raises(ValueError, match="there are none"):
            roll_back(nowhere)
        (tmp_path / "empty").mkdir(exist_ok=True)
    assert versions(base) == [1, 2, 3, 4]


def test_a_version_with_a_damaged_manifest_can_be_left(base):
    (base / "3" / "assets.extra" / "manifest.json").write_text("{")
    assert roll_back(base) == Rollback(version=4, withdrawn=3, to=2)


def roll_back_slowly(base):
    import serving.pushing.versions

    serving.pushing.versions.sync_tree = lambda root: time.sleep(60)
    roll_back(base)


def test_a_killed_rollback_changes_nothing(base):
    process = multiprocessing.get_context("spawn").Process(target=roll_back_slowly, args=(base,))
    process.start()
    while not list(base.glob(".tmp-*/assets.extra/manifest.json")):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert versions(base) == [1, 2, 3]
    assert roll_back(base) == Rollback(version=4, withdrawn=3, to=2)
    assert list(base.glob(".tmp-*")) == []
