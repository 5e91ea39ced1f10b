"""Whole searches over a small shop: what they try, go by, keep, and survive."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import searched_shop
import yaml
from searched_shop import RATE, VALUES, make_config, search, write_data

from pipelines.artifacts import Model
from pipelines.components.base import PipelineError
from pipelines.session import RunResult
from pipelines.tuner import search as searching
from tfmtl.config import Config, load
from tfmtl.training.errors import DivergedError

pytestmark = pytest.mark.slow


@dataclass
class Searched:
    """A search that is over."""

    home: Path
    result: RunResult

    @property
    def artifact(self) -> Path:
        return self.home / "out" / "artifacts" / "hyperparameters"

    @property
    def trials(self) -> list[dict[str, Any]]:
        return json.loads((self.artifact / "trials.json").read_bytes())["trials"]


def run(home: Path, config: Config | None = None, artifact: Any = Model) -> Searched:
    if not (home / "data").exists():
        write_data(home / "data")
    return Searched(home, search(home, config or make_config(), artifact))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    return run(tmp_path_factory.mktemp("unbroken"))


def test_every_trial_has_values_that_were_asked_for_and_a_figure(unbroken: Searched) -> None:
    assert [trial["number"] for trial in unbroken.trials] == [0, 1, 2]
    for trial in unbroken.trials:
        assert trial["state"] == "complete"
        assert trial["values"]["model.trunk"] in VALUES["model.trunk"]
        assert 1e-3 <= trial["values"][RATE] <= 1e-1
        assert 0 <= trial["objective"] == trial["figures"]["auc of click"] <= 1
        assert trial["seconds"] > 0
    summary = unbroken.result.steps["Tuner"].summary
    assert summary["headline"].startswith("3 trials, best is ")
    assert len(summary["lines"]) == 4


def test_the_best_values_are_those_of_the_best_trial_and_the_config_has_them(
    unbroken: Searched,
) -> None:
    best = max(unbroken.trials, key=lambda trial: trial["objective"])
    assert yaml.safe_load((unbroken.artifact / "best.yaml").read_text()) == best["values"]
    config = load(unbroken.artifact / "config.yaml")
    assert config.tuner is None
    assert config.training.optimizer.dense.learning_rate == best["values"][RATE]
    assert config.model.trunk.kind == best["values"]["model.trunk"]["kind"]
    assert load(unbroken.home / "out" / "artifacts" / "model" / "config.yaml") == config


def test_the_main_run_makes_nothing_again(unbroken: Searched) -> None:
    steps = unbroken.result.steps
    assert [name for name, step in steps.items() if not step.cached] == ["ExampleGen", "Tuner"]
    trained = [unbroken.home / "out" / "artifacts" / "model" / "model.keras"]
    trained.append(unbroken.artifact / "best" / "artifacts" / "model" / "model.keras")
    assert trained[0].samefile(trained[1])
    assert not list((unbroken.home / "out" / "artifacts").glob(".work*"))


def area(labels: np.ndarray, scores: np.ndarray) -> float:
    """The share of pairs of a positive and a negative that are in order, ties by half."""
    pairs = [(p, n) for p in scores[labels == 1] for n in scores[labels == 0]]
    return float(np.mean([1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs]))


def test_the_figure_is_that_of_the_validation_rows_and_not_of_the_test(unbroken: Searched) -> None:
    from tfmtl.models.saved import load_model

    artifacts = unbroken.home / "out" / "artifacts"
    model = load_model(artifacts / "model")
    areas = {}
    for split in ("validation", "test"):
        rows = pq.read_table(artifacts / "transformed" / split)
        inputs = {}
        for name, spec in model.inputs_spec.items():
            values = np.array(rows[name].to_pylist(), spec.dtype.as_numpy_dtype)
            inputs[name] = values
        areas[split] = area(rows["label/click"].to_numpy(), model.rank(inputs)["click"].numpy())
    best = max(trial["objective"] for trial in unbroken.trials)
    assert best == pytest.approx(areas["validation"], abs=1e-9)
    assert abs(areas["validation"] - areas["test"]) > 0.01


def test_other_test_rows_change_nothing(unbroken: Searched, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    lines = (data / "log.csv").read_text().splitlines()
    for place in range(131, 161):  # times 130 to 159 are the test's
        fields = lines[place].split(",")
        assert int(fields[5]) >= 130
        fields[6], fields[7] = "1" if fields[6] == "0" else "0", "0"
        lines[place] = ",".join(fields)
    (data / "log.csv").write_text("\n".join(lines) + "\n")
    other = run(tmp_path)
    assert [t["objective"] for t in other.trials] == [t["objective"] for t in unbroken.trials]


@pytest.mark.parametrize("trial", [0, 2])
def test_a_killed_search_ends_as_an_unbroken_one(
    unbroken: Searched, tmp_path: Path, trial: int
) -> None:
    write_data(tmp_path / "data")
    killed = subprocess.run(
        [sys.executable, searched_shop.__file__, str(tmp_path), str(trial)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    records = tmp_path.glob("out/artifacts/.work-hyperparameters/*/trials/*.json")
    before = {path.name: path.stat().st_mtime_ns for path in records}
    assert len(before) == trial
    after = run(tmp_path)
    for one, other in zip(after.trials, unbroken.trials, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    models = [s.home / "out" / "artifacts" / "model" for s in (after, unbroken)]
    assert (
        models[0].joinpath("config.yaml").read_bytes()
        == models[1].joinpath("config.yaml").read_bytes()
    )


def test_a_trial_that_fails_is_recorded_and_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfmtl.training import artifact

    make, count = artifact.make_model, 0

    def diverging(*arguments: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count == 1:
            raise DivergedError("task click: the loss is nan at step 3; lower the learning rate")
        return make(*arguments, **named)

    monkeypatch.setattr(artifact, "make_model", diverging)
    after = run(tmp_path, make_config(trials=2))
    assert [trial["state"] for trial in after.trials] == ["failed", "complete"]
    assert "the loss is nan at step 3" in after.trials[0]["error"]
    assert after.trials[0]["objective"] is None
    assert "2 trials, 1 failed, best is 1" in after.result.steps["Tuner"].summary["headline"]


def test_where_all_trials_fail_one_line_says_why_and_the_next_run_tries_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfmtl.training import artifact

    def diverging(*arguments: Any, **named: Any) -> Any:
        raise DivergedError("task click: the loss is nan")

    with monkeypatch.context() as patched:
        patched.setattr(artifact, "make_model", diverging)
        with pytest.raises(PipelineError) as error:
            run(tmp_path, make_config(trials=2))
    expected = "Tuner: all 2 trials failed; the first: Trainer: task click: the loss is nan"
    assert str(error.value) == expected
    assert len(run(tmp_path, make_config(trials=1)).trials) == 1


def test_values_tried_before_are_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Path] = []
    original = searching.run

    def counted(steps: Any, config: Any, data: Any, output: Path, *more: Any, **named: Any) -> Any:
        runs.append(output)
        return original(steps, config, data, output, *more, **named)

    monkeypatch.setattr(searching, "run", counted)
    values = {"model.trunk.kind": ["shared_bottom"]}
    after = run(tmp_path, make_config(values=values, trials=3, sampler="random"))
    assert len(runs) == 1
    assert len({trial["objective"] for trial in after.trials}) == 1
    assert [trial["seconds"] for trial in after.trials[1:]] == [0, 0]


def test_no_trial_begins_after_the_time_is_over(tmp_path: Path) -> None:
    assert len(run(tmp_path, make_config(trials=9, timeout="1s")).trials) == 1
