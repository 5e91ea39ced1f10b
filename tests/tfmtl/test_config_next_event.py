"""Configurations that predict the next event: what they read, and what would leak is refused."""

import copy
from typing import Any

import pytest

from tfmtl.config import Config, ConfigError, parse
from tfmtl.config.loading import dump
from tfmtl.config.scored import formulas

KINDS = ["pv", "cart", "buy"]
RAW: dict[str, Any] = {
    "name": "next",
    "source": {
        "events": {
            "path": "e.csv",
            "event": "what",
            "labels": {kind: [kind] for kind in KINDS},
            "next": {"known": ["device"]},
        },
        "items": {"path": "i.csv", "key": "item_id"},
    },
    "features": {
        "user": [{"name": "user_id", "kind": "id"}],
        "item": [{"name": "item_id", "kind": "id"}, {"name": "brand", "kind": "categorical"}],
        "context": [
            {"name": "device", "kind": "categorical"},
            {"name": "place", "kind": "categorical"},
            {"name": "hour", "column": "timestamp", "kind": "timestamp"},
        ],
        "history": [
            {
                "name": "acts",
                "of": ["item_id", "brand"],
                "where": KINDS,
                "gaps": True,
                "context": ["place", "hour"],
                "encoder": "lstm",
            }
        ],
    },
    "tasks": {
        "kind": {"kind": "multi_class", "label": "what"},
        "item": {"kind": "retrieval"},
        "wait": {"kind": "regression", "label": "next_gap"},
        "buys": {"kind": "binary", "label": "buy"},
    },
}


def config(**changes: Any) -> Config:
    """The configuration with `{dotted key, dots as __: value}` changed; None takes a key away."""
    raw = copy.deepcopy(RAW)
    for key, value in changes.items():
        *parents, last = key.split("__")
        node = raw
        for part in parents:
            node = node.setdefault(part, {})
        if value is None:
            del node[last]
        else:
            node[last] = value
    return parse(raw)


def history(**changes: Any) -> list[dict[str, Any]]:
    return [RAW["features"]["history"][0] | changes]


def test_what_is_read() -> None:
    read = config()
    # Of the row: the user, what is known, and the item for the item's tower alone.
    assert list(read.row_inputs) == ["user_id", "item_id", "brand", "device"]
    assert read.hidden_inputs == {"item_id", "brand"}
    past = [f"acts_{name}" for name in ("item_id", "brand", "gaps", "behaviour", "place", "hour")]
    assert read.query_features == ["user_id", *past]
    assert read.item_features == ["item_id", "brand"]
    assert read.label_columns.keys() == {"next_gap", "buy", *KINDS}
    assert list(read.class_columns) == ["what"]
    # The prediction of the next event says nothing of candidates.
    assert formulas(read) == {None: "retrieval_score"}
    assert parse(read.model_dump(mode="json")) == read
    assert "known:\n      - device" in dump(read)


def test_other_logs_read_everything() -> None:
    impressions = {"impressions": {"path": "l.csv"}}
    tasks = {"buys": {"kind": "binary", "label": "buy"}}
    read = config(source=impressions, tasks=tasks)
    assert list(read.row_inputs) == list(read.features.inputs)
    assert "acts_place" in read.features.past_inputs
    assert not read.hidden_inputs


