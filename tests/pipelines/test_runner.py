"""The runner: what is skipped, what is run again, and what a run that stops leaves behind."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from fake_pipeline import COMPONENTS, PUBLISHED, executed, make_config, make_data
from rich.console import Console

from pipelines import runner, session
from pipelines.artifacts import Examples, Output
from pipelines.components.base import Context, PipelineError, Summary, component
from pipelines.storage.directories import Marker, mark, read_marker, replacing, sweep
from tfmtl.config import ConfigError

GATE = [{"task": "click", "metric": "auc", "at_least": 0.65}]
SCRIPT = Path(__file__).with_name("fake_pipeline.py")


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path / "data")


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out"


def run(data, output, components=COMPONENTS, **changes):
    console = Console(file=StringIO(), width=100)
    result = runner.run(components, make_config(**changes), data, output, console, PUBLISHED)
    return result, console.file.getvalue()


def hidden(directory):
    return {p.name for p in directory.glob(".*")} - {".lock", ".complete", ".hashes.json"}


def test_first_run_executes_everything_in_order(data, output):
    result, _ = run(data, output)
    assert executed(output) == ["ExampleGen", "Trainer", "Evaluator", "Pusher"]
    assert list(result.steps) == executed(output)
    assert result.steps["ExampleGen"].summary["kept"] == 1
    assert not any(step.cached for step in result.steps.values())


def test_second_run_skips_what_is_cached_and_says_so(data, output):
    run(data, output)
    result, printed = run(data, output)
    assert executed(output)[4:] == ["Evaluator"]  # declared as always run
    assert result.steps["Trainer"].cached
    assert result.steps["Trainer"].summary == {"headline": "lr 0.001"}
    assert "Trainer          cached lr 0.001" in printed


def test_an_uncached_step_with_another_result_runs_what_follows(data, output):
    run(data, output)
    run(data, output, gate=GATE)
    assert executed(output)[4:] == ["Evaluator", "Pusher"]


def test_a_change_of_the_config_runs_the_steps_that_read_it(data, output):
    run(data, output)
    run(data, output, training={"epochs": 9})
    assert executed(output)[4:] == ["Trainer", "Evaluator"]


def test_a_change_of_the_data_runs_everything_below(data, output):
    run(data, output)
    with (data / "rows.csv").open("a") as file:
        file.write("u,j,2,1\n")
    run(data, output)
    assert executed(output)[4:] == ["ExampleGen", "Trainer", "Evaluator"]


def test_other_files_in_the_data_directory_do_not_count(data, output):
    run(data, output)
    (data / "notes.txt").write_text("nothing of ours")
    run(data, output)
    assert executed(output)[4:] == ["Evaluator"]


def test_an_artifact_without_marker_is_made_again(data, output):
    run(data, output)
    (output / "artifacts" / "model" / ".complete").unlink()
    run(data, output)
    assert executed(output)[4:] == ["Trainer", "Evaluator"]


def test_a_refusal_names_the_component_in_one_line_and_the_run_resumes(data, output, monkeypatch):
    monkeypatch.setenv("FAKE_TROUBLE", "Trainer:refuse")
    with pytest.raises(PipelineError) as caught:
        run(data, output)
    assert str(caught.value) == (
        "Trainer: every row is bad, expected at least one good; check the delimiter"
    )
    assert not (output / "artifacts" / "model").exists()
    assert hidden(output / "artifacts") == set()
    monkeypatch.delenv("FAKE_TROUBLE")
    run(data, output)
    assert executed(output)[2:] == ["Trainer", "Evaluator", "Pusher"]


def test_a_failing_step_keeps_the_artifact_of_before(data, output, monkeypatch):
    run(data, output)
    before = (output / "artifacts" / "model" / "model.keras").read_text()
    monkeypatch.setenv("FAKE_TROUBLE", "Trainer:refuse")
    with pytest.raises(PipelineError):
        run(data, output, training={"epochs": 9})
    assert (output / "artifacts" / "model" / "model.keras").read_text() == before


@pytest.mark.parametrize("trouble", ["disk", "wrapped-disk"])
def test_a_full_disk_is_one_line_that_says_where(data, output, monkeypatch, trouble):
    monkeypatch.setenv("FAKE_TROUBLE", f"Trainer:{trouble}")
    with pytest.raises(PipelineError, match=r"the disk is full: .* free space at .*out and run"):
        run(data, output)
    assert hidden(output / "artifacts") == set()


def test_a_disk_that_is_full_for_the_runner_itself(data, output, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(session, "mark", full)
    with pytest.raises(PipelineError, match="the disk is full"):
        run(data, output)


def test_an_unforeseen_error_says_what_and_how_to_see_more(data, output, monkeypatch):
    monkeypatch.setenv("FAKE_TROUBLE", "Trainer:bug")
    with pytest.raises(PipelineError, match=r"Trainer: unexpected KeyError: .*TFMTL_DEBUG=1"):
        run(data, output)


def test_a_mistake_in_the_data_stays_a_config_error(data, output):
    @component()
    def ExampleGen(context: Context, examples: Output[Examples]) -> Summary:
        raise ConfigError("source.items: no column 'price'")

    with pytest.raises(ConfigError, match=r"ExampleGen: source\.items: no column"):
        run(data, output, components=(ExampleGen,))


def test_killed_runs_leave_nothing_once_the_next_has_started(data, output):
    artifacts = output / "artifacts"
    for leftover in (artifacts / ".model.tmp-99999999", output / ".model.old-99999999"):
        leftover.mkdir(parents=True)
        (leftover / "half").write_text("x")
    (output / "model").mkdir()
    run(data, output)
    assert hidden(artifacts) == hidden(output) == set()


def test_an_old_directory_without_successor_is_put_back(tmp_path):
    (tmp_path / ".model.old-7").mkdir()
    (tmp_path / ".model.old-7" / "weights").write_text("old")
    sweep(tmp_path)
    assert (tmp_path / "model" / "weights").read_text() == "old"


def test_replacing_leaves_the_old_directory_when_the_block_raises(tmp_path):
    final = tmp_path / "model"
    with replacing(final) as temporary:
        (temporary / "weights").write_text("old")
    with pytest.raises(FileNotFoundError), replacing(final) as temporary:
        (temporary / "no such folder" / "weights").write_text("new")
    assert (final / "weights").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_summary_with_numpy_numbers_is_kept(tmp_path):
    import numpy as np

    summary = {"rows": np.int64(3), "where": Path("x")}
    mark(tmp_path, Marker("f", 1.0, summary, {}, {}, {}))
    marker = read_marker(tmp_path)
    assert marker is not None
    assert marker.summary == {"rows": 3, "where": "x"}


def test_publishes_copies_that_fine_tuning_may_write_to(data, output):
    run(data, output)
    assert (output / "evaluation.json").is_file()
    (output / "model" / "model.keras").write_text("tuned")
    assert (output / "artifacts" / "model" / "model.keras").read_text() != "tuned"


def test_a_component_must_consume_what_was_produced(data, output):
    with pytest.raises(ValueError, match=r"`Trainer` should consume .* Received: examples"):
        run(data, output, components=COMPONENTS[1:])


def test_metadata_holds_the_lineage(data, output):
    run(data, output)
    run(data, output)
    with sqlite3.connect(output / "metadata.sqlite") as db:
        states = db.execute("SELECT component, state FROM steps WHERE run = 2").fetchall()
        lineage = db.execute(
            "SELECT e.component, v.kind, a.name FROM events v JOIN artifacts a ON a.id = v.artifact"
            " JOIN steps e ON e.id = v.execution WHERE e.run = 1 AND e.component = 'Evaluator'"
        ).fetchall()
        journal = db.execute("PRAGMA journal_mode").fetchone()
    assert states == [
        ("ExampleGen", "CACHED"),
        ("Trainer", "CACHED"),
        ("Evaluator", "COMPLETE"),
        ("Pusher", "CACHED"),
    ]
    assert sorted(lineage) == [
        ("Evaluator", "INPUT", "examples"),
        ("Evaluator", "INPUT", "model"),
        ("Evaluator", "OUTPUT", "evaluation"),
    ]
    assert journal == ("wal",)


def test_metadata_holds_why_a_step_failed(data, output, monkeypatch):
    monkeypatch.setenv("FAKE_TROUBLE", "Trainer:bug")
    with pytest.raises(PipelineError):
        run(data, output)
    with sqlite3.connect(output / "metadata.sqlite") as db:
        rows = db.execute("SELECT state, error FROM steps WHERE component = 'Trainer'")
        ((state, error),) = rows.fetchall()
        assert db.execute("SELECT state FROM runs").fetchall() == [("FAILED",)]
    assert state == "FAILED"
    assert "KeyError: 'nobody foresaw this'" in error


def start_hanging(data, output):
    config = output.parent / "tiny.yaml"
    config.write_text(
        "name: tiny\nsource: {impressions: {path: rows.csv}}\n"
        "features: {item: [{name: item_id, kind: id}]}\n"
        "tasks: {click: {kind: binary, label: click}}\n"
    )
    command = [sys.executable, str(SCRIPT), "run", str(config), "--data", str(data)]
    process = subprocess.Popen(
        [*command, "--output", str(output)],
        env={**os.environ, "FAKE_TROUBLE": "Trainer:hang"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while "hanging" not in process.stdout.readline():
        assert process.poll() is None
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_says_so_and_leaves_nothing_half_made(data, output, number):
    process = start_hanging(data, output)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == (
        "tfmtl: interrupted in Trainer; finished steps are kept, "
        "the same command goes on from there\n"
    )
    assert hidden(output / "artifacts") == set()
    run(data, output)
    assert executed(output)[2:] == ["Trainer", "Evaluator", "Pusher"]


def test_a_second_run_refuses_and_a_killed_one_frees_the_directory(data, output):
    process = start_hanging(data, output)
    try:
        with pytest.raises(PipelineError, match=f"in use by another run \\(process {process.pid}"):
            run(data, output)
    finally:
        process.kill()
        process.communicate(timeout=60)
    assert hidden(output / "artifacts") == {f".model.tmp-{process.pid}"}
    run(data, output)
    assert hidden(output / "artifacts") == set()
    assert executed(output)[2:] == ["Trainer", "Evaluator", "Pusher"]
