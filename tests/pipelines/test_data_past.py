"""Histories, counts and rates against loops over all pairs of rows: nothing of the future leaks."""

import dataclasses
import json
import tempfile
from pathlib import Path

import numpy as np
import past_oracle
import pyarrow as pa
import pyarrow.parquet as pq
from data_components import run_components
from hypothesis import given, settings
from hypothesis import strategies as st
from past_oracle import Row

from pipelines.preprocess.examples import Examples
from pipelines.preprocess.groupings import groupings
from pipelines.preprocess.log_reading import Batch
from pipelines.preprocess.past import WINDOW, FindInBucket, grouped_columns
from pipelines.preprocess.shards import HISTORY, Job
from tfmtl.config import parse

BRANDS = {"i0": "acme", "i1": "acme", "i2": "zed", "i3": ""}
HISTORIES = {"click_history": (["click"], 3), "acts": (["click", "buy"], 4)}
WINDOWS = {
    "user_clicks": ("count", "click", ["user"], 7, None),
    "user_rows": ("count", "rows", ["user"], 3, None),
    "user_brand_ctr": ("rate", "click", ["user", "brand"], 15, 0.5),
    "item_rows": ("count", "rows", ["item"], 10, None),
    "item_buys": ("count", "buy", ["item", "device"], 6, None),
    "item_ctr": ("rate", "click", ["item"], 12, 3.0),
    "item_cvr": ("rate", "buy", ["item"], 5, 2.0),
    "brand_cvr": ("rate", "buy", ["brand"], 9, 1.0),
    "place_rows": ("count", "rows", ["scenario"], 2, None),
}
CONFIG = parse(
    {
        "name": "tiny",
        "source": {
            "impressions": {
                "path": "log.csv",
                "time": "time",
                "user": "user",
                "item": "item",
                "label_times": {"buy": "bought"},
            },
            "items": {"path": "items.parquet", "key": "item"},
            "feedback_delay": {"click": f"{past_oracle.CLICK_DELAY}s"},
        },
        "features": {
            "user": [{"name": "user_id", "column": "user", "kind": "id"}],
            "item": [
                {"name": "item_id", "column": "item", "kind": "id"},
                {"name": "brand", "kind": "categorical"},
            ],
            "context": [{"name": "device", "kind": "categorical"}],
            "history": [
                {"name": name, "of": ["item_id"], "where": where, "last": last, "gaps": True}
                for name, (where, last) in HISTORIES.items()
            ],
            "windows": [
                {"name": name, "kind": kind, "of": of, "by": by, "window": f"{window}s"}
                | ({"smoothing": smoothing} if smoothing is not None else {})
                for name, (kind, of, by, window, smoothing) in WINDOWS.items()
            ],
        },
        "scenario": {"column": "scenario", "values": ["search", "feed"]},
        "tasks": {
            "click": {"kind": "binary", "label": "click"},
            "buy": {"kind": "binary", "label": "buy"},
        },
        "split": {"validation": "3s", "test": "3s"},
    }
)

labels = st.sampled_from([None, 0.0, 1.0])
drawn_rows = st.lists(
    st.tuples(
        st.sampled_from(["u0", "u1", "u2"]),
        st.sampled_from(sorted(BRANDS)),
        st.sampled_from(["search", "feed"]),
        st.sampled_from(["", "phone"]),
        st.integers(0, 20),
        labels,
        labels,
        st.none() | st.integers(0, 12),
    ),
    min_size=1,
    max_size=30,
)


def as_rows(drawn):
    """Rows of the log; their numbers are in another order than they were drawn in."""
    rows = []
    for place, (user, item, scenario, device, time, click, buy, late) in enumerate(drawn):
        bought = time + late if buy == 1 and late is not None else None
        number = 1 + (place * 7) % 31
        brand = BRANDS[item]
        rows.append(Row(number, user, item, brand, scenario, device, time, click, buy, bought))
    return rows