LEAKS: dict[str, tuple[dict[str, Any], str]] = {
    "context of the row": (
        {"features__history": history(context=["hour"])},
        "feature 'place': 'place' is of the event that is predicted; if it is known before, add it "
        "to source.events.next.known, else name the feature in the context of a history",
    ),
    "query of the row": (
        {"features__query": [{"name": "words", "kind": "text"}]},
        "feature 'words': 'words' is of the event",
    ),
    "user column of the row": (
        {"features__user": [{"name": "mood", "kind": "categorical"}]},
        "feature 'mood': 'mood' is of the event",
    ),
    "item in a cross": (
        {
            "features__context": [
                *RAW["features"]["context"],
                {"name": "both", "kind": "crossed", "of": ["brand", "device"], "buckets": 9},
            ]
        },
        "feature 'both': 'brand' is of the item that comes next",
    ),
    "the kind is known": (
        {"source__events__next": {"known": ["what"]}},
        "next.known: 'what' is the kind of the event that is predicted",
    ),
    "the item is known": (
        {"source__events__next": {"known": ["item_id"]}},
        "next.known: 'item_id' is the item",
    ),
    "the gap is known": (
        {"source__events__next": {"known": ["next_gap"]}},
        "next.known: 'next_gap' is the gap",
    ),
    "the time and the gap": (
        {"source__events__next": {"known": ["device", "timestamp"]}},
        "tasks.wait: 'next_gap' follows from the time of the event",
    ),
    "counts of a place": (
        {
            "features__windows": [
                {"name": "n", "kind": "count", "of": "buy", "by": ["place"], "window": "1d"}
            ]
        },
        "features.windows 'n': 'place' is of the event",
    ),
    "counts of the item": (
        {
            "features__windows": [
                {"name": "n", "kind": "count", "of": "buy", "by": ["item"], "window": "1d"}
            ]
        },
        "features.windows 'n': 'item' is of the event",
    ),
    "attention to the item": (
        {"features__history": history(encoder="din", context=[]), "features__context": []},
        r"features.history\[0\].encoder: din weighs by the item",
    ),
    "factors of the item": ({"model__factorised": {"dim": 4}}, "model.factorised: it reads"),
    "the scenario of the row": (
        {"scenario": {"column": "page", "values": ["a", "b"]}},
        "scenario.column: 'page' is of the event",
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_what_would_leak_is_refused(leak: str) -> None:
    changes, message = LEAKS[leak]
    with pytest.raises(ConfigError, match=message):
        config(**changes)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no past": ({"features__history": []}, "features.history: with source.events.next"),
    "a name twice": ({"source__events__next": {"known": ["a", "a"]}}, "known names 'a' twice"),
    "sampled items": (
        {"source__events__negatives": {"per_positive": 2}},
        "negatives: with next every row is an event",
    ),
    "a gap that is a label": (
        {"source__events__next": {"gap": "buy"}},
        "next.gap: 'buy' is in labels already",
    ),
    "impressions": (
        {"source__impressions": {"path": "l.csv"}},
        "events.next: it makes rows of events, and there are impressions",
    ),
    "a delay": ({"source__feedback_delay": {"buy": "1d"}}, "feedback_delay: with events.next"),
    "a binary gap": (
        {"tasks__buys": {"kind": "binary", "label": "next_gap"}, "tasks__wait": None},
        r"label 'next_gap' is not made by source.events.labels, which makes \['pv', 'cart', 'buy",
    ),
    "another class": (
        {"tasks__kind": {"kind": "multi_class", "label": "place"}},
        "tasks.kind.label: the class of an event is its kind",
    ),
    "a class left out": (
        {"tasks__kind": {"kind": "multi_class", "label": "what", "values": ["pv", "buy"]}},
        "tasks.kind.values: source.events.labels names 'cart' too",
    ),
    "bulk inference": (
        {"bulk_inference": {"outputs": ["user_vectors"]}},
        "bulk_inference: where the next event is predicted",
    ),
    "context without an order": (
        {"features__history": history(encoder="mean")},
        "context: encoder mean reads items only",
    ),
    "unknown context": (
        {"features__history": history(context=["city"])},
        "context names 'city', which is no id, number or time in features.context",
    ),
    "context twice": (
        {"features__history": history(context=["hour", "hour"])},
        "context: 'hour' is named twice",
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_mistakes(mistake: str) -> None:
    changes, message = WRONG[mistake]
    with pytest.raises(ConfigError, match=message):
        config(**changes)


def test_rows_of_merged_events_have_no_class() -> None:
    with pytest.raises(ConfigError, match="events have no classes; only with"):
        config(source__events__next=None, tasks__wait=None)
