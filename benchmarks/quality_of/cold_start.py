"""Products without history, ranked by what they are: The Complete Journey, what is bought by whom.

Beside every purchase stand three other products, drawn evenly. A fifth of the products are in the
test rows alone, another tenth in the validation rows alone; they stand beside one another. Of the
other products' purchases a tenth is test and a tenth validation, on which the models stop. They
differ in the share of training rows in which the product's id is dropped, which is chosen on
validation.

Then half of the purchases of the test's new products become known, and models learn from these and
from some of the other products, in one epoch. They differ in where the new rows of tables start:

unknown  at the row of unknown values
random   where those of a new model do
mean     at the mean of the rows of known values

Measured are the other half, and the test's known products again.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from benchmarks.figures import Bar
from benchmarks.quality_of.cold_start_logs import write_logs
from benchmarks.quality_of.experiments import Metrics, Table, changed, transform
from pipelines.artifacts import Transformed
from pipelines.finetuning.forgetting import Base
from pipelines.finetuning.tuning import tuning
from pipelines.pipeline import components, until
from pipelines.runner import run
from tfmtl.config import Config, parse
from tfmtl.config.evaluation import NEW_ITEM
from tfmtl.preprocessing.tables import RESERVED

if TYPE_CHECKING:
    from tfmtl.models.multi_task import MultiTaskModel

NEW, KNOWN = "bought auc new", "bought auc known"
LATER_NEW, LATER_KNOWN = "bought auc new, after", "bought auc known, after"
DROPOUTS = (0.0, 0.1, 0.3, 0.5)
STARTS = ("unknown", "random", "mean")
WITHIN = 0.005
Model = tuple["MultiTaskModel", Config]


def measured(data: Path, work: Path, seeds: Sequence[int]) -> tuple[Table, list[Bar]]:
    """New and known products by dropout; new rows of tables by where they start."""
    first, newer = work / "first", work / "newer"
    write_logs(data / "completejourney", first, newer)
    transformed = transform(configuration(), first, work / "run")
    models = {dropout: _trained(dropout, transformed, seeds) for dropout in DROPOUTS}
    table = Table(
        "The Complete Journey, bought or not: AUC of products that are new, and of the others"
    )
    validation: dict[float, Metrics] = {}
    for dropout, trained in models.items():
        table.add(title(dropout), [_figures(one, transformed, "test") for one in trained])
        validation[dropout] = _mean(_figures(one, transformed, "validation") for one in trained)
    table.baselines = table.means[title(0.0)]
    chosen = choose(validation)
    table.notes.append(f"chosen on validation: {title(chosen)}")
    examples = _with_new_rows(models[chosen][0][0], transformed, newer, work / "grown")
    for dropout in (0.0, chosen):
        for start in STARTS:
            name = f"{title(dropout)}, tuned, rows start: {start}"
            table.add(name, [_tuned(one, examples, start) for one in models[dropout]])
    best, none = table.means[title(chosen)], table.baselines
    gain, loss = best[NEW] - none[NEW], none[KNOWN] - best[KNOWN]
    name = f"cold start, {title(chosen)}: auc"
    return table, [
        Bar(f"{name} of new items above that without", 0.0, gain),
        Bar(f"{name} of known items below that without", WITHIN, loss, at_most=True),
    ]


def title(dropout: float) -> str:
    """Name of the models with a dropout."""
    return f"dropout {dropout:g}"


def choose(validation: Mapping[float, Mapping[str, float]]) -> float:
    """The dropout above 0 that is best on new items, of those that cost the known ones little where
    there are any."""
    dropped = [dropout for dropout in validation if dropout]
    least = validation[0.0][KNOWN] - WITHIN
    cheap = [dropout for dropout in dropped if validation[dropout][KNOWN] >= least]
    return max(cheap or dropped, key=lambda dropout: validation[dropout][NEW])


def configuration(dropout: float = 0.0) -> dict[str, Any]:
    """The configuration of a model that drops products' ids."""
    return {
        "name": "cold_start",
        "source": {
            "impressions": {
                "path": "shown.csv",
                "user": "household_id",
                "item": "product_id",
                "time": None,
            },
            "items": {"path": "products.csv", "key": "product_id", "title": "product_type"},
        },
        "features": {
            "user": [{"name": "household_id", "kind": "id", "dim": 32}],
            "item": [
                {"name": "product_id", "kind": "id", "dim": 32, "dropout": dropout},
                {"name": "department", "kind": "categorical"},
                {"name": "product_category", "kind": "categorical", "dim": 16},
                {"name": "product_type", "kind": "text", "dim": 16},
                {"name": "brand", "kind": "categorical"},
            ],
        },
        "tasks": {"bought": {"kind": "binary", "label": "bought"}},
        "model": {"trunk": {"kind": "shared_bottom", "units": [64]}, "tower": [32]},
        "training": {
            "epochs": 20,
            "batch_size": 2048,
            "optimizer": {"tables": {"learning_rate": 0.05, "initial_accumulator": 0.001}},
            "early_stopping": {"task": "bought", "metric": "auc", "patience": 2},
        },
        "split": {
            "by": "column",
            "column": "part",
            "train": ["train"],
            "validation": ["validation"],
            "test": ["test"],
        },
        "evaluation": {"slices": ["added"]},
        "gate": [],
    }


