"""Sampling: who is left out and repeated is worked out anew here, row by row."""

import math
from collections import Counter

import data_components
import numpy as np
import pyarrow as pa
import pytest
from data_components import run_components, shop_config, write_shop
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.components.base import PipelineError
from pipelines.preprocess.sampling import Candidates, Plan
from pipelines.preprocess.sampling_plan import Counts, make_plan
from pipelines.preprocess.shards import Job, WriteShard
from tfmtl.preprocessing.columns import SPLITS

NAN = math.nan
BINARY = {
    "retrieve": {"kind": "retrieval", "positive": "click"},
    "click": {"kind": "binary", "label": "click"},
    "buy": {"kind": "binary", "label": "buy", "scenarios": ["feed"]},
}


def config(**changes):
    """The shop without histories."""
    features = shop_config().features.model_dump()
    return shop_config(**{"features": {**features, "history": []}, "tasks": BINARY, **changes})


def negatives(*rules):
    return {"sampling": {"negatives": list(rules)}}


def candidates(scenarios, click, buy):
    """Rows of the scenarios 0 (search) and 1 (feed)."""
    click = np.array(click, np.float32)
    labels = {"click": click, "buy": np.array(buy, np.float32), "retrieve": click}
    return Candidates(np.arange(len(click)), np.array(scenarios), labels)


def plan_of(rows, **changes):
    made = config(**changes)
    return make_plan(made, Counts.of(rows, made))


# Search: 1 click among 5. Feed: 2 clicks, and a purchase without a click, among 11: 8 negatives.
SHOP = candidates(
    [0] * 5 + [1] * 11,
    [1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, NAN, NAN],
    [NAN] * 5 + [1, 0, 1, 0, 0, 0, 0, 0, NAN, 0, 0],
)


@pytest.mark.parametrize(
    ("rules", "rates"),
    [
        ([{"task": "click", "keep": 0.25}], [0.25, 0.25]),
        ([{"task": "click", "scenarios": ["feed"], "keep": 0.25}], [1, 0.25]),
        ([{"task": "buy", "keep": 0.25}], [1, 0.25]),  # there are purchases in the feed only
        ([{"task": "click", "per_positive": 2}], [2 * 1 / 4, 2 * 2 / 8]),
        ([{"task": "buy", "per_positive": 1}], [1, 2 / 8]),
        ([{"task": "click", "per_positive": 9}], [1, 1]),
        (
            [{"task": "click", "keep": 0.125}, {"task": "buy", "per_positive": 1}],
            [0.125, 0.25],  # the larger counts
        ),
    ],
)
def test_the_keep_rate_of_each_scenario(rules, rates):
    assert plan_of(SHOP, **negatives(*rules)).keep == pytest.approx(rates)


def test_a_scenario_without_a_positive_keeps_its_negatives():
    rows = candidates([0, 0, 1, 1], [0, 0, 1, 0], [NAN] * 4)
    rule = {"task": "click", "per_positive": 0.5}
    assert plan_of(rows, **negatives(rule)).keep == (1.0, 0.5)


def test_positives_are_kept_and_carry_the_rate_of_the_negatives_around_them():
    made = config(**negatives({"task": "click", "scenarios": ["feed"], "keep": 1e-9}))
    plan = make_plan(made, Counts.of(SHOP, made))
    kept = plan.kept(SHOP, made)
    assert np.flatnonzero(kept).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert plan.rates(SHOP).tolist() == [1] * 5 + [np.float32(1e-9)] * 11


def test_a_contradiction_of_the_funnel_is_a_negative_as_it_is_in_training():
    tasks = {**BINARY, "buy": {"kind": "binary", "label": "buy", "after": "click"}}
    made = config(tasks=tasks, **negatives({"task": "click", "keep": 1e-9}))
    table = {
        "meta/row": [0, 1],
        "meta/positive": [1, 0],
        "scenario": pa.array([2, 3], pa.int32()),
        "label/click": pa.array([1, 0], pa.float32()),
        "label/buy": pa.array([1, 1], pa.float32()),
    }
    rows = Candidates.of_examples(pa.RecordBatch.from_pydict(table), made)
    assert Plan(keep=(1e-9, 1e-9)).kept(rows, made).tolist() == [True, False]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=4), st.floats(1, 20))
