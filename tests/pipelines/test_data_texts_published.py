"""Published texts through the data pipeline, checked against tokens split without it."""

import csv
import os
import re
import unicodedata
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from data_components import run_components

from pipelines.console.accounting import LOG
from tfmtl.config import parse

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TFMTL_DATA", ROOT.parent / "shared" / "data"))

pytestmark = pytest.mark.realdata


def published(name: str, file: str) -> tuple[Path, list[dict[str, str]]]:
    """Directory of a data set and its rows; skips the test where it is absent."""
    if not (DATA / name).is_dir():
        pytest.skip(f"there is no {name} in {DATA}; set TFMTL_DATA")
    with (DATA / name / file).open(encoding="utf-8", newline="") as lines:
        return DATA / name, list(csv.DictReader(lines))


def words(text: str, length: int, max_bytes: int = 16_384) -> list[str]:
    """Runs of letters, digits and marks in a text that has no scripts without spaces."""
    text = text.encode()[:max_bytes].decode("utf-8", "replace").lower().replace("\u00ad", "")
    kept = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in text)
    return kept.split()[:length]


def config_of(source: dict, features: list[dict], **parts: object):
    return parse(
        {
            "name": "texts",
            "source": {"impressions": {"user": None, "time": None, **source}},
            "features": {"item": features},
            "split": {"by": "random", "validation": 0.1, "test": 0.2},
            **parts,
        }
    )


def vocabulary(ran, name: str) -> list[str]:
    path = ran.directory / "artifacts" / "statistics" / "vocabularies" / f"{name}.txt"
    return path.read_text(encoding="utf-8").split("\n")[:-1]


@pytest.mark.slow
def test_crowdflower(tmp_path: Path) -> None:
    folder, rows = published("crowdflower", "relevance.csv")
    config = config_of(
        {"path": "relevance.csv", "item": "id"},
        [
            {"name": "query", "kind": "text", "table": "title"},
            {"name": "title", "column": "product_title", "kind": "text", "length": 16},
            {
                "name": "grams",
                "column": "product_title",
                "kind": "text",
                "tokens": {"kind": "characters", "ngrams": [3, 4]},
                "length": 64,
                "hash_buckets": 100_000,
            },
            {
                "name": "about",
                "column": "product_description",
                "kind": "text",
                "length": 200,
                "max_bytes": 512,
            },
        ],
        tasks={"relevance": {"kind": "regression", "label": "median_relevance"}},
    )

    ran = run_components(config, folder, tmp_path)

    summary = ran.summaries["ExampleGen"]
    assert (summary[LOG], summary["kept"]) == (len(rows), len(rows))
    splits = ran.summaries["Transform"]["splits"]
    assert sum(splits.values()) == len(rows)
    by_id = {row["id"]: row for row in rows}
    keys = ran.table("transformed/catalogue.parquet").column("key").to_pylist()
    known = {name: vocabulary(ran, name) for name in ("title", "about")}
    counted = {name: Counter() for name in known}
    for split in splits:
        for made in ran.rows(f"transformed/{split}"):
            row = by_id[keys[made["meta/item"]]]
            expected = {
                "query": words(row["query"], 12),
                "title": words(row["product_title"], 16),
                "about": words(row["product_description"], 200, 512),
            }
            for name, tokens in expected.items():
                table = known["about" if name == "about" else "title"]
                ids = [i for i in made[name] if i]
                # Odd characters of this file change under NFKC: there the count alone is sure.
                assert len(ids) == len(tokens)
                if all(unicodedata.is_normalized("NFKC", token) for token in tokens):
                    assert [table[i - 2] for i in ids if i > 1] == [
                        token for token in tokens if token in table
                    ]
                if split == "train":
                    counted["about" if name == "about" else "title"].update(tokens)
            marked = "".join(f"<{word}>" for word in words(row["product_title"], 99))
            assert bool(marked) == bool(made["grams"][0])
            assert all(0 <= i <= 100_000 for i in made["grams"])
    for name, table in known.items():
        plain = {t for t in counted[name] if unicodedata.is_normalized("NFKC", t)}
        often = {token for token in plain if counted[name][token] >= 2}
        assert often <= set(table)
        assert not set(table) & (plain - often)


def test_fashion(tmp_path: Path) -> None:
    folder, rows = published("fashion-products", "styles.csv")
    config = config_of(
        {"path": "styles.csv", "item": "id"},
        [
            {
                "name": "pairs",
                "column": "productDisplayName",
                "kind": "text",
                "tokens": {"kind": "words", "ngrams": [1, 2]},
                "length": 24,
            }
        ],
        tasks={"gender": {"kind": "multi_class", "label": "gender"}},
    )

    ran = run_components(config, folder, tmp_path)

    assert ran.summaries["ExampleGen"]["kept"] == len(rows) == 44_446
    splits = ran.summaries["Transform"]["splits"]
    assert sum(splits.values()) == len(rows)
    names = {row["id"]: re.findall("[a-z0-9]+", row["productDisplayName"].lower()) for row in rows}
    keys = ran.table("transformed/catalogue.parquet").column("key").to_pylist()
    table = vocabulary(ran, "pairs")
    known = set(table)
    counted: Counter[str] = Counter()
    for split in splits:
        made = ran.table(f"transformed/{split}")
        items = made.column("meta/item").to_pylist()
        for item, ids in zip(items, made.column("pairs").to_pylist(), strict=True):
            alone = names[keys[item]]
            tokens = [*alone, *(f"{a} {b}" for a, b in pairwise(alone))][:24]
            assert [token if token in known else None for token in tokens] == [
                table[i - 2] if i > 1 else None for i in ids if i
            ]
            if split == "train":
                counted.update(tokens)
    often = sorted((-n, token) for token, n in counted.items() if n >= 2)
    assert table == [token for _, token in often][:50_000]