def _trained(dropout: float, transformed: Path, seeds: Sequence[int]) -> list[Model]:
    from tfmtl.training.trainer import train

    configs = [parse({**configuration(dropout), "seed": seed}) for seed in seeds]
    return [(train(config, transformed).model, config) for config in configs]


def _figures(trained: Model, transformed: Path, split: str) -> Metrics:
    found = _slices(*trained, transformed, split)[NEW_ITEM]
    return {NEW: found["yes"]["auc"], KNOWN: found["no"]["auc"]}


def _slices(model: "MultiTaskModel", config: Config, examples: Path, split: str) -> Any:
    from tfmtl.training.evaluating import measure

    return measure(model, config, examples, split).tasks["bought"]["slices"]


def _mean(runs: Iterable[Metrics]) -> Metrics:
    listed = list(runs)
    return {name: float(np.mean([one[name] for one in listed])) for name in listed[0]}


def _with_new_rows(model: "MultiTaskModel", transformed: Path, newer: Path, work: Path) -> Path:
    """The newer log as examples, with values behind those that the model knows."""
    from tfmtl.models.saved import save_model

    with tempfile.TemporaryDirectory(dir=newer) as home:
        save_model(model, home, transformed)
        config = parse(_later(configuration()))
        base = Base(Path(home), transformed.parents[1], 1)
        steps = tuning(until(Transformed, components(config)), base, grow=True)
        result = run(steps, config, newer, work, Console(quiet=True))
        return result.steps["Transform"].artifact


def _later(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a tuning."""
    return changed(
        config, {"training.epochs": 1, "training.early_stopping": None, "split.validation": []}
    )


def _tuned(trained: Model, examples: Path, start: str) -> Metrics:
    import keras

    from tfmtl.optimizers import build_optimizer
    from tfmtl.training.extending import extended
    from tfmtl.training.trainer import fit

    base, known = trained
    config = parse(_later(known.model_dump(mode="json")))
    keras.utils.set_random_seed(config.seed)
    model = extended(base, config, examples)
    tables, before = model.encoding.embedding, base.encoding.embedding
    random = np.random.RandomState(config.seed)
    for name in tables.tables:
        rows, old = tables.rows_of(name), before.rows_of(name)
        rows[len(old) :] = {
            "unknown": old[RESERVED - 1],
            "random": random.uniform(-0.05, 0.05, rows[len(old) :].shape),
            "mean": old[RESERVED:].mean(axis=0),
        }[start]
        tables.assign_rows({name: rows})
    model.compile(optimizer=build_optimizer(config.training.optimizer))
    fit(model, examples)
    found = _slices(model, config, examples, "test")["added"]
    return {LATER_NEW: found["1"]["auc"], LATER_KNOWN: found["0"]["auc"]}
