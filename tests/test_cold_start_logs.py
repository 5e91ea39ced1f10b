"""The benchmark's logs: what is new is new, and no purchase is both learnt from and measured."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality_of.cold_start import KNOWN, NEW, choose
from benchmarks.quality_of.cold_start_logs import BESIDE, write_logs

PRODUCTS, LINES = 50, 4_000
Log = list[dict[str, str]]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Log, Log]:
    """The lines of a product are bought by a household each, so that a line can be told again."""
    home = tmp_path_factory.mktemp("completejourney")
    random = np.random.default_rng(3)
    lines = [f"{n},p{random.integers(PRODUCTS)}" for n in range(LINES)]
    head = "household_id,product_id"
    (home / "transactions_sample.csv").write_text("\n".join([head, *lines]) + "\n")
    (home / "products.csv").write_text("product_id,department\np1,GROCERY\n")
    write_logs(home, home / "first", home / "newer")
    assert (home / "newer" / "products.csv").read_text().endswith("p1,GROCERY\n")
    first, newer = (read(home / name / "shown.csv") for name in ("first", "newer"))
    return first, newer


def read(path: Path) -> Log:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def products(log: Log, part: str) -> set[str]:
    return {row["product_id"] for row in log if row["part"] == part}


def households(log: Log, part: str) -> set[str]:
    return {row["household_id"] for row in log if row["part"] == part}


def added(log: Log) -> set[str]:
    return {row["product_id"] for row in log if row["added"] == "1"}


def test_new_products_stand_in_one_part_and_beside_one_another(logs: tuple[Log, Log]) -> None:
    first, _ = logs
    train = products(first, "train")
    new, waiting = products(first, "test") - train, products(first, "validation") - train
    assert (len(new), len(waiting)) == (PRODUCTS // 5, PRODUCTS // 10)
    assert not new & products(first, "validation")
    assert not waiting & products(first, "test")
    assert new == added(first)
    groups: dict[str, set[str]] = {}
    for row in first:
        group = "new" if row["product_id"] in new else "waiting"
        group = group if row["product_id"] in new | waiting else "known"
        groups.setdefault(row["household_id"], set()).add(group)
    assert all(len(found) == 1 for found in groups.values())


def test_every_purchase_has_products_beside_it(logs: tuple[Log, Log]) -> None:
    for log in logs:
        bought = Counter(r["household_id"] for r in log if r["bought"] == "1")
        beside = Counter(r["household_id"] for r in log if r["bought"] == "0")
        assert set(bought.values()) == {1}
        assert beside == dict.fromkeys(bought, BESIDE)


def test_new_products_are_learnt_from_half_their_purchases(logs: tuple[Log, Log]) -> None:
    first, newer = logs
    assert added(newer) == added(first)
    own = [row for row in newer if row["added"] == "1" and row["bought"] == "1"]
    assert Counter(row["part"] for row in own)["train"] / len(own) == pytest.approx(0.5, abs=0.06)
    assert products(newer, "train") - added(newer)


def test_no_purchase_is_learnt_from_and_measured(logs: tuple[Log, Log]) -> None:
    first, newer = logs
    for log in logs:
        assert not households(log, "train") & households(log, "test")
    seen = households(first, "train") | households(first, "validation")
    assert not seen & (households(newer, "train") | households(newer, "test"))
    assert households(newer, "test") < households(first, "test")


@pytest.mark.parametrize(
    ("known", "chosen"),
    [((0.8, 0.796, 0.79), 0.1), ((0.8, 0.79, 0.7), 0.5), ((0.8, 0.9, 0.9), 0.5)],
)
def test_the_best_on_new_items_is_chosen_of_those_that_cost_little(
    known: tuple[float, ...], chosen: float
) -> None:
    new = (0.9, 0.7, 0.75)
    found = {
        dropout: {NEW: one, KNOWN: other}
        for dropout, one, other in zip((0.0, 0.1, 0.5), new, known, strict=True)
    }
    assert choose(found) == chosen
