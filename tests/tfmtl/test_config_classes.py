"""Tasks of classes and logs without users or times in the configuration."""

from typing import Any

import pytest
import tiny

from tfmtl.config import Config, ConfigError, parse

MOOD = {"kind": "multi_class", "label": "mood"}
TAGS = {"kind": "multi_label", "label": "tags", "separator": "|"}
FLAGS = {"kind": "multi_label", "labels": ["hot", "cold"]}
CLICK = {"kind": "binary", "label": "click"}


def make(tasks: dict[str, Any], **changes: Any) -> Config:
    return parse({**tiny.make_raw({"tasks": {"click": CLICK, **tasks}}), **changes})


def test_columns_of_labels_are_texts_or_numbers() -> None:
    config = make({"mood": MOOD, "tags": TAGS, "flags": FLAGS})
    assert list(config.class_tasks) == ["mood", "tags", "flags"]
    assert list(config.class_columns) == ["mood", "tags"]
    assert list(config.label_columns) == ["click", "hot", "cold"]
    assert list(config.ranking_tasks) == ["click", "mood", "tags", "flags"]


def test_numbers_are_names() -> None:
    task = make({"stars": {**MOOD, "values": [1, 2, 5.5]}}).class_tasks["stars"]
    assert task.values == ["1", "2", "5.5"]


def test_metrics_that_the_gate_may_name() -> None:
    metrics = make({}).evaluation.metrics_of
    assert metrics("multi_class") == [
        "rows",
        "majority",
        "accuracy",
        "macro_f1",
        "macro_auc",
        "log_loss",
    ]
    assert metrics("multi_label") == ["rows", "micro_f1", "macro_f1", "pr_auc", "log_loss"]
    assert "gauc" in metrics("binary")
    assert "gauc" not in metrics("binary", users=False)
    assert "mrr_unseen" not in metrics("retrieval", users=False)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({**MOOD, "values": ["a", "b", "a"]}, "names should all differ, got ['a', 'b', 'a']"),
        ({**MOOD, "values": ["a"]}, "at least 2 items"),
        ({**MOOD, "values": ["a", ""]}, "line of text without outer spaces, got ''"),
        ({**MOOD, "values": ["a", " b"]}, "line of text without outer spaces, got ' b'"),
        ({**MOOD, "values": ["a", "b\nc"]}, "line of text"),
        ({**MOOD, "values": ["a", True]}, "input should be a valid string, got True"),
        ({**MOOD, "max_classes": 1}, "greater than or equal to 2"),
        ({"kind": "multi_class"}, "label: missing; add it"),
        ({**TAGS, "labels": ["hot"]}, "give exactly one of 'labels' and 'label'"),
        ({"kind": "multi_label"}, "give exactly one of 'labels' and 'label'"),
        ({"kind": "multi_label", "label": "tags"}, "'label' and 'separator' belong together"),
        ({**FLAGS, "separator": "|"}, "'label' and 'separator' belong together"),
        ({**FLAGS, "values": ["a"]}, "'values' belongs to 'label'"),
        ({**FLAGS, "labels": ["hot", "hot"]}, "names should all differ"),
        ({**FLAGS, "labels": []}, "at least 1 item"),
        ({**TAGS, "values": ["a|b"]}, "'a|b' contains the separator '|'"),
        ({**TAGS, "threshold": 1}, "give a probability between 0 and 1, or 'tuned', got 1"),
        ({**MOOD, "label": "click"}, "'click' is read as a number elsewhere"),
        ({**FLAGS, "labels": ["hot", "stars"]}, "'stars' is a regression task's label"),
        ({**TAGS, "label": "other"}, "'other' is the label of task 'other' already"),
    ],
)
def test_mistakes_are_named(task: dict[str, Any], message: str) -> None:
    others = {
        "stars": {"kind": "regression", "label": "stars"},
        "other": {**MOOD, "label": "other"},
    }
    with pytest.raises(ConfigError) as caught:
        make({**others, "wrong": task})
    assert message in str(caught.value)
    assert "wrong" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_output_has_one_meaning() -> None:
    with pytest.raises(ConfigError, match=r"tasks\.mood_classes: a served model names the classes"):
        make({"mood": MOOD, "mood_classes": FLAGS})


def test_events_do_not_make_classes() -> None:
    events = {"path": "e.csv", "labels": {"click": ["view"]}}
    source = {"events": events, "items": {"path": "i.csv", "key": "item_id"}}
    with pytest.raises(
        ConfigError, match=r"tasks\.mood: the rows of source\.events have no classes"
    ):
        make({"mood": MOOD}, source=source)


def test_an_unknown_metric_of_the_gate() -> None:
    gate = [{"task": "mood", "metric": "auc", "at_least": 0.5}]
    with pytest.raises(
        ConfigError, match="task 'mood' has no metric 'auc'; choose among rows, maj"
    ):
        make({"mood": MOOD}, gate=gate)


NOBODY = {"impressions": {"path": "log.csv", "user": None}}
TIMELESS = {"impressions": {"path": "log.csv", "time": None}}
NO_HISTORY = {**tiny.RAW["features"], "history": []}
RANDOM = {"by": "random", "validation": 0.1, "test": 0.1}


def test_a_log_without_users_and_times() -> None:
    source = {"impressions": {"path": "log.csv", "user": None, "time": None}}
    config = make({"mood": MOOD}, source=source, features=NO_HISTORY, split=RANDOM)
    assert (config.source.log.user, config.source.log.time) == (None, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": NOBODY}, "features.history: source.impressions.user is null"),
        (
            {"source": {**NOBODY, "users": {"path": "u.csv", "key": "user_id"}}},
            "users: impressions.user is null",
        ),
        (
            {
                "source": NOBODY,
                "features": NO_HISTORY,
                "gate": [{"task": "click", "metric": "gauc", "at_least": 0.5}],
            },
            "task 'click' has no metric 'gauc'",
        ),
        ({"source": TIMELESS, "features": NO_HISTORY}, "split.by: source.impressions.time is null"),
    ],
)
def test_what_needs_users_or_times(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make({}, **changes)
    assert message in str(caught.value)
