"""A new catalogue for a served model: what it holds, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny

import tfmtl
from pipelines.cli import main
from pipelines.components.base import PipelineError
from pipelines.reindexing.catalogue import Change, compared, make_catalogue
from pipelines.reindexing.items import described_by, read_items
from pipelines.reindexing.reindex import reindex
from serving.pushing.versions import KERAS_MODEL
from tfmtl.config import Config

ITEMS = {
    "item_id": ["i2", "i1", "n1"],
    "category": ["hats", "shoes", "boots"],
    "price": [19.0, 9.0, 99.0],
    "title": ["BLUE hat", "Red shoe", "hat"],
}
"""Two of the tiny shop's items and a new one, which has the features of its i6."""


def silent(done: int, total: int | None, unit: str, note: str = "") -> None:
    pass


@pytest.fixture(scope="module")
def base_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A served model's versions, of which the latest has its Keras model."""
    directory = tmp_path_factory.mktemp("reindex")
    transformed = tiny.write_transformed(directory / "transformed")
    base_path = directory / "serving" / "tiny"
    tfmtl.save_model(tiny.make_model(), base_path / "3" / KERAS_MODEL, transformed)
    return base_path


def write(path: Path, **changes: list) -> Path:
    columns = {**ITEMS, **changes}
    pq.write_table(pa.table({n: v for n, v in columns.items() if v is not None}), path)
    return path


def made(
    base_path: Path, path: Path, work: Path, config: Config | None = None
) -> tuple[pa.Table, Change, int]:
    config, home = config or tiny.make_config(), base_path / "3" / KERAS_MODEL
    rows, duplicates = read_items(config, path, work, silent)
    before = pq.read_table(home / "catalogue.parquet")
    catalogue = make_catalogue(config, described_by(config, path), rows, before, home)
    return catalogue, compared(config, catalogue, before, path), duplicates


def test_items_are_encoded_as_in_training(base_path, tmp_path) -> None:
    catalogue, change, duplicates = made(base_path, write(tmp_path / "new.parquet"), tmp_path)
    before = pq.read_table(base_path / "3" / KERAS_MODEL / "catalogue.parquet").to_pylist()
    rows = catalogue.to_pylist()
    assert [row["key"] for row in rows] == ["i2", "i1", "n1"]
    names = ["item_id", "category", "price", "title_words"]
    for row, place in ((rows[0], 1), (rows[1], 0)):
        assert {name: row[name] for name in names} == {n: before[place][n] for n in names}
    # What is told of a new item is told of i6, whose id is known, by its features.
    assert rows[2]["item_id"] == 1
    assert {n: rows[2][n] for n in names[1:]} == {n: before[5][n] for n in names[1:]}
    assert [row["raw/title"] for row in rows] == ITEMS["title"]
    assert [row["raw/price"] for row in rows] == ITEMS["price"]
    assert change == Change(items=3, new=1, gone=4)
    assert duplicates == 0


def test_csv_and_json_lines_give_the_same(base_path, tmp_path) -> None:
    expected, _, _ = made(base_path, write(tmp_path / "new.parquet"), tmp_path / "a")
    rows = [dict(zip(ITEMS, values, strict=True)) for values in zip(*ITEMS.values(), strict=True)]
    lines = tmp_path / "new.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = tmp_path / "items[1].csv"  # a name, no pattern
    text = [",".join(map(str, row.values())) for row in rows]
    table.write_text("\n".join([",".join(ITEMS), *text]) + "\n")
    for number, path in enumerate((lines, table)):
        found, _, _ = made(base_path, path, tmp_path / str(number))
        assert found.equals(expected)


def test_what_is_missing_is_missing(base_path, tmp_path) -> None:
    path = write(tmp_path / "new.parquet", category=[None, "", "hats"], price=[None, 1.0, 2.0])
    catalogue, _, _ = made(base_path, path, tmp_path)
    assert catalogue["category"].to_pylist()[:2] == [0, 0]
    assert np.isfinite(catalogue["price"].to_numpy()).all()


def test_shares_of_known_items_stay_and_new_ones_get_the_least(base_path, tmp_path) -> None:
    config, home = tiny.make_config(), base_path / "3" / KERAS_MODEL
    before = pq.read_table(home / "catalogue.parquet")
    shares = np.array([0.5, 0.2, 0.1, 0.1, 0.06, 0.04], np.float32)
    place = before.schema.get_field_index("meta/sampling_probability")
    before = before.set_column(place, "meta/sampling_probability", pa.array(shares))
    path = write(tmp_path / "new.parquet")
    rows, _ = read_items(config, path, tmp_path, silent)
    catalogue = make_catalogue(config, described_by(config, path), rows, before, home)
    found = catalogue["meta/sampling_probability"].to_numpy()
    np.testing.assert_allclose(found, [0.2, 0.5, 0.04])


