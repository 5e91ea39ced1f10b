"""The same data and configuration give the same bytes, in whatever order bundles and files come."""

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_components import Ran, run_components
from shop_runs import CONFIG, contents

from pipelines.preprocess import parsing
from pipelines.preprocess.writing import read_json
from pipelines.simulator import simulate
from tfmtl.config import load

BLOCK = 30_000
"""Bytes of a block, so that each file has several."""


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        # Some buckets of users and some shards, as a larger log has.
        patch.setattr("pipelines.preprocess.shards._ROWS_PER_BUCKET", 1_000)
        patch.setattr("pipelines.preprocess.shards._ROWS_PER_SHARD", 1_500)
        yield patch


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("logs")
    simulate(directory, impressions=4_000, seed=3, users=200)
    return directory


def run(data: Path, directory: Path, block_bytes: int = BLOCK) -> Ran:
    with pytest.MonkeyPatch.context() as patch:
        build = partial(parsing.build, block_bytes=block_bytes)
        patch.setattr("pipelines.preprocess.generating.parsing.build", build)
        return run_components(load(CONFIG), data, directory)


@pytest.fixture(scope="module")
def usual(logs: Path, patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(logs, tmp_path_factory.mktemp("usual"))


def test_the_run_has_blocks_buckets_and_shards(usual: Ran):
    assert len(list((usual.directory / "artifacts" / "examples" / "log").iterdir())) >= 8
    assert len(list((usual.directory / "artifacts" / "transformed" / "train").iterdir())) >= 2


@pytest.mark.parametrize("seed", [1, 2])
def test_bundles_in_another_order(
    usual: Ran, logs: Path, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
):
    made = beam.Create.__init__
    shuffled = []

    def create(self: beam.Create, values: Any, *args: Any, **kwargs: Any) -> None:
        values = list(values)
        random.Random(seed).shuffle(values)
        shuffled.append(len(values))
        made(self, values, *args, **kwargs)

    monkeypatch.setattr(beam.Create, "__init__", create)
    other = run(logs, tmp_path)
    assert max(shuffled) >= 8
    assert contents(other.directory) == contents(usual.directory)


def test_files_of_other_names_and_order(usual: Ran, logs: Path, tmp_path: Path):
    data = tmp_path / "data"
    (data / "impressions").mkdir(parents=True)
    parts = sorted((logs / "impressions").iterdir())
    assert len(parts) > 1
    for place, part in enumerate(parts):
        (data / "impressions" / f"{len(parts) - place:03d}-late.csv").write_bytes(part.read_bytes())
    for name in ("items.parquet", "users.parquet"):
        (data / name).write_bytes((logs / name).read_bytes())
    other = run(data, tmp_path / "run")
    # Dead letters name the file that they are from.
    ours, theirs = contents(other.directory), contents(usual.directory)
    assert ours.keys() == theirs.keys()
    assert {n for n in ours if ours[n] != theirs[n]} == {n for n in ours if "dead_letters" in n}
    for name in (n for n in ours if "dead_letters" in n):
        rows, wanted = (
            pq.read_table(ran.directory / "artifacts" / name).drop_columns(["file"])
            for ran in (other, usual)
        )
        assert rows == wanted


def test_blocks_of_another_size(usual: Ran, logs: Path, tmp_path: Path):
    """The log is cut at other places; but for the last bits of means, what is learned stays."""
    other = run(logs, tmp_path, block_bytes=2 * BLOCK + 1)
    ours, theirs = contents(other.directory), contents(usual.directory)
    log = "examples/log/"
    assert {n for n in ours if n.startswith(log)} != {n for n in theirs if n.startswith(log)}
    same = [n for n in theirs if n.startswith(("statistics/vocabularies/", "transformed/"))]
    assert len(same) > 10
    moments = "transformed/moments.json"
    assert {n for n in same if ours.get(n) != theirs[n]} <= {moments}
    found, wanted = (read_json(ran.directory / "artifacts" / moments) for ran in (other, usual))
    assert found.keys() == wanted.keys()
    for name, known in wanted.items():
        assert found[name] == pytest.approx(known, rel=1e-12)


def test_another_seed_shuffles_otherwise(usual: Ran, logs: Path, tmp_path: Path):
    config = load(CONFIG, ["seed=99"])
    with pytest.MonkeyPatch.context() as patch:
        build = partial(parsing.build, block_bytes=BLOCK)
        patch.setattr("pipelines.preprocess.generating.parsing.build", build)
        other = run_components(config, logs, tmp_path)
    first, second = usual.table("transformed/train"), other.table("transformed/train")
    assert first.num_rows == second.num_rows
    assert first != second
    assert _rows(first) == _rows(second)


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    names = ["meta/user", "meta/item", "meta/time", "position"]
    return sorted(zip(*(table.column(name).to_pylist() for name in names), strict=True))
