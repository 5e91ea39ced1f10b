"""The Complete Journey as a log of shown products, of which some come up after the training.

Beside every purchase stand three other products, drawn evenly from those that are new when it is,
so that being new says nothing about being bought.
"""

import csv
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

BESIDE = 3
"""Products that stand beside every one that is bought."""


def write_logs(source: Path, first: Path, newer: Path) -> None:
    """Writes two logs, each with the table of products.

    Args:
        source: the published files.
        first: directory of the log in which the test's new products are unknown.
        newer: directory of the one in which half of their purchases are known.
    """
    lines = _read(source / "transactions_sample.csv")
    products = np.array([line["product_id"] for line in lines])
    names, number = np.unique(products, return_inverse=True)
    random = np.random.RandomState(0)
    drawn = random.permutation(len(names)) / len(names)
    share = random.permutation(len(lines)) / len(lines)
    added, waiting = drawn < 0.2, (drawn >= 0.2) & (drawn < 0.3)
    others = {True: names[added], False: names[~added & ~waiting]}
    first_part, later_part = _parts(added[number], waiting[number], share)
    rows: dict[Path, list[tuple[str, str, int, str, int]]] = {first: [], newer: []}
    for place, line in enumerate(lines):
        item = number[place]
        beside = names[waiting] if waiting[item] else others[bool(added[item])]
        shown = [(names[item], 1), *((name, 0) for name in random.choice(beside, BESIDE))]
        for log, part in ((first, first_part[place]), (newer, later_part[place])):
            for name, bought in shown if part else ():
                rows[log].append((line["household_id"], name, bought, part, int(added[item])))
    for log, own in rows.items():
        _write(log / "shown.csv", ["household_id", "product_id", "bought", "part", "added"], own)
        shutil.copyfile(source / "products.csv", log / "products.csv")


def _parts(
    added: np.ndarray, waiting: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The split of each purchase in both logs, "" where it is in none."""
    before = np.select(
        [added, waiting, share < 0.1, share < 0.2, share < 0.25],
        ["test", "validation", "validation", "test", ""],
        "train",
    )
    after = np.select(
        [waiting, added & (share < 0.5), added, share < 0.1, share < 0.2, share < 0.25],
        ["", "train", "test", "", "test", "train"],
        "",
    )
    return before, after


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
