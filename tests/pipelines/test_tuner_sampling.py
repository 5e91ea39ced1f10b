"""Which values are tried, what their trials are worth, and what is remembered of them."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from data_components import shop_config
from searched_shop import make_config

from pipelines.components.base import PipelineError
from pipelines.pipeline import components
from pipelines.tuner import sampling
from pipelines.tuner.measuring import objective
from pipelines.tuner.sampling import check_installed, size, suggest
from pipelines.tuner.table import best_lines
from pipelines.tuner.trials import Trial, Trials, best_of, same_values
from tfmtl.config import ConfigError
from tfmtl.config.tuner import Tuner

TRUNKS = [{"kind": "mmoe", "experts": 2}, {"kind": "ple", "units": [8, 8]}]
AUC = {"task": "click", "metric": "auc"}
RATE = {"low": 1e-4, "high": 1e-2, "log": True}


def tuner(values: dict[str, Any] | None = None, **more: Any) -> Tuner:
    given = {"model.trunk": TRUNKS, "rate": RATE, "dim": {"low": 8, "high": 30, "step": 8}}
    return Tuner.model_validate({"values": given if values is None else values, **more})


def trial(number: int, worth: float | None, values: dict[str, Any] | None = None) -> Trial:
    state = "failed" if worth is None else "complete"
    return Trial(number, values or {"rate": 0.1}, state, worth, {"auc of click": worth or 0}, 1.0)


def searched(search: Tuner, count: int, seed: int = 7) -> list[Trial]:
    """Trials whose worth grows with the rate, but for the third, which fails."""
    done: list[Trial] = []
    while len(done) < count:
        values = suggest(search, seed, done)
        done.append(trial(len(done), None if len(done) == 2 else values["rate"], values))
    return done


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_values_are_those_that_are_asked_for(sampler: str) -> None:
    for done in searched(tuner(sampler=sampler), 14):
        assert done.values["model.trunk"] in TRUNKS
        assert 1e-4 <= done.values["rate"] <= 1e-2
        assert done.values["dim"] in (8, 16, 24)
        assert isinstance(done.values["dim"], int)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_taken_up_again_draws_what_an_unbroken_one_draws(
    sampler: str, tmp_path: Path
) -> None:
    whole = searched(tuner(sampler=sampler), 13)
    records = Trials(tmp_path)
    for done in whole[:12]:
        records.record(done)
    assert suggest(tuner(sampler=sampler), 7, records.read()) == whole[12].values
    assert searched(tuner(sampler=sampler), 13, seed=8)[0].values != whole[0].values


def test_tpe_goes_by_what_the_trials_before_have_shown() -> None:
    def share_of_high(search: Tuner) -> float:
        rates = [done.values["rate"] for done in searched(search, 40)[20:]]
        return sum(rate > 5e-3 for rate in rates) / len(rates)

    assert share_of_high(tuner(sampler="tpe", objective=AUC)) > 0.45
    # On a scale of logarithms 0.15 of what random draws lies there.
    assert share_of_high(tuner(sampler="random", objective=AUC)) < 0.35


def test_a_grid_is_tried_in_order_and_then_ends() -> None:
    values = {
        "a": ["x", "y"],
        "b": {"low": 1, "high": 3},
        "c": {"low": 0.0, "high": 0.5, "step": 0.5},
    }
    search = tuner(values, sampler="grid", trials=50)
    done: list[Trial] = []
    while len(done) < size(search):
        done.append(trial(len(done), 0.5, suggest(search, 7, done)))
    expected = itertools.product(["x", "y"], [1, 2, 3], [0.0, 0.5])
    assert [tuple(one.values.values()) for one in done] == list(expected)
    assert size(tuner(values, sampler="grid", trials=5)) == 5


def test_without_optuna_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PipelineError, match=r"tpe needs Optuna.*pip install 'tfmtl\[tune\]'"):
        check_installed(tuner())
    check_installed(tuner({"a": [1]}, sampler="grid"))


@pytest.mark.parametrize(
    ("goals", "figures", "expected"),
    [
        ([{"task": "click", "metric": "auc"}], [0.7], 0.7),
        ([{"metric": "loss"}], [0.4], 0.4),
        (
            [{"task": "a", "metric": "auc"}, {"task": "b", "metric": "auc", "weight": 3}],
            [0.7, 0.6],
            2.5,
        ),
        (
            [{"task": "a", "metric": "auc"}, {"task": "b", "metric": "rmse", "weight": 0.5}],
            [0.7, 1],
            0.2,
        ),
        ([{"task": "a", "metric": "mae"}, {"task": "b", "metric": "rmse", "weight": 2}], [1, 2], 5),
    ],
)
def test_the_objective_is_a_weighted_sum(
    goals: list[dict[str, Any]], figures: list[float], expected: float
) -> None:
    search = tuner({"a": [1]}, objective=goals)
    titles = [goal.title for goal in search.objective]
    assert objective(search, dict(zip(titles, figures, strict=True))) == pytest.approx(expected)


def test_the_best_trial_is_the_highest_or_the_lowest_and_of_equal_ones_the_first() -> None:
    done = [trial(0, 0.5), trial(1, None), trial(2, 0.9), trial(3, 0.9), trial(4, 0.1)]
    assert [one.number for one in best_of(done, minimise=False)] == [2, 3, 0, 4]
    assert [one.number for one in best_of(done, minimise=True)] == [4, 0, 2, 3]


def test_records_are_read_up_to_the_first_that_is_missing(tmp_path: Path) -> None:
    records = Trials(tmp_path)
    assert records.read() == []
    failed = Trial(1, {"trunk": TRUNKS[1]}, "failed", None, {}, 2.5, "the loss is nan")
    for one in (trial(0, 0.5), failed, trial(3, 0.7)):
        records.record(one)
    assert records.read() == [trial(0, 0.5), failed]
    assert same_values(records.read(), {"trunk": {"units": [8, 8], "kind": "ple"}}) == failed
    assert same_values(records.read(), {"trunk": TRUNKS[0]}) is None


def test_the_table_has_the_best_five() -> None:
    done = [
        trial(n, 0.5 + n / 100, {"model.trunk": TRUNKS[1], "features.user.0.dim": n})
        for n in range(7)
    ]
    lines = best_lines(best_of(done, minimise=False), ["model.trunk", "features.user.0.dim"])
    assert lines == [
        "trial  auc of click  model.trunk       user.0.dim",
        "6      0.5600        ple units [8, 8]  6",
        "5      0.5500        ple units [8, 8]  5",
        "4      0.5400        ple units [8, 8]  4",
        "3      0.5300        ple units [8, 8]  3",
        "2      0.5200        ple units [8, 8]  2",
    ]


def test_what_changes_the_examples_is_refused_before_anything_runs() -> None:
    config = make_config(values={"features.user.0.column": ["user", "device"]})
    with pytest.raises(ConfigError, match=r"'features\.user\.0\.column' cannot be searched: Ex"):
        components(config)
    names = [component.name for component in components(make_config())]
    assert names[:3] == ["ExampleGen", "Tuner", "StatisticsGen"]
    assert "Tuner" not in [c.name for c in components(shop_config())]
