"""The metadata store: what is remembered of runs, and what of those that were killed."""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from fake_pipeline import COMPONENTS, PUBLISHED, make_config, make_data
from rich.console import Console

from pipelines import runner
from pipelines.components.base import PipelineError
from pipelines.metadata import DataFile, Store, StoreError, reading
from pipelines.metadata.observed import code_version

CONFIG = "name: shop\ntraining: {epochs: 3}\n"


@pytest.fixture
def home(tmp_path):
    (tmp_path / "artifacts").mkdir()
    return tmp_path


@pytest.fixture
def store(home):
    with Store(home / "metadata.sqlite") as store:
        yield store


def artifact(home, name, **files):
    directory = home / "artifacts" / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for stem, content in files.items():
        (directory / f"{stem}.json").write_text(json.dumps(content))
    return directory


def step(store, home, run, component, name, *, inputs=(), identity="a", state="COMPLETE", **more):
    """Records a step from beginning to end; its id."""
    path = home / "artifacts" / name
    if not path.is_dir():
        artifact(home, name)
    makes = (name, path) if state == "COMPLETE" else None
    execution = store.start(
        run, component, more.pop("fingerprint", f"f-{identity}"), inputs, makes=makes, **more
    )
    store.end(execution, state, {"headline": f"{component} done"}, (name, path, identity))
    return execution


def rows(home, query):
    with sqlite3.connect(home / "metadata.sqlite") as db:
        return db.execute(query).fetchall()


def test_a_run_is_remembered_with_its_config_code_and_versions(store, home):
    number = store.start_run(CONFIG, Path("/logs"), experiment="wider")
    execution = step(
        store, home, number, "ExampleGen", "examples", parameters={"source": {"path": "*.csv"}}
    )
    store.end_run(number, "COMPLETE")
    run = store.last_run()
    assert (run.number, run.state, run.config, run.data) == (1, "COMPLETE", CONFIG, "/logs")
    assert run.started <= run.executions[0].started <= run.executions[0].ended <= run.ended
    assert run.properties["config_hash"] == hashlib.sha256(CONFIG.encode()).hexdigest()
    assert run.properties["experiment"] == "wider"
    assert set(run.properties["versions"]) == {"tfmtl", "tensorflow", "keras", "apache-beam"}
    (made,) = run.executions
    assert (made.component, made.state, made.id, made.run) == (
        "ExampleGen",
        "COMPLETE",
        execution,
        1,
    )
    assert made.parameters == {"source": {"path": "*.csv"}}
    assert made.summary == {"headline": "ExampleGen done"}
    assert made.peak_memory > 10_000_000


def test_the_tables_follow_ml_metadata(store, home):
    for experiment in ("wider", "wider", None):
        number = store.start_run(CONFIG, home, experiment)
        step(store, home, number, "ExampleGen", "examples", files=[DataFile("a.csv", 3, "5")])
        store.end_run(number, "COMPLETE")
    contexts = "SELECT t.name, c.name FROM contexts c JOIN types t ON t.id = c.type ORDER BY c.id"
    assert rows(home, contexts) == [
        ("run", "1"),
        ("pipeline", "shop"),
        ("experiment", "wider"),
        ("run", "2"),
        ("run", "3"),
    ]
    parents = (
        "SELECT c.name, p.name FROM parents x JOIN contexts c ON c.id = x.context "
        "JOIN contexts p ON p.id = x.parent ORDER BY c.name, p.name"
    )
    assert rows(home, parents) == [
        ("1", "shop"),
        ("1", "wider"),
        ("2", "shop"),
        ("2", "wider"),
        ("3", "shop"),
    ]
    types = "SELECT name FROM types WHERE kind = '{}' ORDER BY name"
    assert rows(home, types.format("ARTIFACT")) == [("Examples",), ("RawFile",)]
    assert rows(home, types.format("EXECUTION")) == [("ExampleGen",)]
    assert rows(home, "SELECT COUNT(*) FROM associations") == [(3,)]
    # Three makings of the examples, each in its run; the raw file is made by none.
    assert rows(home, "SELECT COUNT(*) FROM attributions") == [(3,)]
    assert rows(home, "PRAGMA journal_mode") == [("wal",)]


def test_an_artifact_is_pending_then_live_then_replaced(store, home):
    number = store.start_run(CONFIG, home)
    path = artifact(home, "model")
    execution = store.start(number, "Trainer", "f", [], makes=("model", path))
    assert [one.state for one in store.artifacts("model")] == ["PENDING"]
    store.end(execution, "COMPLETE", {}, ("model", path, "a"))
    assert [one.state for one in store.artifacts("model")] == ["LIVE"]
    step(store, home, number, "Trainer", "model", identity="b")
    first, second = store.artifacts("model")
    assert (first.state, first.identity) == ("DELETED", "a")
    assert (second.state, second.identity) == ("LIVE", "b")
    assert second.uri == "artifacts/model"
    assert second.type == "Model"


