"""Pushing versions: all or nothing, one number after another."""

import hashlib
import json
import multiprocessing
import os
import signal
import time

import pytest

from serving.pushing.manifest import damages, read_manifest
from serving.pushing.promotion import promote
from serving.pushing.versions import latest, push, versions


@pytest.fixture
def saved_model(tmp_path):
    source = tmp_path / "source"
    (source / "variables").mkdir(parents=True)
    (source / "saved_model.pb").write_bytes(b"graph")
    (source / "variables" / "variables.index").write_bytes(b"index")
    return source


def test_numbers_follow_one_another(saved_model, tmp_path):
    base = tmp_path / "models" / "shop"
    assert versions(base) == []
    assert latest(base) is None
    assert [push(saved_model, base) for _ in range(3)] == [1, 2, 3]
    (base / "20").mkdir()
    (base / "notes").mkdir()
    (base / "30").write_text("not a directory")
    assert push(saved_model, base) == 21
    assert versions(base) == [1, 2, 3, 20, 21]
    assert latest(base) == 21
    assert (base / "2" / "variables" / "variables.index").read_bytes() == b"index"
    assert (saved_model / "saved_model.pb").exists()


def test_the_newest_versions_stay(saved_model, tmp_path):
    base = tmp_path / "shop"
    assert [push(saved_model, base, keep=2) for _ in range(4)] == [1, 2, 3, 4]
    assert versions(base) == [3, 4]
    assert [path.name for path in base.glob(".tmp-*")] == []
    push(saved_model, base)
    assert versions(base) == [3, 4, 5]


def test_what_is_no_saved_model_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"should hold saved_model\.pb"):
        push(tmp_path / "empty", tmp_path / "base")


def test_a_failed_copy_leaves_nothing(saved_model, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise OSError("disk full")

    monkeypatch.setattr("shutil.copytree", fail)
    with pytest.raises(OSError, match="disk full"):
        push(saved_model, tmp_path / "base")
    assert list((tmp_path / "base").iterdir()) == []


def push_slowly(source, base):
    import serving.pushing.versions

    serving.pushing.versions.sync_tree = lambda root: time.sleep(60)
    serving.pushing.versions.push(source, base)


def test_a_killed_push_leaves_only_a_hidden_sibling(saved_model, tmp_path):
    base = tmp_path / "base"
    push(saved_model, base)
    pusher = multiprocessing.get_context("spawn").Process(
        target=push_slowly, args=(saved_model, base)
    )
    pusher.start()
    while not list(base.glob(".tmp-*/variables/variables.index")):
        time.sleep(0.01)
    os.kill(pusher.pid, signal.SIGKILL)
    pusher.join()
    assert versions(base) == [1]
    assert len(list(base.glob(".tmp-*"))) == 1
    assert push(saved_model, base) == 2
    assert sorted(path.name for path in base.iterdir()) == ["1", "2"]


def push_often(source, base):
    for _ in range(5):
        push(source, base)


def test_pushes_at_once_do_not_disturb_one_another(saved_model, tmp_path):
    base = tmp_path / "base"
    context = multiprocessing.get_context("spawn")
    pushers = [context.Process(target=push_often, args=(saved_model, base)) for _ in range(3)]
    for pusher in pushers:
        pusher.start()
    for pusher in pushers:
        pusher.join()
    assert versions(base) == list(range(1, 16))
    assert all((base / str(n) / "saved_model.pb").exists() for n in range(1, 16))


def test_a_version_says_where_it_comes_from(saved_model, tmp_path):
    base = tmp_path / "shop"
    push(saved_model, base)
    push(saved_model, base, about={"sources": {"model": "f00"}})
    manifest = json.loads((base / "2" / "assets.extra" / "manifest.json").read_text())
    assert (manifest["name"], manifest["version"]) == ("shop", 2)
    assert manifest["sources"] == {"model": "f00"}
    assert manifest["tensorflow"].startswith("2.")
    assert manifest["pushed_at"].endswith("+00:00")
    assert manifest["files"] == {
        "saved_model.pb": hashlib.sha256(b"graph").hexdigest(),
        "variables/variables.index": hashlib.sha256(b"index").hexdigest(),
    }
    assert not (saved_model / "assets.extra").exists()


def test_a_version_can_be_verified(saved_model, tmp_path):
    base = tmp_path / "shop"
    push(saved_model, base)
    version = base / "1"
    assert damages(version) == []
    (version / "saved_model.pb").write_bytes(b"grapf")
    (version / "variables" / "variables.index").unlink()
    (version / "more").write_bytes(b"")
    assert damages(version) == [
        "variables/variables.index is missing",
        "more was added",
        "saved_model.pb was changed",
    ]
    (version / "assets.extra" / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match=r"manifest\.json: expected JSON, the file is damaged"):
        read_manifest(version)
    (base / "9").mkdir()
    assert read_manifest(base / "9") == {}
    assert damages(base / "9") == []


def test_a_labelled_version_stays(saved_model, tmp_path):
    base = tmp_path / "shop"
    push(saved_model, base)
    promote(base, 1, "stable")
    assert [push(saved_model, base, keep=2) for _ in range(3)] == [2, 3, 4]
    assert versions(base) == [1, 3, 4]


def test_damaged_labels_stop_a_push_before_it_removes_anything(saved_model, tmp_path):
    base = tmp_path / "shop"
    push(saved_model, base)
    (tmp_path / "models.config").write_text("model_config_list { nonsense")
    with pytest.raises(ValueError, match=r"models\.config: expected the models that tfmtl promote"):
        push(saved_model, base, keep=1)
    assert versions(base) == [1]
    assert list(base.glob(".tmp-*")) == []


def test_another_user_may_read_a_version(saved_model, tmp_path):
    push(saved_model, tmp_path / "shop")
    assert (tmp_path / "shop" / "1").stat().st_mode & 0o777 == 0o755
