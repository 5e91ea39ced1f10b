"""What a fashion product is, told from its name: six tasks in one model, by text encoder.

Fashion Product Images: masterCategory, subCategory, articleType, gender, season and usage of 44,446
products. A fifth of them is test, a tenth validation, the rest training; once more with a tenth of
the training rows. Which row is where follows from its id.

TF-IDF + LR    a logistic regression a task, by scikit-learn, tuned on validation task by task
cnn            words' embeddings, filters over neighbouring ones, the largest answer of each
transformer    words' embeddings that look at each other, their mean
pretrained     all-MiniLM-L6-v2, frozen: one vector a name, beside the words' cnn
  alone        that vector alone

The figure is the mean F1 of classes: of those with at least 10 rows among all training rows, and of
those with at least 50, where one test row does not move a class's F1 by points. All else is chosen
on the validation rows.
"""

import csv
import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Bar
from benchmarks.quality_of.crowdflower import minilm
from benchmarks.quality_of.experiments import Metrics, Table, transform
from benchmarks.training_of.environments import python_of
from tfmtl.config import parse

TASKS = ("masterCategory", "subCategory", "articleType", "gender", "season", "usage")
SHARES = {"all": 1.0, "a tenth": 0.1}
RULES = {"macro_f1": 10, "macro_f1 of 50+": 50}
"""Training rows that a class must have to count, by metric."""
TOLD = "macro_f1"
PEER, CNN, TRANSFORMER, PRETRAINED = "TF-IDF + LR", "cnn", "transformer", "pretrained"
ALONE = "pretrained alone"

Classes = dict[str, dict[str, list[str]]]
"""Those that count, by metric and task."""


def measured(data: Path, work: Path, seeds: Sequence[int]) -> tuple[Table, list[Bar]]:
    """Every encoder beside the peer, on all training rows and on a tenth."""
    source = data / "fashion-products" / "styles.csv"
    table = Table("Fashion products from their names, macro F1 on a fifth of the products")
    classes = {share: _write(source, work / share, part) for share, part in SHARES.items()}
    counted = classes["all"]
    for share in SHARES:
        table.add(f"{PEER}, {share}", [_of_peer(work / share, counted)])
        for name, spec in models().items():
            dropout = spec.get("dropout", {}).get(share, 0.0)
            config = configuration(spec["texts"], spec["epochs"][share], dropout)
            transformed = transform(config, work / share, work / f"{share} {name}")
            runs = [_trained(config, seed, transformed, counted) for seed in seeds]
            table.add(f"{name}, {share}", runs)
    for metric, of_tasks in counted.items():
        sizes = ", ".join(f"{task} {len(classes)}" for task, classes in of_tasks.items())
        table.notes.append(f"classes of {metric}: {sizes}")
    table.notes.append(f"{PEER} is the same whatever the seed")
    return table, [bar for metric in RULES for bar in _bars(table, metric)]


def _bars(table: Table, metric: str) -> list[Bar]:
    means = {name: metrics[f"mean {metric}"] for name, metrics in table.means.items()}
    gains = {
        share: {n: means[f"{n}, {share}"] - means[f"{PEER}, {share}"] for n in models()}
        for share in SHARES
    }
    others = max(gains["a tenth"][name] for name in (CNN, TRANSFORMER))
    above = means[f"{PRETRAINED}, all"] - means[f"{CNN}, all"]
    return [
        Bar(f"fashion: {metric} of cnn above {PEER}'s", 0.0, gains["all"][CNN]),
        Bar(f"fashion: {metric} of pretrained above cnn's", 0.0, above),
        Bar(
            f"fashion, a tenth of the rows: {metric} of pretrained gains more than the others",
            0.0,
            gains["a tenth"][PRETRAINED] - others,
        ),
        Bar(
            f"fashion: {metric} of pretrained above cnn, a tenth of the rows less all",
            0.0,
            means[f"{PRETRAINED}, a tenth"] - means[f"{CNN}, a tenth"] - above,
        ),
    ]


