"""Interference without training: restricted configurations, examples, changes, advice, output."""

import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from pipelines.cli import main
from pipelines.interference.advice import advise
from pipelines.interference.changes import change, main_metric
from pipelines.interference.checks import check
from pipelines.interference.examples import write_examples
from pipelines.interference.gradients import summarise
from pipelines.interference.models import plan, slug
from pipelines.interference.page import page
from pipelines.interference.restricted import of_scenario, of_task, seeded
from pipelines.interference.text import show
from tfmtl.config import Config, ConfigError, parse

RAW: dict[str, Any] = {
    "name": "tiny",
    "source": {
        "impressions": {"path": "log.csv", "label_times": {"buy": "bought_at"}},
        "items": {"path": "items.csv", "key": "item_id"},
    },
    "features": {
        "user": [{"name": "user_id", "kind": "id"}],
        "item": [{"name": "item_id", "kind": "id"}],
        "history": [{"of": ["item_id"], "where": "click", "last": 3}],
    },
    "scenario": {"column": "scenario", "values": ["search", "feed"]},
    "tasks": {
        "retrieve": {"kind": "retrieval", "positive": "click"},
        "click": {"kind": "binary", "label": "click"},
        "buy": {"kind": "binary", "label": "buy", "after": "click", "scenarios": ["search"]},
        "stars": {"kind": "regression", "label": "stars", "weight": 0.5},
    },
    "model": {"trunk": {"kind": "mmoe"}, "funnel": {"kind": "esmm"}},
    "sampling": {"negatives": [{"task": "click", "keep": 0.5}]},
    "training": {"early_stopping": {"task": "click", "metric": "auc"}, "tensorboard": True},
    "gate": [{"task": "click", "metric": "auc", "at_least": 0.5}],
}


def make_config(**changes: Any) -> Config:
    return parse({**RAW, **changes})


def test_a_model_of_one_task_knows_nothing_of_the_others() -> None:
    config = make_config(
        model={
            **RAW["model"],
            "balancer": {
                "kind": "priority",
                "maximise": "click",
                "subject_to": [{"task": "buy", "metric": "auc", "at_least": 0.6}],
            },
        }
    )
    alone = of_task(config, "buy", seed=11)
    assert list(alone.tasks) == ["buy"]
    assert alone.seed == 11
    assert alone.tasks["buy"].after is None
    assert (alone.model.balancer.kind, alone.model.funnel) == ("static", None)
    assert alone.model.trunk == config.model.trunk
    assert alone.features == config.features
    assert (alone.training.early_stopping.task, alone.training.early_stopping.metric) == (
        None,
        "loss",
    )
    assert alone.training.optimizer == config.training.optimizer
    assert of_task(config, "stars", 1).tasks["stars"].weight == 1.0
    assert of_task(config, "click", 1).training.early_stopping.metric == "auc"
    assert list(of_task(config, "retrieve", 1).tasks) == ["retrieve"]


def test_a_model_of_one_scenario_has_its_tasks() -> None:
    config = make_config()
    assert list(of_scenario(config, "search", 3).tasks) == list(config.tasks)
    feed = of_scenario(config, "feed", 3)
    assert list(feed.tasks) == ["retrieve", "click", "stars"]
    assert feed.model.funnel is None, "no task comes after another one any more"
    assert feed.tasks["stars"].weight == 0.5


def test_the_joint_model_is_the_configured_one_with_its_gradients_measured() -> None:
    config = make_config()
    joint = seeded(config, 9, cosines=4)
    assert (joint.seed, joint.training.gradient_cosines) == (9, 4)
    assert joint.tasks == config.tasks
    assert joint.model == config.model


def write_transformed(directory: Path, columns: Mapping[str, Any]) -> Path:
    for split in ("train", "validation", "test"):
        (directory / split).mkdir(parents=True)
        pq.write_table(pa.table(dict(columns)), directory / split / "part-0.parquet")
    (directory / "vocabularies").mkdir()
    (directory / "vocabularies" / "user_id.parquet").write_bytes(b"users")
    (directory / "moments.json").write_text("{}")
    return directory


