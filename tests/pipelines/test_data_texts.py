"""Texts through the data pipeline: tokens counted, vocabularies, ids."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
import tensorflow as tf
from data_components import run_components, shop_config, write_shop

from pipelines.preprocess.token_counts import token_buckets, token_counts
from pipelines.preprocess.vocabularies import vocabulary_of
from tfmtl.config import TextFeature
from tfmtl.preprocessing.preprocessor import Preprocessor


def feature(**changes: object) -> TextFeature:
    return TextFeature.model_validate({"name": "title", "kind": "text", "length": 4, **changes})


def texts(**counts: int) -> pa.Table:
    return pa.table({"value": list(counts), "count": list(counts.values())})


def test_tokens_count_as_often_as_their_texts() -> None:
    table = texts(**{"Red shoes": 3, "red, RED hat": 2, "": 7, "跑鞋": 4})

    (counts,) = token_counts(feature(length=2), [table])

    # Only the first two words of a text are kept: "hat" is the third.
    found = {r["value"]: r["count"] for r in counts.to_pylist()}
    assert found == {"red": 3 + 2 * 2, "shoes": 3, "跑": 4, "鞋": 4}


def test_tokens_of_several_features_and_files_add_up(tmp_path: Path) -> None:
    colours, kinds = ["red", "blue", "grün"], ["shoe", "hat", "coat", "鞋"]
    rows = {f"{c} {k} {n % 50}": 1 + n % 3 for n in range(200) for c in colours for k in kinds}
    first = feature(tokens={"kind": "words", "ngrams": [1, 2]}, length=5)
    expected: Counter[str] = Counter()
    for text, count in rows.items():
        a, b, c = text.split()
        expected += Counter(dict.fromkeys((a, b, c, f"{a} {b}", f"{b} {c}"), count))
    expected += Counter({"red": 5, "tie": 5})
    columns = [
        (
            first,
            [texts(**dict(part)) for part in (list(rows.items())[:70], list(rows.items())[70:])],
        ),
        (feature(), [texts(**{"red tie": 5})]),
    ]

    buckets = list(token_buckets(columns, tmp_path, bucket_bytes=2_000))

    assert len(buckets) > 3
    found = [(r["value"], r["count"]) for bucket in buckets for r in bucket.to_pylist()]
    assert len(found) == len(dict(found))
    assert dict(found) == expected
    assert not list(tmp_path.iterdir())
    chosen = vocabulary_of(buckets, min_count=6, max_size=7)
    order = sorted((-n, t) for t, n in expected.items() if n >= 6)[:7]
    assert chosen.to_pylist() == [{"value": t, "count": -n} for n, t in order]


def test_no_texts_have_no_tokens(tmp_path: Path) -> None:
    assert vocabulary_of(token_buckets([(feature(), [])], tmp_path), 1, 9).num_rows == 0
    empty = [(feature(), [texts(**{"": 9, "!?": 2})])]
    assert vocabulary_of(token_buckets(empty, tmp_path), 1, 9).num_rows == 0


def test_texts_of_a_shop(tmp_path: Path) -> None:
    rows = (
        "u1,i1,search,Red SHOES,phone,10,1,0",
        "u1,i2,search,red  shoes!,phone,20,0,0",
        "u2,i1,search,红鞋,phone,30,1,0",
        "u2,i3,search,,phone,40,0,0",
        "u3,i1,search,red tie,phone,60,1,0",
        "u1,i1,search,red 鞋 tie,phone,99,1,0",
    )
    write_shop(tmp_path / "data", rows)
    pairs = {"kind": "words", "ngrams": [1, 2]}
    query = [
        {"name": "words", "tokens": pairs, "length": 4, "min_count": 2, "oov_buckets": 3},
        {"name": "hashed", "tokens": "characters", "length": 6, "hash_buckets": 50},
    ]
    query = [{"column": "query", "kind": "text", **q} for q in query]
    features = shop_config().features.model_dump(mode="json", exclude_none=True)
    config = shop_config(
        features={**features, "query": query},
        tasks={"click": {"kind": "binary", "label": "click"}},
        split={"by": "time", "validation": "0s", "test": "10s"},
    )

    ran = run_components(config, tmp_path / "data", tmp_path / "run")

    statistics = tmp_path / "run" / "artifacts" / "statistics"
    lines = (statistics / "vocabularies" / "words.txt").read_text(encoding="utf-8").splitlines()
    assert lines == ["red", "red shoes", "shoes"]  # by value where as frequent
    assert not (statistics / "vocabularies" / "hashed.txt").exists()
    train = {row["meta/time"]: row for row in ran.rows("transformed/train")}
    (test,) = ran.rows("transformed/test")
    # 0 padding, 1 to 3 unknown, then red, red shoes, shoes.
    assert train[10]["words"] == train[20]["words"] == [4, 6, 5, 0]
    assert train[40]["words"] == train[40]["hashed"][:4] == [0, 0, 0, 0]
    assert train[60]["words"][0] == test["words"][0] == 4
    assert {*train[60]["words"][1:3], *train[30]["words"][:3], *test["words"][1:]} <= {1, 2, 3}
    assert train[30]["words"][3] == 0
    assert train[30]["words"][1] == test["words"][1]  # 鞋 is 鞋, known or not
    assert all(1 <= i <= 50 for i in train[10]["hashed"])
    assert train[10]["hashed"] == train[20]["hashed"]

    preprocessor = Preprocessor(config, statistics)
    served = preprocessor({"query": tf.constant(["red 鞋 tie"])}, ["words", "hashed"])
    assert served["words"].numpy().tolist() == [test["words"]]
    assert served["hashed"].numpy().tolist() == [test["hashed"]]


@pytest.mark.parametrize("key", ["tokens", "max_bytes", "hash_buckets", "oov_buckets"])
def test_what_changes_tokens_changes_the_cached_steps(key: str) -> None:
    from pipelines.components import statistics_gen, transform

    changed = {"tokens": "characters", "max_bytes": 9, "hash_buckets": 7, "oov_buckets": 2}
    base = {"name": "query", "kind": "text"}
    features = shop_config().features.model_dump(mode="json", exclude_none=True)
    before, after = (
        shop_config(features={**features, "query": [query]})
        for query in (base, {**base, key: changed[key]})
    )
    for component in (statistics_gen.StatisticsGen, transform.Transform):
        assert component.reads(before) != component.reads(after)
