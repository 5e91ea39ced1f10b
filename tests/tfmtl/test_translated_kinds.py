"""Inputs of every kind, made by one analysis and read by a model that was made by another."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from tfmtl.config import Config, dump
from tfmtl.preprocessing.tables import Moments
from tfmtl.training.translation import Translation

KINDS: list[dict[str, Any]] = [
    {"name": "town", "kind": "categorical", "oov_buckets": 3},
    {"name": "street", "kind": "hashed", "buckets": 9},
    {"name": "income", "kind": "numeric", "bucketize": {"buckets": 4}},
    {"name": "tags", "kind": "bag", "length": 2, "weights": "scores"},
    {"name": "both", "kind": "crossed", "of": ["street", "income"], "buckets": 9},
]
OWN = {"town": ["rome", "oslo"], "tags": ["a", "b"]}
ITS = {"town": ["oslo", "bonn"], "tags": ["b"]}


def made(kinds: list[dict[str, Any]]) -> Config:
    return tiny.make_config({"features": {**tiny.RAW["features"], "context": kinds}})


def analysis(
    directory: Path, vocabularies: dict[str, list[str]], boundaries: tuple[float, ...]
) -> Path:
    moments = {**tiny.MOMENTS, "income": Moments(0.0, 1.0, boundaries)}
    return tiny.write_analysis(directory, {**tiny.VOCABULARIES, **vocabularies}, moments)


def translation(
    folder: Path, kinds: list[dict[str, Any]], others: list[dict[str, Any]], bounds: Any = (5.0,)
) -> Translation:
    model = analysis(folder / "model", ITS, bounds)
    (model / "config.yaml").write_text(dump(made(others)))
    return Translation(made(kinds), analysis(folder / "own", OWN, (5.0,)), model)


def test_ids_go_through_their_values(tmp_path: Path) -> None:
    inputs = {
        "town": np.array([0, 1, 2, 3, 4, 5]),  # missing, three unknown, rome, oslo
        "tags": np.array([[2, 3], [1, 0]]),
        "tags_weights": np.array([[0.5, 1.0], [1.0, 1.0]], np.float32),
        "street": np.array([0, 9]),
        "both": np.array([3, 0]),
    }
    found = translation(tmp_path, KINDS, KINDS)(inputs)
    assert found["town"][[0, 1, 2, 3, 5]].tolist() == [0, 1, 2, 3, 4]
    assert found["town"][4] in (1, 2, 3)
    assert found["tags"].tolist() == [[1, 2], [1, 0]]
    for name in ("tags_weights", "street", "both"):
        assert found[name] is inputs[name]


def test_another_number_of_unknown_ids_makes_them_alike(tmp_path: Path) -> None:
    others = [{**KINDS[0], "oov_buckets": 1}, *KINDS[1:]]
    found = translation(tmp_path, KINDS, others)({"town": np.arange(6)})
    assert found["town"].tolist() == [0, 1, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("bounds", "ranges"), [((5.0,), [0, 1, 2]), ((1.0, 4.0, 5.2), [0, 3, 4]), ((), [0, 1, 1])]
)
def test_a_range_becomes_the_one_of_its_middle(
    tmp_path: Path, bounds: tuple[float, ...], ranges: list[int]
) -> None:
    # Below 5, whose stand-in is 4.5, and from 5 on, whose stand-in is 5.5.
    found = translation(tmp_path, KINDS[:4], KINDS[:4], bounds)({"income": np.array([0, 1, 2])})
    assert found["income"].tolist() == ranges


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        (1, {"buckets": 8}, "it makes 'street' otherwise"),
        (1, {"salt": "x"}, "it makes 'street' otherwise"),
        (2, {"bucketize": None}, "'income'"),
        (4, {"of": ["income", "street"]}, "it makes 'both' otherwise"),
    ],
)
def test_what_is_made_otherwise_cannot_be_read(
    tmp_path: Path, place: int, change: dict[str, Any], message: str
) -> None:
    others = [{**kind, **(change if i == place else {})} for i, kind in enumerate(KINDS)]
    if place == 2:
        others.pop()
    kinds = KINDS if place != 2 else KINDS[:4]
    with pytest.raises(ValueError, match=message):
        translation(tmp_path, kinds, others)


def test_a_cross_of_other_ranges_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="it makes 'both' otherwise"):
        translation(tmp_path, KINDS, KINDS, (6.0,))