COLUMNS = {
    "scenario": pa.array([2, 2, 3, 2], pa.int32()),
    "label/click": pa.array([0.0, 1.0, 0.0, 0.0], pa.float32()),
    "label/buy": pa.array([None, 1.0, None, 1.0], pa.float32()),
    "label/stars": pa.array([None, 4.0, 2.0, None], pa.float32()),
    "meta/positive": pa.array([0.0, 1.0, 0.0, 0.0], pa.float32()),
    "meta/weight": pa.array([1.0, 3.0, 1.0, 2.0], pa.float32()),
}


def test_examples_say_what_the_joint_configuration_says_of_them(tmp_path: Path) -> None:
    rates = pa.array([0.5, 0.5, 0.25, 0.5], pa.float32())
    source = write_transformed(tmp_path / "in", {**COLUMNS, "meta/keep_rate": rates})
    rows = write_examples(make_config(), source, tmp_path / "out")
    assert rows == {"train": 4, "validation": 4, "test": 4}
    table = pq.read_table(tmp_path / "out" / "train")
    # Not clicked in search: not bought; bought without a click is no outcome. Feed has no `buy`.
    assert table["label/buy"].to_pylist() == [0.0, 1.0, None, None]
    # A negative stands for 1 / rate rows, a row with a positive of any task for itself.
    assert table["meta/weight"].to_pylist() == [2.0, 3.0, 4.0, 4.0]
    assert "meta/keep_rate" not in table.column_names
    assert table["label/stars"].to_pylist() == [None, 4.0, 2.0, None]
    assert (tmp_path / "out" / "vocabularies" / "user_id.parquet").read_bytes() == b"users"


def test_examples_that_say_it_already_are_not_written_again(tmp_path: Path) -> None:
    config = make_config(
        tasks={name: RAW["tasks"][name] for name in ("click", "stars")},
        model={},
        source={**RAW["source"], "impressions": {"path": "log.csv"}},
    )
    source = write_transformed(tmp_path / "in", COLUMNS)
    write_examples(config, source, tmp_path / "out")
    one, other = (tmp_path / d / "train" / "part-0.parquet" for d in ("in", "out"))
    assert one.samefile(other)


def test_examples_of_a_scenario_are_its_rows(tmp_path: Path) -> None:
    source = write_transformed(tmp_path / "in", COLUMNS)
    rows = write_examples(make_config(), source, tmp_path / "out", "feed")
    assert rows == {"train": 1, "validation": 1, "test": 1}
    assert pq.read_table(tmp_path / "out" / "train")["label/stars"].to_pylist() == [2.0]


def test_every_model_has_a_component_and_an_artifact_of_its_own() -> None:
    config = make_config()
    steps, models = plan(config, [7, 8], ["click", "buy"], ["feed"])
    assert [step.name for step in steps] == [
        "SingleExamples",
        "Rows[feed]",
        "Joint, seed 7",
        "SingleTask[click], seed 7",
        "SingleTask[buy], seed 7",
        "SingleScenario[feed], seed 7",
        "Joint, seed 8",
        "SingleTask[click], seed 8",
        "SingleTask[buy], seed 8",
        "SingleScenario[feed], seed 8",
    ]
    made = [step.produces for step in steps]
    assert len(set(made)) == len(made)
    assert [of.seed for of in models] == [7, 8]
    assert models[0].tasks["buy"].consumes == ("single_examples", "anomalies")
    assert models[0].joint.consumes == ("transformed", "anomalies")
    reads = [json.dumps(of.tasks["click"].reads(config), sort_keys=True) for of in models]
    assert reads[0] != reads[1], "another seed is another model"


def test_names_of_artifacts_differ_where_names_of_tasks_do() -> None:
    assert slug("click_through") == "click_through"
    slugs = {slug(name) for name in ("Click", "click", "CLICK", "cl-ick", "商品")}
    assert len(slugs) == 5
    assert all(s.replace("_", "a").isalnum() and s == s.lower() and s.isascii() for s in slugs)


