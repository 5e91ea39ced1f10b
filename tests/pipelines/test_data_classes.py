"""Labels of classes through the data components: products with neither users nor times."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from data_components import Ran, run_components

from pipelines.components.base import PipelineError
from pipelines.finetuning.tuning import keep_analysis
from pipelines.preprocess.classes import (
    all_known,
    class_flags,
    class_numbers,
    count_names,
    names_in,
)
from pipelines.preprocess.sides import Coded
from tfmtl.config import Config, parse

SPLITS = ("train", "validation", "test")
MOODS = ("calm", "calm", "gay", "sad", "", " calm ")
TAGS = ("new|sale", "sale", "", "new | new|", "sale|old")
TASKS = {
    "mood": {"kind": "multi_class", "label": "mood"},
    "tags": {"kind": "multi_label", "label": "tags", "separator": "|"},
    "flags": {"kind": "multi_label", "labels": ["hot", "cold"]},
}


def config(tasks: Any = TASKS, **changes: Any) -> Config:
    raw = {
        "name": "things",
        "source": {
            "impressions": {"path": "things.csv", "item": "item", "user": None, "time": None}
        },
        "features": {"item": [{"name": "title", "kind": "text", "min_count": 1}]},
        "tasks": tasks,
        "split": {"by": "random", "validation": 0.2, "test": 0.2},
        "evaluation": {"slices": ["shop"]},
    }
    return parse({**raw, **changes})


def write(data: Path, count: int = 60, **columns: Any) -> list[dict[str, str]]:
    """Writes things whose columns go round; keyword arguments replace columns."""
    rows = []
    for i in range(count):
        row = {
            "item": f"i{i}",
            "title": f"word{i % 4}",
            "mood": MOODS[i % len(MOODS)],
            "tags": TAGS[i % len(TAGS)],
            "hot": str(i % 2),
            "cold": ("1", "", "0")[i % 3],
            "shop": ("north", "south")[i % 2],
        }
        rows.append(row | {name: str(values[i % len(values)]) for name, values in columns.items()})
    data.mkdir(parents=True, exist_ok=True)
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    (data / "things.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return rows


def run(tmp_path: Path, tasks: Any = TASKS, count: int = 5, **columns: Any) -> Ran:
    write(tmp_path / "data", **columns)
    return run_components(config(tasks), tmp_path / "data", tmp_path / "run", count)


def classes_of(ran: Ran, task: str) -> list[str]:
    path = ran.directory / "artifacts" / "transformed" / "vocabularies" / f"label.{task}.txt"
    return path.read_text(encoding="utf-8").splitlines()


def transformed(ran: Ran) -> dict[str, dict[str, Any]]:
    """Every row by its item."""
    keys = ran.table("transformed/catalogue.parquet").column("key").to_pylist()
    return {
        keys[row["meta/item"]]: row | {"split": split}
        for split in SPLITS
        for row in ran.rows(f"transformed/{split}")
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(tmp_path_factory.mktemp("found"))


def test_classes_are_those_of_the_training_rows_the_most_frequent_first(found):
    rows = transformed(found)
    training = [i for i in range(60) if rows[f"i{i}"]["split"] == "train"]
    moods = Counter(MOODS[i % 6].strip() for i in training)
    del moods[""]
    assert classes_of(found, "mood") == sorted(moods, key=lambda mood: (-moods[mood], mood))
    tags = Counter(
        tag for i in training for tag in {t.strip() for t in TAGS[i % 5].split("|")} - {""}
    )
    assert classes_of(found, "tags") == sorted(tags, key=lambda tag: (-tags[tag], tag))
    assert classes_of(found, "flags") == ["hot", "cold"]


def test_labels_are_numbers_and_lists(found):
    moods, tags = classes_of(found, "mood"), classes_of(found, "tags")
    for item, row in transformed(found).items():
        i = int(item[1:])
        mood = MOODS[i % 6].strip()
        assert row["label/mood"] == (moods.index(mood) if mood else None)
        own = {tag.strip() for tag in TAGS[i % 5].split("|")} - {""}
        assert row["label/tags"] == [float(t in own) if own else None for t in tags]
        assert row["label/flags"] == [i % 2, (1.0, None, 0.0)[i % 3]]
    schema = found.table("transformed/train").schema
    assert schema.field("label/mood").type == pa.float32()
    assert schema.field("label/tags").type == pa.list_(pa.float32(), 3)


def test_shares_of_the_classes_are_counted(found):
    summary = found.summaries["Transform"]
    rows = [row for row in transformed(found).values() if row["split"] == "train"]
    moods = [row["label/mood"] for row in rows if row["label/mood"] is not None]
    for number, mood in enumerate(classes_of(found, "mood")):
        share = moods.count(number) / len(moods)
        assert summary["classes"]["mood"]["train"][mood] == pytest.approx(share)
    cold = [row["label/flags"][1] for row in rows if row["label/flags"][1] is not None]
    assert summary["classes"]["flags"]["train"]["cold"] == pytest.approx(np.mean(cold))
    assert summary["label_means"]["train"] == {}


def test_rows_without_users_and_times(found):
    for row in transformed(found).values():
        assert (row["meta/user"], row["meta/time"]) == ("", 0)
    assert len(transformed(found)) == 60
    summary = found.summaries["ExampleGen"]
    assert (summary["first_time"], summary["last_time"]) == (None, None)


def test_given_values_dead_letter_the_others(tmp_path):
    tasks = {
        "mood": {"kind": "multi_class", "label": "mood", "values": ["sad", "calm", "gay"]},
        "tags": {**TASKS["tags"], "values": ["sale", "new"]},
    }
    write(tmp_path / "data")
    loose = config(tasks).source.model_copy(update={"max_bad_share": 0.5})
    changed = config(tasks).model_copy(update={"source": loose})
    ran = run_components(changed, tmp_path / "data", tmp_path / "run")
    assert ran.summaries["ExampleGen"]["rejected"] == {"unknown class": 12}  # sale|old
    letters = ran.table("examples/dead_letters").to_pylist()
    assert {letter["column"] for letter in letters} == {"tags"}
    assert all("sale|old" in letter["raw"] for letter in letters)
    assert classes_of(ran, "mood") == ["sad", "calm", "gay"]
    assert classes_of(ran, "tags") == ["sale", "new"]


def test_too_many_unknown_classes_stop_the_run(tmp_path):
    tasks = {"mood": {"kind": "multi_class", "label": "mood", "values": ["sad", "calm"]}}
    with pytest.raises(PipelineError, match="10 of 60 rows are bad") as caught:
        run(tmp_path, tasks, count=1)
    assert "unknown class (10, column 'mood', name it in the task's values" in str(caught.value)


def test_found_classes_beyond_the_limit_are_missing_and_counted(tmp_path):
    tasks = {
        "mood": {**TASKS["mood"], "max_classes": 2},
        "tags": {**TASKS["tags"], "max_classes": 1},
    }
    ran = run(tmp_path, tasks)
    assert len(classes_of(ran, "mood")) == 2
    outside = ran.summaries["StatisticsGen"]["classes"]["mood"]["outside"]
    rows = transformed(ran)
    for split in SPLITS:
        left = [
            item
            for item, row in rows.items()
            if row["split"] == split and row["label/mood"] is None and MOODS[int(item[1:]) % 6]
        ]
        assert outside[split] == len(left)
    # A label that is not kept leaves the others as they are.
    assert rows["i0"]["label/tags"] == [float(classes_of(ran, "tags")[0] in ("new", "sale"))]
    warnings = ran.summaries["ExampleValidator"]["warnings"]
    assert any("labels of the train rows name none of its 2 classes" in w for w in warnings)


def test_a_class_that_no_training_row_has_is_no_class_and_counted(tmp_path, found):
    """It cannot be predicted: its rows have no label for the task, and stay for the others."""
    unseen = next(item for item, row in transformed(found).items() if row["split"] == "test")
    moods = [MOODS[i % len(MOODS)].strip() or "calm" for i in range(60)]
    moods[int(unseen[1:])] = "never seen"
    ran = run(tmp_path, {name: TASKS[name] for name in ("mood", "flags")}, mood=moods)
    assert sorted(classes_of(ran, "mood")) == ["calm", "gay", "sad"]
    row = transformed(ran)[unseen]
    assert (row["split"], row["label/mood"]) == ("test", None)
    assert row["label/flags"][0] == int(unseen[1:]) % 2
    outside = ran.summaries["StatisticsGen"]["classes"]["mood"]["outside"]
    assert outside == {"train": 0, "validation": 0, "test": 1}


@pytest.mark.parametrize(
    ("tasks", "columns", "message"),
    [
        ({"mood": TASKS["mood"]}, {"mood": ["calm"]}, "tasks.mood: 'mood' has too few classes"),
        ({"mood": TASKS["mood"]}, {"mood": [""]}, "tasks.mood: 'mood' has too few classes"),
        ({"tags": TASKS["tags"]}, {"tags": ["", "|"]}, "tasks.tags: 'tags' has too few classes"),
        ({"flags": TASKS["flags"]}, {"hot": [1], "cold": [""]}, "tasks.flags: 'hot' has too few"),
        (
            {"mood": {**TASKS["mood"], "values": ["calm", "wild"]}},
            {"mood": ["calm"]},
            "tasks.mood: 'mood' has too few classes",
        ),
    ],
)
def test_labels_without_contrast_stop_the_run(tmp_path, tasks, columns, message):
    with pytest.raises(PipelineError, match=message):
        run(tmp_path, tasks, **columns)


def test_a_value_that_no_training_row_has_is_a_warning(tmp_path):
    values = ["calm", "gay", "sad", "wild"]
    ran = run(tmp_path, {"mood": {**TASKS["mood"], "values": values}}, count=4)
    text = "tasks.mood: class 'wild' is in none of the training rows"
    assert text in ran.summaries["ExampleValidator"]["warnings"]


def test_labels_of_0_and_1_are_checked(tmp_path):
    with pytest.raises(PipelineError, match=r"label is not 0 or 1 \(60, column 'hot'\)"):
        run(tmp_path, {"flags": TASKS["flags"]}, count=1, hot=["2"])


def test_a_class_that_is_a_number_elsewhere_is_refused(tmp_path):
    features = {"item": [{"name": "mood", "kind": "numeric"}]}
    write(tmp_path / "data")
    with pytest.raises(PipelineError, match=r"'mood' is read as text by tasks\.mood\.label and"):
        run_components(
            config({"mood": TASKS["mood"]}, features=features), tmp_path / "data", tmp_path / "run"
        )


def tune(ran: Ran, base: Path, tasks: Any) -> dict[str, Any]:
    """What is left of a newer run's analysis when a model is tuned."""
    output = ran.directory / "artifacts" / "statistics"
    return keep_analysis(
        json.loads((output / "summary.json").read_text()), config(tasks), output, base
    )


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A model's directory that knows the moods as `gay` and `calm`."""
    directory = tmp_path / "base"
    (directory / "vocabularies").mkdir(parents=True)
    (directory / "vocabularies" / "label.mood.txt").write_text("gay\ncalm\n")
    (directory / "vocabularies" / "title.txt").write_text("word1\n")
    (directory / "moments.json").write_text("{}")
    dumped = config({"mood": TASKS["mood"]}).model_dump(mode="json")
    (directory / "config.yaml").write_text(json.dumps(dumped))
    return directory


