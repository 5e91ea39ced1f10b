"""Low-rank adapters beside full fine-tuning of a pretrained encoder: what they gain, and how many
weights they train.

Fashion products, a subset as small as those for which one takes a pretrained encoder: the article
type and the season from the product's name, by accuracy. The three models differ in the encoder's
`tuning` and in its learning rate alone:

frozen   all-MiniLM-L6-v2 as it is
LoRA     rank 8, alpha 16, on every dense kernel of its blocks
full     every weight

The gain is the mean accuracy of the two tasks above that of `frozen`. Rates and epochs, 4 or 8,
were chosen on the validation rows: full tuning had learnt by 4, adapters go on to 8.
"""

import csv
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Bar
from benchmarks.quality_of.crowdflower import minilm
from benchmarks.quality_of.experiments import Metrics, Table, measure, transform
from tfmtl.config import parse

FROZEN, LORA, FULL = "frozen", "LoRA", "full"
EPOCHS = {FROZEN: 8, LORA: 8, FULL: 4}
TASKS = {"article": "articleType", "season": "season"}
MEAN = "both accuracy"
_PARTS = {"train": 2_000, "validation": 1_000, "test": 2_000}
_FEWEST = 20


def measured(data: Path, work: Path, seeds: Sequence[int]) -> tuple[Table, list[Bar]]:
    """The same model with a frozen, an adapted and a fully tuned encoder."""
    _write(data / "fashion-products" / "styles.csv", work / "data")
    table = Table(
        f"Fashion products, {_PARTS['train']:,} names to train on, accuracy on "
        f"{_PARTS['test']:,} others"
    )
    for name, encoder in encoders().items():
        config = configuration(encoder, EPOCHS[name])
        transformed = transform(config, work / "data", work / name)
        table.add(name, measure(config, transformed, seeds, _accuracies))
    table.baselines = table.means[FROZEN]
    start, adapted, full = (table.means[name][MEAN] for name in (FROZEN, LORA, FULL))
    share, weights = trained_share(work / LORA / "artifacts" / "transformed")
    table.notes = [f"LoRA trains {share:.2%} of the encoder's {weights:,} weights"]
    return table, [
        Bar("LoRA's gain of full fine-tuning's", 0.98, (adapted - start) / (full - start)),
        Bar("weights that LoRA trains of an encoder's", 0.02, share, at_most=True),
    ]


def encoders() -> dict[str, dict[str, Any]]:
    """What becomes of the encoder, by the model's name."""
    encoder = {"kind": "pretrained", "checkpoint": minilm()}
    return {
        FROZEN: encoder,
        LORA: {
            **encoder,
            "tuning": "lora",
            "lora": {"rank": 8, "alpha": 16, "targets": ["block_*"]},
        },
        FULL: {**encoder, "tuning": "full"},
    }


def configuration(encoder: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """The configuration of a model with an encoder."""
    # Adapters learn at the rate of new layers, trained weights at a twentieth of it.
    rates = {"encoders/texts": 0.05} if encoder.get("tuning") == "full" else {}
    return {
        "name": "lora",
        "source": {"impressions": {"path": "names.csv", "item": "id", "user": None, "time": None}},
        "features": {
            "item": [
                {
                    "name": "productDisplayName",
                    "kind": "text",
                    "dim": 128,
                    "length": 16,
                    "encoder": dict(encoder),
                }
            ]
        },
        "tasks": {name: {"kind": "multi_class", "label": label} for name, label in TASKS.items()},
        "model": {"trunk": {"kind": "shared_bottom", "units": [128]}, "tower": []},
        "training": {
            "epochs": epochs,
            "batch_size": 32,
            "optimizer": {"dense": {"kind": "adam", "learning_rate": 0.001}, "rates": rates},
        },
        "split": {
            "by": "column",
            "column": "part",
            **{part: [part] for part in _PARTS},
        },
    }


def trained_share(transformed: Path) -> tuple[float, int]:
    """The share of an encoder's weights that its adapters are, and how many weights it has."""
    from tfmtl.models.adapters import adapt
    from tfmtl.models.multi_task import MultiTaskModel
    from tfmtl.models.parts import variables_by_name
    from tfmtl.preprocessing.preprocessor import Preprocessor

    config = parse(configuration(encoders()[LORA], EPOCHS[LORA]))
    preprocessor = Preprocessor(config, transformed)
    model = MultiTaskModel(config, preprocessor.vocabulary_sizes, encoders=preprocessor.encoders)

    def weights(adapters: bool) -> int:
        named = variables_by_name(model).items()
        of_encoder = [(n, v) for n, v in named if n.startswith("encoders/texts/")]
        return sum(int(np.prod(v.shape)) for n, v in of_encoder if ("/lora_" in n) == adapters)

    adapt(model)
    return weights(adapters=True) / weights(adapters=False), weights(adapters=False)


def _accuracies(tasks: Mapping[str, Any]) -> Metrics:
    found = {f"{name} accuracy": tasks[name]["overall"]["accuracy"] for name in TASKS}
    return {**found, MEAN: float(np.mean(list(found.values())))}


def _write(source: Path, directory: Path) -> None:
    """Writes the parts' names, drawn from those of frequent article types."""
    with source.open(encoding="utf-8", errors="replace", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["season"]]
    counts = Counter(row["articleType"] for row in rows)
    rows = [row for row in rows if counts[row["articleType"]] >= _FEWEST]
    random.Random(0).shuffle(rows)
    parts = [part for part, size in _PARTS.items() for _ in range(size)]
    directory.mkdir(parents=True, exist_ok=True)
    columns = ["id", "productDisplayName", *TASKS.values(), "part"]
    with (directory / "names.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**row, "part": part} for row, part in zip(rows, parts, strict=False))