def delta(difference: float, low: float | None, high: float | None) -> dict[str, float | None]:
    return {"difference": difference, "low": low, "high": high}


@pytest.mark.parametrize(
    ("metric", "low", "high", "verdict"),
    [
        ("auc", 0.01, 0.03, "gain"),
        ("auc", -0.01, 0.05, "unclear"),
        ("auc", -0.05, -0.01, "loss"),
        ("rmse", 0.01, 0.03, "loss"),
        ("rmse", -0.05, -0.01, "gain"),
        ("auc", None, None, "unclear"),
    ],
)
def test_a_verdict_needs_an_interval_without_zero(
    metric: str, low: float | None, high: float | None, verdict: str
) -> None:
    middle = 0.0 if low is None else (low + high) / 2
    found = change(metric, [0.5], [0.5 + middle], [delta(middle, low, high)])
    assert (found["verdict"], found["low"], found["high"]) == (verdict, low, high)
    assert (found["alone"], found["joint"], found["difference"]) == (0.5, 0.5 + middle, middle)
    assert found["percent"] == pytest.approx(200 * middle)


def test_seeds_widen_an_interval_by_how_far_they_are_apart() -> None:
    deltas = [delta(0.01, 0.00, 0.03), delta(0.03, 0.01, 0.05), delta(0.05, 0.04, 0.07)]
    found = change("auc", [0.6, 0.6, 0.6], [0.61, 0.63, 0.65], deltas)
    # Half widths 0.01, 0.02, 0.01 below and 0.02 each above; the seeds' standard deviation is 0.02.
    seeds = 4.303 * 0.02 / 3**0.5
    below, above = (0.04 / 3) ** 2, 0.02**2
    assert found["difference"] == pytest.approx(0.03)
    assert found["low"] == pytest.approx(0.03 - (below + seeds**2) ** 0.5, abs=1e-5)
    assert found["high"] == pytest.approx(0.03 + (above + seeds**2) ** 0.5, abs=1e-5)
    assert found["verdict"] == "unclear"


def test_an_undefined_figure_has_no_change() -> None:
    assert change("auc", [None], [0.5], [delta(0.0, 0.0, 0.0)]) is None
    assert change("auc", [0.5], [0.5], [{"difference": None, "low": None, "high": None}]) is None


def test_tasks_are_judged_by_the_metric_of_their_kind() -> None:
    config = make_config()
    metrics = {task: main_metric(config, task) for task in config.tasks}
    assert metrics == {"retrieve": "recall@50", "click": "auc", "buy": "auc", "stars": "rmse"}


def test_cosines_are_means_over_steps_and_seeds() -> None:
    def record(step: int, value: float, feed: float | None = None) -> dict[str, Any]:
        by_scenario = {"feed": {} if feed is None else {"click|buy": feed}}
        pairs = {"click|buy": value}
        return {
            "step": step,
            "epoch": step // 5,
            "pairs": pairs,
            "tables": {},
            "by_scenario": by_scenario,
        }

    found = summarise([[record(5, 0.1, 0.5), record(10, 0.3)], [record(5, -0.1), record(10, -0.5)]])
    assert found["pairs"] == {"click|buy": -0.05}
    assert found["by_scenario"] == {"feed": {"click|buy": 0.5}}
    assert [(e["epoch"], e["pairs"]["click|buy"]) for e in found["by_epoch"]] == [
        (1, 0.0),
        (2, -0.1),
    ]
    assert [(s["step"], s["pairs"]["click|buy"]) for s in found["by_step"]] == [
        (5, 0.0),
        (10, -0.1),
    ]


def changed(metric: str, alone: float, joint: float, half: float, verdict: str) -> dict[str, Any]:
    d = joint - alone
    return {
        "metric": metric,
        "alone": alone,
        "joint": joint,
        "difference": d,
        "percent": 100 * d / alone,
        "low": d - half,
        "high": d + half,
        "verdict": verdict,
    }


