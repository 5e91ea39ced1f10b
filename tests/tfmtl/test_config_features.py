"""What may be wrong with a feature, and the line that says so."""

import json
from typing import Any

import pytest
import tiny
import yaml

from tfmtl.config import ConfigError, dump, parse, schema

ITEMS = tiny.RAW["features"]["item"]
USERS = tiny.RAW["features"]["user"]
CROSS = {"name": "cross", "kind": "crossed", "of": ["age", "query_type"], "buckets": 10}
BAG = {"name": "tags", "kind": "bag"}
VECTOR = {"name": "image", "kind": "vector", "size": 3}
PRICE = {"name": "amount", "kind": "numeric"}


@pytest.mark.parametrize(
    ("side", "feature", "line"),
    [
        ("user", CROSS | {"column": "age"}, "feature 'cross': column is of one column"),
        ("user", CROSS | {"serve_as": 1}, "feature 'cross': serve_as is of one column"),
        ("user", CROSS | {"of": ["age", "age"]}, "of names something twice, got ['age', 'age']"),
        ("user", CROSS | {"of": ["age"]}, "features.user[2].of: "),
        ("user", CROSS | {"of": ["age", "discount"]}, "of names 'discount', which is numeric"),
        ("user", CROSS | {"of": ["age", "query"]}, "of names 'query', which is text; choose id"),
        ("item", CROSS | {"of": ["category", "age"]}, "'cross': it reads more than the item; put"),
        ("user", CROSS | {"of": ["age", "category"]}, "model.retrieval.query: cannot read 'cross'"),
        ("user", BAG | {"serve_as": "x"}, "feature 'tags': serve_as is one value, and a bag has"),
        ("user", BAG | {"salt": "x"}, "feature 'tags': salt is of hashed values; set hash_buckets"),
        ("user", BAG | {"column": "age"}, "column 'age' is read as a list of texts, and as a text"),
        ("user", VECTOR | {"serve_as": 1}, "feature 'image': serve_as is one value, and a vector"),
        ("user", VECTOR | {"column": "age"}, "'age' is read as a list of 3 numbers, and as a text"),
        ("user", {"name": "h", "kind": "hashed"}, "features.user[2].buckets: missing; add it"),
        (
            "user",
            PRICE | {"bucketize": {}},
            "give exactly one of 'buckets' and 'boundaries'",
        ),
        (
            "user",
            PRICE | {"bucketize": {"boundaries": [2, 1]}},
            "boundaries must be finite and ascending, got [2.0, 1.0]",
        ),
        (
            "user",
            PRICE | {"bucketize": {"buckets": 4}, "scale": "log"},
            "feature 'amount': bucketize makes an id, which has no scale: log",
        ),
        (
            "user",
            PRICE | {"bucketize": {"buckets": 4}, "encoding": {"kind": "periodic"}},
            "feature 'amount': bucketize makes an id, which has no encoding",
        ),
        (
            "user",
            {"name": "when", "kind": "timestamp", "parts": ["hour", "hour"]},
            "name each part once, got ['hour', 'hour']",
        ),
        ("user", {"name": "when", "kind": "timestamp", "utc_offset": 5.1}, "utc_offset"),
        (
            "user",
            BAG | {"name": "age_x", "weights": "w"},
            "two features are named 'age_x_weights'",
        ),
    ],
)
def test_a_mistake_is_one_line(side: str, feature: dict[str, Any], line: str) -> None:
    features = {**tiny.RAW["features"], side: [*tiny.RAW["features"][side], feature]}
    if feature["name"] == "age_x":
        features["context"] = [*features["context"], {"name": "age_x_weights", "kind": "hashed"}]
        features["context"][-1]["buckets"] = 3
    with pytest.raises(ConfigError) as caught:
        tiny.make_config({"features": features})
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def config_with(**sides: list[dict[str, Any]]) -> Any:
    added = {side: [*tiny.RAW["features"][side], *features] for side, features in sides.items()}
    return tiny.make_config({"features": {**tiny.RAW["features"], **added}})


def test_a_cross_reads_what_its_features_read() -> None:
    position = {"name": "placed", "kind": "crossed", "of": ["position", "page"], "buckets": 9}
    config = config_with(context=[position])
    reads = config.features.inputs["placed"].reads
    assert [(raw.side, raw.column, raw.kind, raw.constant) for raw in reads] == [
        ("context", "position", "text", "1"),
        ("context", "page", "text", None),
    ]


def test_a_bag_takes_its_weights_along_into_a_tower() -> None:
    config = config_with(user=[BAG | {"weights": "scores"}], item=[BAG | {"name": "topics"}])
    assert "tags_weights" in config.query_features
    assert config.query_features.index("tags_weights") == config.query_features.index("tags") + 1
    assert config.item_features[-1] == "topics"
    named = parse(
        tiny.make_raw(
            {
                "features": config.features.model_dump(mode="json"),
                "model.retrieval": {"dim": 4, "units": [8], "query": ["user_id", "tags"]},
            }
        )
    )
    assert named.query_features == ["user_id", "tags", "tags_weights"]


def test_it_is_written_and_read_alike() -> None:
    features = [BAG | {"weights": "scores"}, VECTOR, PRICE | {"bucketize": {"buckets": 4}}]
    config = config_with(user=[*features, {"name": "when", "kind": "timestamp"}])
    assert parse(yaml.safe_load(dump(config))) == config


def test_the_schema_knows_every_kind() -> None:
    definitions = json.loads(schema())["$defs"]
    for name in ("HashedFeature", "CrossedFeature", "BagFeature", "VectorFeature", "Bucketize"):
        for key, described in definitions[name]["properties"].items():
            assert "description" in described or key in ("kind", "dim"), (name, key)
