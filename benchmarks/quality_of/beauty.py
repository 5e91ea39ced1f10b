"""Amazon Beauty: the next item of a sequence, among all items.

22,363 users and 12,101 items; every user's last item is the test, the one before it validation. The
model is SASRec, trained on all positions by cross-entropy over all items. Published with the binary
cross-entropy of the paper: HR@10 .0605 and NDCG@10 .0318; cross-entropy reaches .083 and .0416.
Items that a user had before are ranked with the others.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv

from benchmarks.figures import Bar
from benchmarks.quality_of.experiments import Metrics, Table, changed, measure, transform

HISTORY = {
    "of": ["item_id"],
    "where": "bought",
    "last": 50,
    "name": "sequence",
    "encoder": {"kind": "sasrec", "blocks": 2, "heads": 2, "dropout": 0.5, "variant": "code"},
}
CONFIG: dict[str, Any] = {
    "name": "beauty",
    "source": {
        "impressions": {
            "path": "events.csv",
            "time": "time",
            "user": "user_id",
            "item": "item_id",
        }
    },
    "features": {
        "user": [],
        "item": [{"name": "item_id", "kind": "id", "dim": 64, "min_count": 1}],
        "history": [HISTORY],
    },
    "tasks": {
        "next": {
            "kind": "retrieval",
            "positive": "bought",
            "loss": "all_items",
            "positions": "all",
        }
    },
    "model": {
        "retrieval": {
            "kind": "sum",
            "dim": 64,
            "query": ["sequence_item_id"],
            "item": ["item_id"],
        }
    },
    "training": {
        "epochs": 60,
        "batch_size": 1536,
        "optimizer": {"tables": {"kind": "lazy_adam", "learning_rate": 0.001}},
        "early_stopping": {"task": "next", "metric": "recall@10", "patience": 4},
    },
    "split": {
        "by": "column",
        "column": "part",
        "train": ["train"],
        "validation": ["validation"],
        "test": ["test"],
    },
    "evaluation": {"top_k": [10]},
    "gate": [],
}
PUBLISHED = {"next recall@10": 0.0605, "next ndcg@10": 0.0318}


def events(source: Path, output: Path) -> Path:
    """Writes the sequences as a log of events, an hour apart, with the split of each."""
    users: list[int] = []
    items: list[int] = []
    times: list[int] = []
    parts: list[str] = []
    for line in (source / "Beauty.txt").read_text(encoding="utf-8").splitlines():
        user, *bought = map(int, line.split())
        users += [user] * len(bought)
        items += bought
        times += [1_000_000_000 + 3600 * place for place in range(len(bought))]
        parts += [*["train"] * (len(bought) - 2), "validation", "test"]
    output.mkdir(parents=True, exist_ok=True)
    table = {
        "user_id": pa.array(users).cast(pa.string()),
        "item_id": pa.array(items).cast(pa.string()),
        "time": times,
        "bought": [1] * len(users),
        "part": parts,
    }
    csv.write_csv(pa.table(table), output / "events.csv")
    return output


def measured(data: Path, work: Path, seeds: Sequence[int]) -> tuple[Table, list[Bar]]:
    """SASRec by cross-entropy over all items, and over items that are drawn; one seed each."""
    logs = events(data / "amazon-beauty", work / "logs")
    transformed = transform(CONFIG, logs, work / "run")
    table = Table("Amazon Beauty, leave one out: the next item among 12,101")
    table.add("published, SASRec", [PUBLISHED])
    losses: dict[str, Any] = {
        "all items": "all_items",
        "2,048 drawn": {"kind": "sampled", "negatives": 2048},
    }
    for name, loss in losses.items():
        config = changed(CONFIG, {"tasks.next.loss": loss})
        table.add(name, measure(config, transformed, seeds[:1], _pick))
    found = table.means["all items"]
    return table, [
        Bar(f"beauty {metric}", PUBLISHED[metric], found[metric]) for metric in PUBLISHED
    ]


def _pick(found: Mapping[str, Any]) -> Metrics:
    return {metric: found["next"]["overall"][metric.split()[1]] for metric in PUBLISHED}
