"""One component at a time, on the artifacts of a run's directory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fake_pipeline import COMPONENTS, executed, make_config, make_data
from rich.console import Console

from pipelines import runner
from pipelines.artifacts import Artifact, Hyperparameters, Output
from pipelines.components.base import Context, PipelineError, Summary, component
from pipelines.kubeflow.stepping import run_step, upstream

PROGRAM = Path(__file__).with_name("fake_pipeline.py")
RULE = {"task": "click", "metric": "auc", "at_least": 0.5}
CONFIG = make_config(gate=[RULE])


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path / "data")


def step(name, data, config=CONFIG):
    with (data.parent / "console.txt").open("a") as file:
        console = Console(file=file)
        return run_step(name, COMPONENTS, config, data, data.parent / "out", console)


def test_the_steps_one_by_one_are_the_run(data):
    names = [one.name for one in COMPONENTS]
    assert names == ["ExampleGen", "Trainer", "Evaluator", "Pusher"]
    for name in names:
        assert step(name, data).cached is False
    # The evaluator of this pipeline runs every time, also as what the pusher reads.
    assert executed(data.parent / "out")[:3] == ["ExampleGen", "Trainer", "Evaluator"]
    assert step("Trainer", data).cached is True
    whole = data.parent / "whole"
    with (data.parent / "console.txt").open("a") as file:
        runner.run(COMPONENTS, CONFIG, data, whole, Console(file=file))
        again = runner.run(COMPONENTS, CONFIG, data, data.parent / "out", Console(file=file))
    assert [name for name, one in again.steps.items() if not one.cached] == ["Evaluator"]
    for name in ("examples/rows.txt", "model/model.keras", "evaluation/evaluation.json"):
        stepped = (data.parent / "out" / "artifacts" / name).read_bytes()
        assert stepped == (whole / "artifacts" / name).read_bytes()


def test_what_comes_before_must_be_there(data):
    with pytest.raises(PipelineError, match="Trainer needs the artifact of ExampleGen, which has"):
        step("Trainer", data)
    step("ExampleGen", data)
    (data / "rows.csv").write_text("user_id,item_id,timestamp,click\nu,i,1,1\nu,j,2,0\n")
    with pytest.raises(PipelineError, match=r"ExampleGen, which has to run first: .*rows\.csv"):
        step("Trainer", data)
    assert executed(data.parent / "out") == ["ExampleGen"]


def test_an_unknown_component_is_named_with_those_there_are(data):
    with pytest.raises(PipelineError, match=r"no component Trafo .*; there is ExampleGen, Trainer"):
        step("Trafo", data)


def test_a_search_counts_for_what_follows_it():
    class Rows(Artifact):
        name = "rows"

    class Counts(Artifact):
        name = "counts"

    @component()
    def Reader(context: Context, rows: Output[Rows]) -> Summary:
        return {}

    @component()
    def Tuner(context: Context, found: Output[Hyperparameters]) -> Summary:
        return {}

    @component()
    def Counter(context: Context, rows: Rows, counts: Output[Counts]) -> Summary:
        return {}

    steps = (Reader, Tuner, Counter)
    assert upstream(Counter, steps) == (Reader, Tuner)
    assert upstream(Tuner, steps) == ()


def command(*words):
    ended = subprocess.run(
        [sys.executable, str(PROGRAM), "step", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_the_command(data, tmp_path):
    text = json.dumps(CONFIG.model_dump(mode="json"))
    where = ("--config-text", text, "--data", data, "--output", tmp_path / "out")
    code, printed, _ = command("ExampleGen", *where)
    assert code == 0
    assert "1 rows" in printed
    assert (tmp_path / "out" / "report.html").is_file()
    code, _, error = command("Pusher", *where)
    assert code == 1
    assert error.startswith("tfmtl: Pusher needs the artifact of Trainer, which has to run first")
    assert error.count("\n") == 1


@pytest.mark.slow
def test_the_pusher_says_when_nothing_was_pushed(data, tmp_path):
    ungated = json.dumps(make_config().model_dump(mode="json"))
    where = ("--config-text", ungated, "--data", data, "--output", tmp_path / "out")
    for name in ("ExampleGen", "Trainer", "Evaluator"):
        assert command(name, *where)[0] == 0
    code, printed, _ = command("Pusher", *where)
    assert code == 3
    assert "nothing was pushed" in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give one of --config and --config-text"),
        (("--config", "shop", "--config-text", "{}"), "give one of --config and --config-text"),
        (("--config-text", "[1]"), "--config-text: expected keys and values, got list"),
        (("--config-text", "{a"), "--config-text: not YAML"),
        (("--config-text", "{}", "--set", "seed=1"), "changes a --config, not a --config-text"),
        (("--config-text", "{name: x}"), "--config-text: source"),
    ],
)
def test_bad_usage_is_one_line(words, said):
    code, _, error = command("ExampleGen", *words)
    assert code == 2
    assert said in error
    assert error.count("\n") == 1