FOUND: dict[str, Any] = {
    "name": "tiny",
    "seeds": [7],
    "names": {"tasks": list(RAW["tasks"]), "scenarios": ["search", "feed"]},
    "tasks": {
        "retrieve": {
            "metric": "recall@50",
            "lower_is_better": False,
            "overall": changed("recall@50", 0.2, 0.25, 0.01, "gain"),
            "scenarios": {"search": changed("recall@50", 0.2, 0.25, 0.1, "unclear"), "feed": None},
        },
        "click": {
            "metric": "auc",
            "lower_is_better": False,
            "overall": changed("auc", 0.7, 0.72, 0.01, "gain"),
            "scenarios": {},
        },
        "buy": {
            "metric": "auc",
            "lower_is_better": False,
            "overall": changed("auc", 0.8, 0.7, 0.02, "loss"),
            "scenarios": {},
        },
        "stars": {
            "metric": "rmse",
            "lower_is_better": True,
            "overall": changed("rmse", 1.0, 1.01, 0.05, "unclear"),
            "scenarios": {},
        },
    },
    "scenarios": {
        "search": {"click": changed("auc", 0.7, 0.6, 0.01, "loss"), "buy": None},
        "feed": {"click": changed("auc", 0.7, 0.8, 0.01, "gain")},
    },
    "cosines": {
        "pairs": {"click|buy": -0.21, "click|stars": 0.12, "buy|stars": -0.02},
        "tables": {"retrieve|click": 0.3, "retrieve|buy": 0.01},
        "scenarios": {"search|feed": -0.4},
        "by_scenario": {"search": {"click|buy": -0.3}, "feed": {}},
        "by_epoch": [
            {"epoch": 1, "pairs": {"click|buy": 0.5}, "tables": {}, "scenarios": {}},
            {
                "epoch": 2,
                "pairs": {"click|buy": -0.35, "click|stars": 0.1, "buy|stars": -0.02},
                "tables": {},
                "scenarios": {"search|feed": -0.45},
            },
        ],
        "by_step": [
            {"step": 5, "epoch": 1, "pairs": {"click|buy": -0.1}},
            {"step": 10, "epoch": 1, "pairs": {"click|buy": -0.3}},
        ],
    },
    "gates": {
        "split": "validation",
        "rows": 1200,
        "experts": ["expert_0", "expert_1", "expert_2"],
        "tasks": {
            "click": {"overall": [0.58, 0.4, 0.02], "scenarios": {}, "effective": 2.1},
            "buy": {
                "overall": [0.2, 0.75, 0.05],
                "scenarios": {"search": [0.2, 0.75, 0.05]},
                "effective": 2.0,
            },
        },
        "reaches": {t: ["expert_0", "expert_1", "expert_2"] for t in ("click", "buy")},
        "similarity": {"click|buy": 0.7},
    },
    "notes": ["one seed"],
}


def advice(found: Mapping[str, Any] = FOUND, **changes: Any) -> dict[str, str]:
    return {one["about"]: one["text"] for one in advise(make_config(**changes), found)}


def test_advice_follows_the_figures_and_names_them() -> None:
    told = advice()
    assert set(told) == {"retrieve", "click", "buy", "search", "feed", "experts"}, "not of `stars`"
    assert "0.7000 against 0.8000 alone (-0.1000, 95 % -0.1200 to -0.0800)" in told["buy"]
    assert "click (cosine -0.35)" in told["buy"], "as it is at last"
    assert "stars" not in told["buy"], "-0.02 opposes nobody"
    assert "{kind: ple}" in told["buy"]
    assert "pcgrad" in told["buy"]
    assert "stars (+0.12): keep it shared" in told["click"]
    assert "click (+0.30): keep it shared" in told["retrieve"], "what it shares is the tables"
    assert "feed (cosine -0.45)" in told["search"]
    assert "scenario_net: {kind: star}" in told["search"]
    assert "keep it" in told["feed"]
    assert "expert_2 (at most 0.050)" in told["experts"]
    assert "expert_1" not in told["experts"]