def test_a_cached_step_refers_to_what_was_made_before(store, home):
    first = store.start_run(CONFIG, home)
    maker = step(store, home, first, "Trainer", "model")
    second = store.start_run(CONFIG, home)
    step(store, home, second, "Trainer", "model", state="CACHED")
    (model,) = store.artifacts("model")
    assert store.maker(model.id).id == maker
    assert store.results(second) == {"model": model}
    assert store.run(second).executions[0].peak_memory is None, "it did nothing"


def test_a_step_reads_the_artifact_that_is_there(store, home):
    number = store.start_run(CONFIG, home)
    for identity in ("a", "b", "a"):
        step(store, home, number, "ExampleGen", "examples", identity=identity)
    inputs = [("examples", home / "artifacts" / "examples", "a")]
    trainer = step(store, home, number, "Trainer", "model", inputs=inputs)
    assert store.inputs(trainer) == [store.artifacts("examples")[2]]
    assert [one.id for one in store.users(store.artifacts("examples")[2].id)] == [trainer]
    assert store.users(store.artifacts("examples")[0].id) == []


def test_raw_files_are_inputs_told_apart_by_their_content(store, home):
    number = store.start_run(CONFIG, home)
    before = [DataFile("a.csv", 3, "5e"), DataFile("b.csv", 4, "77")]
    first = step(store, home, number, "ExampleGen", "examples", files=before)
    after = [DataFile("a.csv", 3, "aa"), DataFile("b.csv", 4, "77")]
    second = step(store, home, number, "ExampleGen", "examples", identity="b", files=after)
    known = {one.identity: one.id for one in store.artifacts() if one.type == "RawFile"}
    assert [one.id for one in store.inputs(first)] == [known["5e"], known["77"]]
    assert [one.id for one in store.inputs(second)] == [known["77"], known["aa"]]
    assert store.artifact(known["77"]).properties == {"bytes": 4, "sha256": "77"}


def test_metrics_and_versions_outlive_the_files_that_told_them(store, home):
    for number, auc in ((1, 0.6), (2, 0.7)):
        assert store.start_run(CONFIG, home) == number
        tasks = {"click": {"overall": {"auc": auc}, "slices": {"scenario": {}}}}
        artifact(home, "evaluation", evaluation={"tasks": tasks, "blessed": auc > 0.65})
        artifact(home, "pushed", pushed={"name": "shop", "version": number})
        step(store, home, number, "Evaluator", "evaluation", identity=str(auc))
        step(store, home, number, "Pusher", "pushed", identity=str(auc))
    before, now = (store.results(number) for number in (1, 2))
    assert before["evaluation"].properties["metrics"] == {"click": {"auc": 0.6}}
    assert before["evaluation"].properties["blessed"] is False
    assert now["evaluation"].properties["metrics"] == {"click": {"auc": 0.7}}
    assert before["pushed"].properties["version"] == 1
    assert before["pushed"].properties["files"] == 1
    assert before["pushed"].properties["bytes"] == len('{"name": "shop", "version": 1}')


def test_a_failed_step_leaves_its_error_and_no_artifact(store, home):
    number = store.start_run(CONFIG, home)
    execution = store.start(number, "Trainer", "f", [], makes=("model", home / "model"))
    store.fail(execution, "ValueError: no rows")
    store.end_run(number, "FAILED")
    failed = store.execution(execution)
    assert (failed.state, failed.error) == ("FAILED", "ValueError: no rows")
    assert failed.ended is not None
    assert [one.state for one in store.artifacts("model")] == ["ABANDONED"]


def test_a_killed_run_is_closed_by_the_next(home):
    with Store(home / "metadata.sqlite") as store:
        number = store.start_run(CONFIG, home)
        execution = store.start(number, "Trainer", "f", [], makes=("model", home / "model"))
    with Store(home / "metadata.sqlite") as store:
        assert store.last_run().state == "RUNNING"
        store.start_run(CONFIG, home)
        killed = store.run(number)
        assert (killed.state, killed.ended) == ("FAILED", None)
        assert killed.executions[0].error == "killed"
        assert store.execution(execution).state == "FAILED"
        assert [one.state for one in store.artifacts()] == ["ABANDONED"]


def test_what_was_done_when_the_kill_came_is_known_by_its_maker(home):
    """Killed between the artifact's rename and its record: the next run finds it whole."""
    with Store(home / "metadata.sqlite") as store:
        number = store.start_run(CONFIG, home)
        files = [DataFile("a.csv", 3, "5e")]
        makes = ("examples", artifact(home, "examples"))
        killed = store.start(number, "ExampleGen", "f", [], files=files, makes=makes)
    with Store(home / "metadata.sqlite") as store:
        number = store.start_run(CONFIG, home)
        step(store, home, number, "ExampleGen", "examples", fingerprint="f", state="CACHED")
        (examples,) = store.artifacts("examples")
        assert (examples.state, examples.identity) == ("LIVE", "a")
        assert store.maker(examples.id).id == killed
        assert [one.name for one in store.inputs(killed)] == ["a.csv"]