def test_tuning_keeps_the_classes_of_the_model(tmp_path, base):
    ran = run(tmp_path, {"mood": TASKS["mood"]}, count=2)
    before = json.loads((ran.directory / "artifacts/statistics/summary.json").read_text())
    after = tune(ran, base, {"mood": TASKS["mood"]})["classes"]["mood"]
    sad = before["classes"]["mood"]["counts"]["train"]["sad"]
    assert list(after["counts"]["train"]) == ["gay", "calm"]
    assert after["outside"]["train"] == sad > 0


def test_tuning_refuses_other_classes(tmp_path, base):
    ran = run(tmp_path, {"mood": TASKS["mood"]}, count=2)
    with pytest.raises(PipelineError, match=r"tasks\.mood: the classes must be those of"):
        tune(ran, base, {"mood": {**TASKS["mood"], "values": ["calm", "gay"]}})


def test_names_in_texts():
    texts = pa.array([" a |b|a", "", "|", "b"])
    names, places = names_in(texts, "|")
    assert sorted(zip(places.tolist(), names.to_pylist(), strict=True)) == [
        (0, "a"),
        (0, "b"),
        (3, "b"),
    ]
    names, places = names_in(texts, None)
    assert names.to_pylist() == ["a |b|a", "|", "b"]
    assert places.tolist() == [0, 2, 3]


def test_names_are_counted_once_a_text():
    counts = count_names(pa.table({"value": ["a|a|b", "b", ""], "count": [2, 3, 9]}), "|")
    assert counts.to_pydict() == {"value": ["b", "a"], "count": [5, 2]}


def test_numbers_and_flags_of_texts():
    texts = Coded.of(pa.array(["b", "", "a", "x", " a"]))
    np.testing.assert_array_equal(class_numbers(texts, ["a", "b"]), [1, np.nan, 0, np.nan, 0])
    texts = Coded.of(pa.array(["b;a", "", "x;b", "x"]))
    nan = np.nan
    np.testing.assert_array_equal(
        class_flags(texts, ["a", "b"], ";"), [[1, 1], [nan, nan], [0, 1], [0, 0]]
    )
    assert all_known(texts, ["a", "b"], ";").tolist() == [True, True, False, False]