def test_of_several_rows_of_a_key_the_declared_one_counts(base_path, tmp_path) -> None:
    path = write(
        tmp_path / "new.parquet", item_id=["i1", "i2", "i1"], category=["hats", "hats", "shoes"]
    )
    catalogue, _, duplicates = made(base_path, path, tmp_path / "last")
    assert duplicates == 1
    assert catalogue["raw/category"].to_pylist() == ["hats", "shoes"]
    first = tiny.make_config({"source.items.duplicates": "first"})
    catalogue, _, _ = made(base_path, path, tmp_path / "first", first)
    assert catalogue["raw/category"].to_pylist() == ["hats", "hats"]
    strict = tiny.make_config({"source.items.duplicates": "error"})
    with pytest.raises(PipelineError, match=r"new.parquet: 1 rows repeat the key .* item_id 'i1'"):
        made(base_path, path, tmp_path / "error", strict)


WRONG = {
    "a feature's column": (
        {"category": None},
        "features.item 'category': there is no column 'category' in ",
    ),
    "the key": ({"item_id": None}, "source.items.key: there is no column 'item_id' in "),
    "no row": ({name: [] for name in ITEMS}, "expected items, there is no row in it"),
    "no key": (
        {"item_id": ["i1", None, ""]},
        "2 of 3 rows are bad, source.max_bad_share allows 0.01; most often: missing key in column "
        "'item_id' (2); correct them",
    ),
    "a text as a number": (
        {"price": ["cheap", "1", "2"]},
        "1 of 3 rows are bad, source.max_bad_share allows 0.01; most often: ",
    ),
    "keys of another kind": (
        {"item_id": [1, 2, 3]},
        "expected keys such as 'i1', none of its items is in the served catalogue, the first is "
        "'1'; is it the right column and type?",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_items_are_one_clear_line(base_path, tmp_path, case) -> None:
    changes, says = WRONG[case]
    path = write(tmp_path / "new.parquet", **changes)
    with pytest.raises(PipelineError) as caught:
        reindex(base_path, path, [], silent)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [child.name for child in base_path.parent.iterdir()] == ["tiny"]
    assert [child.name for child in base_path.iterdir()] == ["3"]


def test_an_empty_file_and_a_damaged_one(base_path, tmp_path) -> None:
    for name, content, says in (
        ("new.csv", b"", "is empty (0 bytes)"),
        ("new.parquet", b"PAR1 no more", "no readable Parquet file, it may be truncated"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(PipelineError) as caught:
            reindex(base_path, path, [], silent)
        assert says in str(caught.value)


def test_whole_numbers_as_keys_where_answers_hold_them(base_path, tmp_path) -> None:
    item = {**tiny.RAW["features"]["item"][0], "dtype": "int64"}
    features = {**tiny.RAW["features"], "item": [item, *tiny.RAW["features"]["item"][1:]]}
    config = tiny.make_config({"features": features})
    path = write(tmp_path / "new.parquet", item_id=["i1", "2", "3"])
    with pytest.raises(PipelineError, match=r"expected whole numbers as keys, .* got 'i1'"):
        made(base_path, path, tmp_path, config)


def test_a_version_without_its_keras_model(tmp_path) -> None:
    (tmp_path / "shop" / "1").mkdir(parents=True)
    with pytest.raises(PipelineError, match="expected a version with its Keras model"):
        reindex(tmp_path / "shop", write(tmp_path / "new.parquet"), [], silent)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--items", "nowhere.csv"], "there is no file nowhere.csv"),
        (
            ["--items", __file__, "--set", "training.epochs=2"],
            "training.epochs is of the model, which stays as it is; only keys below serving",
        ),
        (["--items", __file__, "--set", "serving.name=other"], "serving.name is of the model"),
        (["--items", __file__, "--set", "serving.index.kind=tree"], "serving.index.kind"),
        (["--items", __file__, "--model", "other"], "there is no model 'other'"),
    ],
)
def test_wrong_usage_is_one_line(base_path, capsys, words, says) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["reindex", str(base_path.parent.parent), *words])
    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert says in printed.err
    assert printed.err.count("\n") == 1