def found(rows):
    """What the pipeline finds: {row number: {name: value}}."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        write(rows, directory)
        examples = Examples(CONFIG, directory)
        view = examples.logged(Batch(str(directory / "log" / "part-0.parquet"), 0))
        items = np.array([int(item[1:]) for item in view.rows.column("item").to_pylist()])
        splits = pa.array(np.zeros(len(rows), np.int8))
        job = Job(CONFIG, directory, directory, directory, directory, (len(rows), 0, 0))
        result = {row.number: {} for row in rows}
        for grouping in groupings(CONFIG):
            batch = grouped_columns(view, items, splits, grouping, examples, {})
            finder = FindInBucket(grouping, job)
            finder.setup()
            middle = len(rows) // 2
            parts = [part for part in (batch[:middle], batch[middle:]) if part.num_rows]
            for output in finder.process((0, parts)):
                if isinstance(output, pa.RecordBatch):
                    for row in output.to_pylist():
                        result[row["meta/row"]] |= row
        return result


def write(rows, directory):
    """Writes what ExampleGen would leave, and the means of the labels."""
    kept = [(f.name, t) for f, t in zip(dataclasses.fields(Row), TYPES, strict=True)]
    table = pa.Table.from_pylist(
        [dataclasses.asdict(row) for row in rows], schema=pa.schema(kept)
    ).drop_columns(["brand"])
    table = table.rename_columns(["meta/row", *table.column_names[1:]])
    (directory / "log").mkdir()
    pq.write_table(table, directory / "log" / "part-0.parquet")
    items = pa.table({"item": list(BRANDS), "brand": list(BRANDS.values())})
    pq.write_table(items, directory / "items.parquet")
    (directory / "priors.json").write_text(json.dumps(past_oracle.PRIORS))


TEXT = pa.string()
TYPES = [pa.int64(), *[TEXT] * 5, pa.int64(), pa.float32(), pa.float32(), pa.int64()]


def expected(rows, row):
    """What loops find for a row, in the pipeline's form."""
    values = {}
    for name, (where, last) in HISTORIES.items():
        events = past_oracle.history(rows, row, where, last)
        padding = last - len(events)
        values[HISTORY + name] = [int(item[1:]) for item, _, _ in events] + [-1] * padding
        # The first id is that of [0, 1), and each further one of twice the time before.
        ids = [next(n for n in range(40) if gap < 2**n) + 1 for _, _, gap in events]
        values[f"{name}_gaps"] = ids + [0] * padding
        if len(where) > 1:
            kinds = [2 + where.index(label) for _, label, _ in events]
            values[f"{name}_behaviour"] = kinds + [0] * padding
    for name, (kind, of, by, window, smoothing) in WINDOWS.items():
        if kind == "count":
            value = past_oracle.count(rows, row, of, by, window)
        else:
            value = past_oracle.rate(rows, row, of, by, window, smoothing)
        values[WINDOW + name] = np.float32(np.nan if value is None else value)
    return values


@settings(deadline=None, max_examples=30)
@given(drawn_rows)
def test_the_past_equals_loops_over_all_pairs(drawn):
    rows = as_rows(drawn)
    result = found(rows)
    for row in rows:
        for name, value in expected(rows, row).items():
            assert np.array_equal(result[row.number][name], value, equal_nan=True), name


@settings(deadline=None, max_examples=15)
@given(drawn_rows, drawn_rows, st.integers(0, 20))
def test_nothing_that_is_not_known_yet_makes_a_difference(drawn, other, now):
    """Rows before `now` see the same past when everything from `now` on is another."""
    past = [row for row in as_rows(drawn) if row.time < now]
    later = [dataclasses.replace(r, number=100 + r.number) for r in as_rows(other) if r.time >= now]
    # Labels that become known from now on may turn out either way.
    turned = [
        dataclasses.replace(
            row,
            click=1.0 - row.click
            if row.click is not None and row.time + past_oracle.CLICK_DELAY >= now
            else row.click,
            buy=0.0 if row.bought is not None and row.bought >= now else row.buy,
        )
        for row in past
    ]
    if not past:
        return
    one, two = found(past), found(turned + later)
    for row in past:
        assert_alike(one[row.number], two[row.number])


def assert_alike(one, two):
    for name, value in one.items():
        assert np.array_equal(value, two[name], equal_nan=isinstance(value, float)), name


def test_a_rate_never_counts_a_positive_before_its_row():
    """Item `i0` was shown at 1, 2 and 3; the one of 2 was bought at 10."""
    shown = [
        Row(n, "u0", "i0", "acme", "feed", "", n, 0.0, float(n == 2), 10 if n == 2 else None)
        for n in (1, 2, 3)
    ]
    asked = [
        Row(10 + t, "u1", "i0", "acme", "feed", "", t, 0.0, None, None) for t in (4, 7, 10, 11)
    ]
    result = found(shown + asked)
    rates = [result[row.number][WINDOW + "item_cvr"] for row in asked]
    # Smoothed by two rows of the prior 0.5. The window is 5 s: at 4 it holds all three rows, at 7
    # those of 2 and 3, later none; the purchase is known too late for all of them.
    assert rates == [np.float32(value) for value in (1 / 5, 1 / 4, 1 / 2, 1 / 2)]