def models() -> dict[str, dict[str, Any]]:
    """How each model reads a name, its epochs and its dropout by share of the rows."""
    words = {"name": "words", "dim": 64, "length": 16, "min_count": 1}
    filters = {"kind": "cnn", "filters": 512, "width": 3, "dropout": 0.3}
    attention = {"kind": "transformer", "blocks": 1, "heads": 4, "dropout": 0.2}
    minilm_l6 = {"kind": "pretrained", "checkpoint": minilm()}
    cnn = {**words, "encoder": filters}
    vector = {"name": "vector", "dim": 384, "length": 32, "encoder": minilm_l6}
    epochs = {"all": 8, "a tenth": 24}
    return {
        CNN: {"texts": [cnn], "epochs": epochs, "dropout": {"a tenth": 0.5}},
        TRANSFORMER: {
            "texts": [{**words, "encoder": attention}],
            "epochs": {"all": 8, "a tenth": 16},
        },
        PRETRAINED: {
            "texts": [vector, cnn],
            "epochs": epochs,
            "dropout": {"all": 0.3, "a tenth": 0.5},
        },
        ALONE: {"texts": [vector], "epochs": {"all": 16, "a tenth": 20}},
    }


def configuration(
    texts: Sequence[Mapping[str, Any]], epochs: int, dropout: float
) -> dict[str, Any]:
    """The configuration of a model.

    Args:
        texts: how it reads a name.
        epochs: how many.
        dropout: of the layer that the tasks share.
    """
    column = {"column": "productDisplayName", "kind": "text"}
    return {
        "name": "fashion",
        "source": {"impressions": {"path": "styles.csv", "item": "id", "user": None, "time": None}},
        "features": {"item": [{**column, **text} for text in texts]},
        "tasks": {
            task: {"kind": "multi_class", "label": task, "class_balance": 0.5} for task in TASKS
        },
        "model": {
            "trunk": {"kind": "shared_bottom", "units": [512], "dropout": dropout},
            "tower": [],
        },
        "training": {
            "epochs": epochs,
            "batch_size": 128,
            "optimizer": {"tables": {"kind": "lazy_adam", "learning_rate": 0.003}},
        },
        "split": {
            "by": "column",
            "column": "part",
            **{part: [part] for part in ("train", "validation", "test")},
        },
    }


def _trained(config: Mapping[str, Any], seed: int, transformed: Path, classes: Classes) -> Metrics:
    from tfmtl.training.evaluating import measure
    from tfmtl.training.trainer import train

    seeded = parse({**config, "seed": seed})
    model = train(seeded, transformed).model
    found = measure(model, seeded, transformed, in_full=False).tasks
    f1 = {t: {row["name"]: row["f1"] for row in found[t]["classes"]} for t in TASKS}
    return {n: v for rule in classes for n, v in _means(f1, rule, classes).items()}


def _of_peer(home: Path, classes: Classes) -> Metrics:
    counted = home / "classes.json"
    counted.write_text(json.dumps(classes), encoding="utf-8")
    script = Path(__file__).parent / "peers" / "tfidf_lr.py"
    command = [python_of("scikit-learn"), script, home / "styles.csv", counted]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    return {n: v for rule in classes for n, v in _means(found[rule], rule, classes).items()}


def _means(f1: Mapping[str, Mapping[str, float | None]], rule: str, classes: Classes) -> Metrics:
    """Mean of the tasks' macro F1, and of one rule each task's as well.

    A class that was never named has an F1 of 0.
    """
    found = {
        f"{task} {rule}": float(np.mean([f1[task].get(one) or 0.0 for one in named]))
        for task, named in classes[rule].items()
    }
    mean = {f"mean {rule}": float(np.mean(list(found.values())))}
    return mean | (found if rule == TOLD else {})


def _write(source: Path, home: Path, share: float) -> Classes:
    """Writes the products with their part, and a share of the training rows.

    Returns:
        Classes with enough of the training rows that were written and a test row.
    """
    with source.open(encoding="utf-8", newline="") as file:
        rows = [{**row, "part": _part(row["id"], share)} for row in csv.DictReader(file)]
    rows = [row for row in rows if row["part"]]
    home.mkdir(parents=True, exist_ok=True)
    with (home / "styles.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "productDisplayName", *TASKS, "part"], "", "ignore")
        writer.writeheader()
        writer.writerows(rows)
    counts = Counter((row["part"], task, row[task]) for row in rows for task in TASKS)
    return {
        metric: {
            task: sorted(
                name
                for part, of, name in counts
                if (part, of) == ("test", task) and name and counts["train", task, name] >= least
            )
            for task in TASKS
        }
        for metric, least in RULES.items()
    }


def _part(product: str, share: float) -> str:
    """Where a product belongs; "" for a training row beyond the share."""
    digest = hashlib.blake2b(product.encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    if place < 0.3:
        return "test" if place < 0.2 else "validation"
    return "train" if place < 0.3 + 0.7 * share else ""
