"""Events that are predicted from those before them: labels and inputs against loops over all pairs,
and nothing of the event itself, or of later ones, among the inputs."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_components import run_components
from hypothesis import given, settings
from hypothesis import strategies as st
from next_event_oracle import KINDS, Event, before, gap, gap_ids

from pipelines.components.base import PipelineError
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.groupings import groupings
from pipelines.preprocess.log_reading import Batch
from pipelines.preprocess.next_events import with_labels
from pipelines.preprocess.past import WINDOW, FindInBucket, grouped_columns
from pipelines.preprocess.shards import HISTORY, Job
from tfmtl.config import Config, parse
from tfmtl.preprocessing.tables import read_vocabulary

LAST = 4
# Of the last second is 1000: validation from 801, test from 901.
LOG = (
    "ann,cup,pv,home,20,100",
    "ann,cup,cart,home,21,130",
    "ann,pot,pv,bus,5,190",
    "ann,pot,buy,bus,5,190",
    "bob,cup,pv,,,150",
    "ann,tea,pv,home,19,850",
    "ann,tea,cart,home,,1000",
)


def config(known: tuple[str, ...] = (), **changes: Any) -> Config:
    raw = {
        "name": "shop",
        "source": {
            "events": {
                "path": "events.csv",
                "time": "time",
                "user": "user",
                "item": "item",
                "event": "what",
                "labels": {kind: [kind] for kind in KINDS},
                "next": {"gap": "wait", "known": list(known)},
            },
            "items": {"path": "items.csv", "key": "item"},
        },
        "features": {
            "user": [{"name": "user", "kind": "id"}],
            "item": [{"name": "item", "kind": "id"}, {"name": "category", "kind": "categorical"}],
            "context": [
                {"name": "place", "kind": "categorical"},
                {"name": "warmth", "kind": "numeric", "scale": "none"},
                {"name": "when", "column": "time", "kind": "timestamp", "parts": ["hour"]},
            ],
            "history": [
                {
                    "name": "acts",
                    "of": ["item"],
                    "where": list(KINDS),
                    "last": LAST,
                    "gaps": True,
                    "context": ["place", "warmth", "when"],
                    "encoder": "gru",
                }
            ],
            "windows": [
                {"name": "buys", "kind": "count", "of": "buy", "by": ["user"], "window": "30s"}
            ],
        },
        "tasks": {
            "what": {"kind": "multi_class", "label": "what"},
            "item_next": {"kind": "retrieval"},
            "how_long": {"kind": "regression", "label": "wait"},
            "buys": {"kind": "binary", "label": "buy"},
        },
        "split": {"by": "time", "validation": "100s", "test": "100s"},
    }
    return parse({**raw, **changes})


def write(data: Path, log: tuple[str, ...] = LOG, header: str = "user,item,what,place,warmth,time"):
    data.mkdir()
    (data / "events.csv").write_text("\n".join([header, *log]) + "\n")
    (data / "items.csv").write_text("item,category\ncup,kitchen\npot,kitchen\ntea,food\n")
    return data


def test_a_small_log_worked_out_by_hand(tmp_path: Path) -> None:
    ran = run_components(config(), write(tmp_path / "data"), tmp_path / "run")

    log = {(row["user"], row["time"], row["what"]): row for row in ran.rows("examples/log")}
    assert len(log) == 7
    made = {key: (row["pv"], row["buy"]) for key, row in log.items() if key[1] == 190}
    assert made == {("ann", 190, "pv"): (1.0, 0.0), ("ann", 190, "buy"): (0.0, 1.0)}
    waits = {key: row["wait"] for key, row in log.items()}
    assert waits["bob", 150, "pv"] is None
    assert waits["ann", 100, "pv"] is None
    assert waits["ann", 130, "cart"] == pytest.approx(np.log(31))
    assert waits["ann", 190, "pv"] == waits["ann", 190, "buy"] == pytest.approx(np.log(61))

    assert [len(ran.rows(f"transformed/{s}")) for s in ("train", "validation", "test")] == [5, 1, 1]
    (row,) = ran.rows("transformed/test")
    folder = tmp_path / "run" / "artifacts" / "transformed"
    items, places = (["", "?", *read_vocabulary(folder, name)] for name in ("item", "place"))
    # Tea is met in validation first, and so is no word of training.
    assert [items[i] for i in row["acts_item"]] == ["?", "pot", "pot", "cup"]
    assert [places[i] for i in row["acts_place"]] == ["home", "bus", "bus", "home"]
    assert row["acts_warmth"] == [19, 5, 5, 21]
    # The latest is asked about at once; those of 190 were 660 seconds before, that of 130 720.
    assert row["acts_gaps"] == [1, 11, 11, 11]
    kinds = ["", "?", *KINDS]
    assert [kinds[i] for i in row["acts_behaviour"]] == ["pv", "buy", "pv", "cart"]
    minutes = np.array([850 // 60, 190 // 60, 190 // 60, 130 // 60]) * 2 * np.pi / 1440
    assert row["acts_when"] == pytest.approx(
        np.stack([np.sin(minutes), np.cos(minutes)], 1).ravel()
    )
    assert row["label/how_long"] == pytest.approx(np.log(151))
    assert row["label/buys"] == 0
    # Of the row itself nothing but the user is an input, and the item for the item's tower.
    inputs = {name for name in row if not name.startswith(("meta/", "label/", "slice/"))}
    past = {f"acts_{name}" for name in ("item", "gaps", "behaviour", "place", "warmth", "when")}
    assert inputs == {"user", "item", "category", "buys", *past}


def test_what_is_wrong_with_a_log_is_said(tmp_path: Path) -> None:
    own = config()
    with pytest.raises(PipelineError, match="unknown event"):
        run_components(own, write(tmp_path / "a", (*LOG, "ann,tea,like,,,5")), tmp_path / "1")
    with pytest.raises(PipelineError, match="missing time"):
        run_components(own, write(tmp_path / "b", (*LOG, "ann,tea,pv,,,")), tmp_path / "2")
    no_place = tuple(",".join(line.split(",")[:3] + line.split(",")[4:]) for line in LOG)
    data = write(tmp_path / "c", no_place, "user,item,what,warmth,time")
    with pytest.raises(PipelineError, match="no column 'place'"):
        run_components(own, data, tmp_path / "3")
    features = own.model_dump(mode="json")["features"]
    features["user"].append({"name": "age", "column": "warmth", "kind": "numeric"})
    users = {**own.model_dump(mode="json")["source"], "users": {"path": "u.csv", "key": "user"}}
    data = write(tmp_path / "d")
    (data / "u.csv").write_text("user,city\nann,Ulm\n")
    with pytest.raises(PipelineError, match="'warmth' is in the log, where it is of the event"):
        run_components(config(features=features, source=users), data, tmp_path / "4")


drawn = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "cem"]),
        st.integers(0, 3),
        st.sampled_from(KINDS),
        st.integers(0, 5),
        st.integers(0, 12).map(lambda t: t * t),
    ),
    min_size=1,
    max_size=25,
)


def as_events(rows: list, first: int = 1) -> list[Event]:
    """Events; their numbers are in another order than they were drawn in."""
    return [
        Event(first + (place * 7) % 31, user, f"i{item}", kind, str(thing), float(thing), time)
        for place, (user, item, kind, thing, time) in enumerate(rows)
    ]


def found(events: list[Event], own: Config) -> dict[int, dict[str, Any]]:
    """Labels and inputs as the pipeline makes them: {number: {name: value}}."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        table = pa.Table.from_pylist([dataclasses.asdict(e) for e in events])
        table = table.rename_columns(
            ["meta/row", "user", "item", "what", "place", "warmth", "time"]
        )
        (rows,) = table.combine_chunks().to_batches()
        labelled = with_labels(rows, own)
        (directory / "log").mkdir()
        pq.write_table(pa.Table.from_batches([labelled]), directory / "log" / "part-0.parquet")
        (directory / "priors.json").write_text("{}")
        pq.write_table(pa.table({"item": ["i0"], "category": [""]}), directory / "items.parquet")
        examples = Examples(own, directory)
        view = examples.logged(Batch(str(directory / "log" / "part-0.parquet"), 0))
        items = np.array([int(event.item[1:]) for event in events])
        splits = pa.array(np.zeros(len(events), np.int8))
        context = {
            "place": pa.array([int(event.place) for event in events], pa.int32()),
            "warmth": pa.array([event.warmth for event in events], pa.float32()),
            "when": pa.FixedSizeListArray.from_arrays(
                pa.array([x for e in events for x in (e.warmth, -e.time)], pa.float32()), 2
            ),
        }
        (grouping,) = groupings(own)
        batch = grouped_columns(view, items, splits, grouping, examples, context)
        finder = FindInBucket(grouping, Job(own, *[directory] * 4, (len(events), 0, 0)))
        finder.setup()
        outputs = finder.process((0, [batch]))
        (past,) = (one for one in outputs if isinstance(one, pa.RecordBatch))
        return {
            row["meta/row"]: label | row
            for label, row in zip(labelled.to_pylist(), past.to_pylist(), strict=True)
        }