def test_resampled_shares_are_those_of_the_formula(sizes, temperature):
    names = [f"s{i}" for i in range(len(sizes))]
    scenario = {"column": "scenario", "values": names}
    tasks = {"click": {"kind": "binary", "label": "click"}}
    made = config(
        scenario=scenario,
        tasks=tasks,
        resampling={"by": "scenario", "temperature": temperature},
    )
    if not sum(sizes):
        return
    counts = Counts()
    counts.rows.update({(i, False, 0): n for i, n in enumerate(sizes)})
    plan = make_plan(made, counts)

    shares = [n / sum(sizes) for n in sizes]
    norm = sum(p ** (1 / temperature) for p in shares)
    wanted = [p ** (1 / temperature) / norm for p in shares]
    found = [n * factor / sum(sizes) for n, factor in zip(sizes, plan.repeat, strict=True)]
    assert found == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("temperature", "repeat"),
    [
        (1, (1.0, 1.0)),  # exactly: no row is left out by rounding
        (2, (17 / (1 + 4), 17 / (4 + 16))),  # of 1 and 16 rows: shares as 1 to 4
        (math.inf, (17 / 2, 17 / 32)),
    ],
)
def test_temperatures(temperature, repeat):
    rows = candidates([0] + [1] * 16, [0] * 17, [NAN] * 17)
    plan = plan_of(rows, resampling={"by": "scenario", "temperature": temperature})
    assert plan.repeat == pytest.approx(repeat, abs=0 if temperature == 1 else 1e-12)


def test_shares_are_counted_after_negatives_were_left_out():
    rows = candidates([0] * 8 + [1] * 4, [0] * 8 + [1] * 4, [NAN] * 12)
    plan = plan_of(
        rows,
        **negatives({"task": "click", "scenarios": ["search"], "keep": 0.25}),
        resampling={"by": "scenario", "temperature": math.inf},
    )
    assert plan.repeat == pytest.approx((6 / 2 / 2, 6 / 2 / 4))
    assert plan.rows == 6


def test_a_row_belongs_to_the_rarest_task_whose_label_it_has():
    # click is known in 5 rows, buy in 3, one row knows neither.
    rows = candidates([1] * 7, [0, 0, 0, 1, 0, NAN, NAN], [NAN, NAN, NAN, 0, 1, 0, NAN])
    plan = plan_of(rows, resampling={"by": "task", "temperature": math.inf})
    assert plan.tasks == ("buy", "click")
    assert plan.repeat == pytest.approx((1.0, 1.0, 1.0))  # three rows each
    rows = candidates([1] * 5, [0, 0, 0, 0, NAN], [NAN, NAN, NAN, 0, NAN])
    plan = plan_of(rows, resampling={"by": "task", "temperature": math.inf})
    assert plan.repeat == pytest.approx((2.0, 2 / 3, 1.0))


def test_whole_repeats_come_always_and_the_rest_by_chance():
    rows = candidates([0] * 20_000, [0] * 20_000, [NAN] * 20_000)
    times = Plan(repeat=(2.25, 1.0)).times(rows, config())
    assert set(times.tolist()) == {2, 3}
    assert times.mean() == pytest.approx(2.25, abs=0.01)
    assert Plan(repeat=(0.25, 1.0)).times(rows, config()).mean() == pytest.approx(0.25, abs=0.01)


def test_who_is_chosen_depends_on_the_row_and_the_seed_alone():
    rows = candidates([0] * 500, [0] * 500, [NAN] * 500)
    plan = Plan(keep=(0.5, 0.5), repeat=(1.5, 1.5))
    every = plan.times(rows, config())
    chosen = np.random.default_rng(0).permutation(500)[:70]
    labels = {task: values[chosen] for task, values in rows.labels.items()}
    part = Candidates(chosen, rows.scenarios[chosen], labels)
    assert plan.times(part, config()).tolist() == every[chosen].tolist()
    assert plan.times(rows, config(seed=8)).tolist() != every.tolist()