def test_advice_knows_what_the_model_has_already() -> None:
    model = {"trunk": {"kind": "ple"}, "balancer": {"kind": "pcgrad"}}
    funnel = {"funnel": {"kind": "esmm"}, "scenario_net": {"kind": "pepnet"}}
    told = advice(model={**model, **funnel})
    assert "task_experts" in told["buy"]
    assert "gradvac" in told["buy"]
    assert "{kind: star}" in told["search"]


def test_a_task_that_loses_without_an_opponent_is_outweighed() -> None:
    last = {"epoch": 2, "pairs": {"click|buy": 0.02, "buy|stars": -0.01}}
    quiet = {**FOUND["cosines"], "by_epoch": [{**last, "tables": {}, "scenarios": {}}]}
    told = advice({**FOUND, "cosines": quiet})
    assert "lowest cosine -0.01, stars" in told["buy"]
    assert "tasks.buy.weight" in told["buy"]


def test_no_advice_where_intervals_hold_zero() -> None:
    unclear = {
        task: {**measured, "overall": {**measured["overall"], "verdict": "unclear"}}
        for task, measured in FOUND["tasks"].items()
    }
    assert advice({**FOUND, "tasks": unclear, "scenarios": {}, "gates": {}}) == {}


def test_the_console_shows_all_of_it_in_80_columns() -> None:
    console = Console(width=200, record=True, file=StringIO())
    show(console, {**FOUND, "advice": advise(make_config(), FOUND)})
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for said in (
        "buy, auc, more is better",
        "stars, rmse, less is better",
        "-0.1000",
        "-0.1200 to -0.0800",
        "-12.50",
        "-0.210",
        "expert_1 0.75",
        "2.0 of 3",
        "note    one seed",
    ):
        assert said in text, said


def test_the_page_shows_all_of_it_and_escapes_names() -> None:
    found = {**FOUND, "name": "<b>tiny</b>", "advice": advise(make_config(), FOUND)}
    text = page(found)
    assert text.startswith("<!doctype html>")
    assert "<b>tiny" not in text
    assert "http" not in text.replace("http://www.w3.org", "")
    for said in ("What to share", "buy: auc", "expert_2", "Gradients", "one seed", "<svg"):
        assert said in text, said


def test_a_page_without_gates_and_gradients_leaves_them_out() -> None:
    cosines = {"pairs": {}, "tables": {}, "scenarios": {}, "by_scenario": {}, "by_step": []}
    cosines["by_epoch"] = []
    text = page({**FOUND, "cosines": cosines, "gates": {}, "scenarios": {}, "advice": []})
    assert "Gradients" not in text
    assert "Experts" not in text
    assert "no interval excludes zero" in text


def test_what_cannot_be_compared_is_refused() -> None:
    config = make_config()
    check(config, None, True)
    check(config, ["buy"], False)
    with pytest.raises(ConfigError, match=r"--task cart: there is no such task; choose among"):
        check(config, ["cart"], False)
    one = {
        "tasks": {"click": RAW["tasks"]["click"]},
        "model": {},
        "source": {"impressions": {"path": "x"}},
    }
    with pytest.raises(ConfigError, match=r"tasks: interference needs at least two, got 'click'"):
        check(make_config(**one), None, False)
    check(make_config(**one), None, True)
    with pytest.raises(ConfigError, match=r"--scenarios: .* at least two scenarios, got \[\]"):
        check(
            make_config(
                scenario=None,
                tasks={"click": RAW["tasks"]["click"], "stars": RAW["tasks"]["stars"]},
                model={},
                source={"impressions": {"path": "x"}},
            ),
            None,
            True,
        )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["shop", "--task", "cart_"], "tfmtl: --task cart_: there is no such task; choose among"),
        (["ml100k", "--scenarios"], "tfmtl: --scenarios: the configuration should have at least"),
        (["shop", "--reuse", "/nowhere"], "tfmtl: Invalid value for --reuse: directory /nowhere"),
    ],
)
def test_bad_usage_is_one_line(
    words: list[str], line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["interference", *words])
    assert ended.value.code == 2
    said = capfd.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert said[0].startswith(line)