def test_windows_are_found_where_they_need_no_grouping_of_their_own():
    found_in = {g.key: [w.name for w in g.windows] for g in groupings(CONFIG)}
    assert found_in == {
        "user": ["user_clicks", "user_rows", "user_brand_ctr"],
        "item": ["item_rows", "item_buys", "item_ctr", "item_cvr"],
        "brand": ["brand_cvr"],
        "scenario": ["place_rows"],
    }
    assert [bool(g.histories) for g in groupings(CONFIG)] == [True, False, False, False]


def test_examples_hold_what_the_served_model_makes_of_a_request(tmp_path):
    """The whole way: each row's inputs are those of a request with the past that loops find."""
    import tensorflow as tf

    from tfmtl.preprocessing.preprocessor import Preprocessor

    rng = np.random.default_rng(5)
    drawn = []
    for time in range(1, 201):
        click, buy = (rng.choice([None, 0.0, 1.0], p=[0.1, 0.5, 0.4]) for _ in range(2))
        late = int(rng.integers(0, 30)) if buy == 1 else None
        user, item = f"u{rng.integers(0, 6)}", f"i{rng.integers(0, 4)}"
        scenario, device = rng.choice(["search", "feed"]), rng.choice(["", "phone"])
        drawn.append((user, item, str(scenario), str(device), time // 2, click, buy, late))
    rows = as_rows(drawn)
    rows = [dataclasses.replace(row, number=place) for place, row in enumerate(rows)]
    write_raw(rows, tmp_path / "data")

    ran = run_components(CONFIG, tmp_path / "data", tmp_path / "run")

    # Validation is from 95 on and test from 98: the last time is 100.
    priors = {label: past_oracle.prior(rows, label, 95) for label in past_oracle.PRIORS}
    preprocessor = Preprocessor(CONFIG, ran.directory / "artifacts" / "transformed")
    made = {}
    for split, first, end in (("train", 0, 95), ("validation", 95, 98), ("test", 98, 101)):
        examples = ran.rows(f"transformed/{split}")
        assert len(examples) == sum(first <= row.time < end for row in rows)
        for example in examples:
            made.setdefault((example["meta/user"], example["meta/time"]), []).append(example)
    for row in rows:
        raw = request(rows, row, priors)
        names = list(raw)
        inputs = preprocessor({name: tf.constant(value) for name, value in raw.items()}, names)
        wanted = {name: values.numpy()[0].tolist() for name, values in inputs.items()}
        items = int(row.item[1:])
        found = [
            {name: example[name] for name in names}
            for example in made[row.user, row.time]
            if example["meta/item"] == items
        ]
        assert wanted in found, row


def request(rows, row, priors):
    """What a client would send, knowing what was before."""
    raw = {}
    for name, (where, last) in HISTORIES.items():
        events = past_oracle.history(rows, row, where, last) or [("", "", float("nan"))]
        raw[f"{name}_item_id"] = [[item for item, _, _ in events]]
        raw[f"{name}_gaps"] = [[float(gap) for _, _, gap in events]]
        if len(where) > 1:
            raw[f"{name}_behaviour"] = [[label for _, label, _ in events]]
    for name, (kind, of, by, window, smoothing) in WINDOWS.items():
        if kind == "count":
            value = past_oracle.count(rows, row, of, by, window)
        else:
            value = past_oracle.rate(rows, row, of, by, window, smoothing, priors)
        raw[name] = [float("nan") if value is None else float(value)]
    return raw


def write_raw(rows, data):
    """Writes raw tables."""
    data.mkdir()
    names = [f.name for f in dataclasses.fields(Row) if f.name not in ("number", "brand")]
    lines = [",".join(names)]
    for row in rows:
        values = (getattr(row, name) for name in names)
        lines.append(",".join("" if value is None else str(value) for value in values))
    (data / "log.csv").write_text("\n".join(lines) + "\n")
    items = pa.table({"item": list(BRANDS), "brand": list(BRANDS.values())})
    pq.write_table(items, data / "items.parquet")