def padded(values: list, missing: Any) -> list:
    return (values + [missing] * LAST)[:LAST]


@settings(deadline=None, max_examples=40)
@given(drawn, st.booleans())
def test_labels_and_inputs_equal_loops_over_all_pairs(rows: list, known: bool) -> None:
    own = config(("time",), tasks={"what": {"kind": "multi_class", "label": "what"}})
    own = own if known else config()
    events = as_events(rows)
    result = found(events, own)
    for event in events:
        row, past = result[event.number], before(events, event)
        if not known:
            expected = gap(events, event)
            assert row["wait"] == (None if expected is None else pytest.approx(expected, rel=1e-6))
            assert row["buy"] == float(event.kind == "buy")
        assert row[f"{HISTORY}acts"] == padded([int(e.item[1:]) for e in past], -1)
        assert row["acts_behaviour"] == padded([2 + KINDS.index(e.kind) for e in past], 0)
        assert row["acts_gaps"] == padded(gap_ids(events, event, known), 0)
        assert row["acts_place"] == padded([int(e.place) for e in past], 0)
        assert row["acts_warmth"] == padded([e.warmth for e in past], 0)
        now = event.time if known else past[0].time + 1 if past else 0
        recent = [e for e in past if e.kind == "buy" and now - 30 <= e.time < now]
        assert row[f"{WINDOW}buys"] == len(recent)
        pairs = padded([[e.warmth, -e.time] for e in past], [0, 0])
        assert row["acts_when"] == [x for pair in pairs for x in pair]


@settings(deadline=None, max_examples=25)
@given(drawn, drawn, st.integers(0, 144))
def test_the_event_itself_and_later_ones_change_no_input(rows: list, other: list, now: int) -> None:
    """Whatever happens from `now` on: the first event then is predicted from the same."""
    past = [event for event in as_events(rows) if event.time < now]
    inputs = []
    for future in (rows, other):
        later = [
            dataclasses.replace(event, user="ann", number=event.number + 100)
            for event in as_events(future)
            if event.time >= now
        ]
        if not later:
            return
        first = min(later, key=lambda event: (event.time, event.number))
        row = found(past + later, config())[first.number]
        found_before = ("acts", HISTORY, WINDOW)
        inputs.append({n: v for n, v in row.items() if n.startswith(found_before)})
    assert inputs[0] == inputs[1]