def test_what_another_kill_left_is_not_taken_for_it(home):
    with Store(home / "metadata.sqlite") as store:
        number = store.start_run(CONFIG, home)
        store.start(
            number, "ExampleGen", "other", [], makes=("examples", artifact(home, "examples"))
        )
    with Store(home / "metadata.sqlite") as store:
        number = store.start_run(CONFIG, home)
        step(store, home, number, "ExampleGen", "examples", fingerprint="f", state="CACHED")
        assert [one.state for one in store.artifacts("examples")] == ["ABANDONED", "LIVE"]
        assert store.maker(store.artifacts("examples")[1].id) is None


def test_readers_do_not_wait_for_the_writer(store, home):
    number = store.start_run(CONFIG, home)
    with sqlite3.connect(home / "metadata.sqlite", isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM associations")
        with reading(home / "metadata.sqlite") as reader:
            assert reader.last_run().number == number
        writer.execute("ROLLBACK")


def test_a_moved_directory_keeps_its_lineage(store, home, tmp_path_factory):
    number = store.start_run(CONFIG, home)
    step(store, home, number, "Trainer", "model")
    store._db.close()
    moved = tmp_path_factory.mktemp("elsewhere") / "run"
    shutil.copytree(home, moved)
    with Store(moved / "metadata.sqlite") as store:
        number = store.start_run(CONFIG, home)
        step(store, moved, number, "Trainer", "model", identity="b")
        assert [one.state for one in store.artifacts("model")] == ["DELETED", "LIVE"]


def test_a_reader_writes_nothing(store, home):
    with pytest.raises(StoreError, match="readonly"), reading(home / "metadata.sqlite") as reader:
        reader._db.execute("DELETE FROM types")


def git(directory, *words):
    identity = {
        f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull}
    ran = subprocess.run(
        ["git", *words], cwd=directory, env=environment, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    git(tmp_path, "init", "--quiet")
    (tmp_path / "model.py").write_text("1")
    (tmp_path / "deep" / "down").mkdir(parents=True)
    return tmp_path


def commit(repository):
    git(repository, "add", "model.py")
    git(repository, "commit", "--quiet", "--message", "first")
    return git(repository, "rev-parse", "HEAD")


def test_the_commit_and_whether_files_differ_from_it(repository):
    assert code_version(repository) is None, "there is no commit yet"
    made = commit(repository)
    (repository / "out").write_text("what git does not know does not count")
    assert code_version(repository / "deep" / "down") == {"commit": made, "dirty": False}
    (repository / "model.py").write_text("2")
    assert code_version(repository) == {"commit": made, "dirty": True}


@pytest.mark.parametrize("shape", ["loose", "packed", "detached", "worktree"])
def test_the_commit_without_git_itself(repository, monkeypatch, tmp_path, shape):
    made, place = commit(repository), repository / "deep"
    if shape == "packed":
        git(repository, "pack-refs", "--all")
    if shape == "detached":
        git(repository, "checkout", "--quiet", "--detach")
    if shape == "worktree":
        place = tmp_path / "deep" / "tree"
        git(repository, "worktree", "add", "--quiet", "-b", "side", str(place))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert code_version(place) == {"commit": made, "dirty": None}


@pytest.mark.parametrize("path", [os.environ.get("PATH", ""), "/nowhere"])
def test_no_repository_no_commit(tmp_path, monkeypatch, path):
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert code_version(tmp_path) is None


HELD = """
import os
from pipelines.metadata.observed import peak_memory
before = peak_memory()
held = bytearray(os.urandom(1)) * 200_000_000
print(peak_memory() - before)
del held
print(peak_memory() - before)
"""


def test_peak_memory_grows_with_what_is_held():
    # In a process of its own: this one may have held more before.
    done = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=True)
    while_held, afterwards = map(int, done.stdout.split())
    assert while_held > 100_000_000
    assert afterwards > 100_000_000, "it is the peak, not what is held now"


def test_a_run_that_cannot_be_published_has_failed(tmp_path):
    data, output = make_data(tmp_path / "data"), tmp_path / "out"
    (output / "model").mkdir(parents=True)
    (output / "evaluation.json").mkdir()  # where a file is to be
    with pytest.raises(PipelineError, match=r"evaluation\.json"):
        runner.run(COMPONENTS, make_config(), data, output, Console(file=StringIO()), PUBLISHED)
    with reading(output / "metadata.sqlite") as reader:
        assert reader.last_run().state == "FAILED"
        assert {one.state for one in reader.last_run().executions} == {"COMPLETE"}


def test_the_runner_hands_on_files_parameters_and_the_experiment(tmp_path):
    data, output, console = make_data(tmp_path / "data"), tmp_path / "out", Console(file=StringIO())
    runner.run(COMPONENTS, make_config(), data, output, console, experiment="wider")
    with reading(output / "metadata.sqlite") as reader:
        run = reader.last_run()
        assert run.properties["experiment"] == "wider"
        assert run.executions[1].parameters["epochs"] == make_config().training.epochs
        (raw,) = reader.inputs(run.executions[0].id)
    content = (data / "rows.csv").read_bytes()
    assert (raw.name, raw.properties) == (
        "rows.csv",
        {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()},
    )