def test_being_kept_and_being_repeated_are_independent():
    rows = candidates([0] * 40_000, [0] * 40_000, [NAN] * 40_000)
    times = Plan(keep=(0.5, 0.5), repeat=(1.5, 1.5)).times(rows, config())
    assert np.bincount(times) / 40_000 == pytest.approx([0.5, 0.25, 0.25], abs=0.01)


# Whole components over a log.

ROWS = tuple(
    f"u{i % 7},i{i % 5},{'search' if i % 4 == 0 else 'feed'},,phone,{i},{int(i % 6 == 0)},"
    f"{int(i % 9 == 0)}"
    for i in range(600)
)
SAMPLED = {
    **negatives(
        {"task": "click", "scenarios": ["feed"], "keep": 0.2},
        {"task": "click", "scenarios": ["search"], "per_positive": 1},
    ),
    "resampling": {"by": "scenario", "temperature": 3.0},
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sampling")
    write_shop(folder / "data", ROWS)
    plain = run_components(config(), folder / "data", folder / "plain")
    return plain, run_components(config(**SAMPLED), folder / "data", folder / "sampled")


def counted(run, split):
    return Counter(row["meta/time"] for row in run.rows(f"transformed/{split}"))


def test_validation_and_test_are_untouched(ran):
    plain, sampled = ran
    for split in SPLITS[1:]:
        rows = sampled.rows(f"transformed/{split}")
        assert {row.pop("meta/keep_rate") for row in rows} == {1.0}
        before = plain.rows(f"transformed/{split}")
        for row in (*rows, *before):  # the probability is that of the training rows
            row.pop("meta/sampling_probability")
        assert rows == before


def test_what_is_written_is_what_was_reported(ran):
    plain, sampled = ran
    summary = sampled.summaries["Transform"]["sampling"]
    for when, run in (("before", plain), ("after", sampled)):
        rows = run.rows("transformed/train")
        for name in ("search", "feed"):
            own = [row for row in rows if row["slice/scenario"] == name]
            found = summary["scenarios"][name][when]
            assert found["rows"] == len(own)
            for task, column in (
                ("click", "label/click"),
                ("buy", "label/buy"),
                ("retrieve", "meta/positive"),
            ):
                assert found["positives"][task] == sum(row[column] == 1 for row in own)
                assert found["known"][task] == sum(row[column] is not None for row in own)
    kept, times = counted(plain, "train"), counted(sampled, "train")
    repeated = sum(n - 1 for n in times.values())
    lost = len(kept) - len(times)
    assert summary["repeated"] == repeated
    assert summary["left_out_negatives"] + summary["left_out_to_even"] == lost
    assert repeated > 0
    assert lost > 0


def test_the_rates_in_the_examples(ran):
    plain, sampled = ran
    rows = [row for row in plain.rows("transformed/train") if row["slice/scenario"] == "search"]
    clicks = sum(row["label/click"] for row in rows)
    rates = {"feed": np.float32(0.2), "search": np.float32(clicks / (len(rows) - clicks))}
    for row in sampled.rows("transformed/train"):
        assert row["meta/keep_rate"] == rates[row["slice/scenario"]]


def test_copies_are_not_neighbours(ran):
    _, sampled = ran
    times = sampled.table("transformed/train").column("meta/time").to_numpy()
    assert (times[1:] == times[:-1]).mean() < 0.05


def test_sampling_probabilities_are_those_of_the_resampled_positives(ran):
    _, sampled = ran
    items = sampled.rows("transformed/catalogue.parquet")
    positives = Counter(
        row["meta/item"] for row in sampled.rows("transformed/train") if row["meta/positive"]
    )
    total = sum(positives.values())
    for place, item in enumerate(items):
        share = max(positives[place], 0.5) / total
        assert item["meta/sampling_probability"] == pytest.approx(share)


def test_the_table_is_printed(ran):
    lines = ran[1].summaries["Transform"]["lines"]
    header = " ".join(lines[0].split())
    assert header == "scenario rows share click rate buy rate retrieve rate"
    before = ran[1].summaries["Transform"]["sampling"]["scenarios"]["feed"]["before"]["rows"]
    assert f"feed, before {before}" in " ".join(lines[3].split())
    assert lines[-2].startswith("share of the negatives that is kept: search 0.")
    assert lines[-1].startswith("rows come so many times, by scenario: search ")


def test_without_a_training_row_left_the_run_stops(tmp_path, monkeypatch):
    # ExampleValidator, which would stop labels that are always 0, is left out.
    components = [c for c in data_components.COMPONENTS if c.name != "ExampleValidator"]
    monkeypatch.setattr(data_components, "COMPONENTS", components)
    write_shop(tmp_path / "data", tuple(f"u1,i1,feed,,phone,{i},0,0" for i in range(50)))
    made = config(**negatives({"task": "click", "keep": 1e-9}))
    with pytest.raises(PipelineError, match=r"sampling: no row is left for training; keep more"):
        run_components(made, tmp_path / "data", tmp_path / "run")


def test_the_order_in_which_rows_arrive_does_not_change_a_shard(ran, tmp_path):
    _, sampled = ran
    artifacts = sampled.directory / "artifacts"
    count = 300
    rows = pa.RecordBatch.from_pydict(
        {
            "scenario": pa.array(np.arange(count) % 2 + 2, pa.int32()),
            "label/click": (np.arange(count) % 5 == 0).astype(np.float32),
            "label/buy": np.zeros(count, np.float32),
            "meta/positive": (np.arange(count) % 5 == 0).astype(np.int8),
            "meta/item": np.zeros(count, np.int32),
            "meta/row": np.arange(count),
            "work/split": np.zeros(count, np.int8),
        }
    )
    plan = Plan(keep=(0.5, 0.7), repeat=(2.5, 0.8), rows=400)
    written = []
    for name, parts in (("one", [rows[:90], rows[90:]]), ("two", [rows[90:], rows[:90]])):
        output = tmp_path / name
        output.mkdir()
        catalogue = artifacts / "transformed" / "catalogue.parquet"
        (output / "catalogue.parquet").write_bytes(catalogue.read_bytes())
        counts = (count, 0, 0)
        job = Job(sampled.config, artifacts / "examples", tmp_path, output, tmp_path, counts, plan)
        writer = WriteShard(job)
        writer.setup()
        list(writer.process((0, parts)))
        written.append((output / "train" / "part-00000.parquet").read_bytes())

    assert written[0] == written[1]


@pytest.mark.parametrize(
    "split",
    [
        {
            "by": "column",
            "column": "device",
            "train": ["phone"],
            "validation": ["watch"],
            "test": ["tablet"],
        },
        {"by": "user", "validation": 0, "test": 0.4},
    ],
    ids=["column", "user"],
)
def test_training_rows_are_counted_whatever_divides_the_splits(split, tmp_path):
    devices = ("phone", "tablet", "watch", "phone", "phone")
    rows = tuple(row.replace("phone", devices[i % 5]) for i, row in enumerate(ROWS))
    write_shop(tmp_path / "data", rows)
    rule = {"task": "click", "scenarios": ["feed"], "per_positive": 1}

    ran = run_components(
        config(split=split, **negatives(rule)), tmp_path / "data", tmp_path / "run"
    )

    scenarios = ran.summaries["Transform"]["sampling"]["scenarios"]
    assert scenarios["search"]["keep_rate"] == 1
    before, after = (scenarios["feed"][when] for when in ("before", "after"))
    positives, kept = before["positives"]["click"], after["rows"]
    assert after["positives"] == before["positives"]
    # A purchase without a click is a positive, too.
    bought = sum(
        row["label/buy"] == 1 and row["label/click"] == 0 for row in ran.rows("transformed/train")
    )
    rate = positives / (before["rows"] - positives - bought)
    assert scenarios["feed"]["keep_rate"] == np.float32(rate)
    assert kept == pytest.approx(2 * positives + bought, abs=4 * positives**0.5)
