"""Fingerprints: what makes a step's work another work."""

import shutil
import sys
from pathlib import Path

import pytest
from fake_pipeline import COMPONENTS, make_config, make_data

from pipelines.caching import fingerprints, sources
from pipelines.caching.contents import Contents
from pipelines.caching.fingerprints import content_fingerprint, data_files, fingerprint, step_parts
from pipelines.components import trainer
from tfmtl.training import precision

EXAMPLES, TRAINER = COMPONENTS[:2]


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path / "data")


def step_fingerprint(component, config, consumed, data):
    return fingerprint(step_parts(component, config, consumed, data, Contents()))


def test_is_stable(data):
    first = step_fingerprint(EXAMPLES, make_config(), {}, data)
    assert first == step_fingerprint(EXAMPLES, make_config(), {}, data)
    assert len(first) == 32


def test_depends_on_what_the_component_reads_of_the_config_only(data):
    before = step_fingerprint(TRAINER, make_config(), {"examples": "a"}, data)
    tuned = make_config(training={"epochs": 9})
    assert step_fingerprint(TRAINER, tuned, {"examples": "a"}, data) != before
    renamed = make_config(name="other")
    assert step_fingerprint(TRAINER, renamed, {"examples": "a"}, data) == before


def test_depends_on_the_consumed_artifacts(data):
    config = make_config()
    one, other = ({"examples": name} for name in "ab")
    assert step_fingerprint(TRAINER, config, one, data) != step_fingerprint(
        TRAINER, config, other, data
    )


def test_raw_files_count_for_components_that_read_them(data):
    config = make_config()
    before = [step_fingerprint(c, config, {}, data) for c in (EXAMPLES, TRAINER)]
    (data / "rows.csv").write_text("user_id,item_id,timestamp,click\n")
    after = [step_fingerprint(c, config, {}, data) for c in (EXAMPLES, TRAINER)]
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_data_files_follow_globs_and_directories(data):
    for name in ("a.csv", "b.csv", "c.txt"):
        (data / "part").mkdir(exist_ok=True)
        (data / "part" / name).write_text("x")
    globbed = make_config(source={"impressions": {"path": "part/*.csv"}})
    whole = make_config(source={"impressions": {"path": "part"}})
    assert [name for name, _ in data_files(globbed, data)] == ["part/a.csv", "part/b.csv"]
    assert len(list(data_files(whole, data))) == 3


def test_data_files_may_lie_elsewhere(data, tmp_path):
    for path in (tmp_path / "rows.csv", tmp_path / "*.csv", tmp_path):
        (tmp_path / "rows.csv").write_text("x")
        config = make_config(source={"impressions": {"path": str(path)}})
        assert str(tmp_path / "rows.csv") in [name for name, _ in data_files(config, data)]


def test_the_data_directory_is_no_pattern(tmp_path):
    data = make_data(tmp_path / "logs [2024]")
    config = make_config(source={"impressions": {"path": "*.csv"}})
    assert [name for name, _ in data_files(config, data)] == ["rows.csv"]


@pytest.mark.parametrize("package", ["tensorflow", "keras", "apache-beam", "pyarrow"])
def test_the_versions_of_the_engines_count(data, monkeypatch, package):
    before = step_fingerprint(TRAINER, make_config(), {}, data)
    version = fingerprints.metadata.version
    monkeypatch.setattr(
        fingerprints.metadata, "version", lambda name: "0" if name == package else version(name)
    )
    fingerprints._versions.cache_clear()
    assert step_fingerprint(TRAINER, make_config(), {}, data) != before
    monkeypatch.undo()
    fingerprints._versions.cache_clear()


def test_the_trainer_depends_on_the_precision_that_auto_comes_to(monkeypatch):
    reads = []
    for amx in (True, False):
        monkeypatch.setattr(precision, "bfloat16_flags", lambda amx=amx: amx)
        reads.append(trainer.Trainer.reads(make_config()))
    assert reads[0] != reads[1]


def test_content_fingerprint_sees_content_and_names_but_not_the_marker(tmp_path):
    (tmp_path / "a").write_text("x")
    before = content_fingerprint(tmp_path)
    (tmp_path / ".complete").write_text("{}")
    assert content_fingerprint(tmp_path) == before
    (tmp_path / "a").write_text("y")
    changed = content_fingerprint(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({before, changed, content_fingerprint(tmp_path)}) == 3


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of three modules: `step` imports `near` inside a function, `near` names `far`."""
    root = tmp_path / "project"
    package = root / "pipelines"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "near.py").write_text('LAZY = {"name": "pipelines.far"}\n')
    (package / "far.py").write_text("VALUE = 1\n")
    (package / "unused.py").write_text("VALUE = 1\n")
    (root / "step_module.py").write_text(
        "def execute(context):\n    from pipelines.near import LAZY\n    return LAZY\n"
    )
    monkeypatch.setattr(sources, "_ROOT", root)
    monkeypatch.syspath_prepend(root)
    yield package
    sys.modules.pop("step_module", None)
    shutil.rmtree(root)


def code_of_step() -> dict[str, str]:
    import step_module

    sources._files.cache_clear()
    sources._module.cache_clear()
    return sources.Sources(Contents()).of(step_module.execute)


@pytest.mark.parametrize(("changed", "counts"), [("near", True), ("far", True), ("unused", False)])
def test_source_hash_follows_imports(project: Path, changed: str, counts: bool):
    before = code_of_step()
    with (project / f"{changed}.py").open("a") as file:
        file.write("NEW = 2\n")
    assert (code_of_step() != before) == counts
