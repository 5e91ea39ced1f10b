"""The cosines of the tasks' and the scenarios' gradients, followed through a training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfmtl.models.competition import cosines, gradient_products
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.training.examples import read_examples

_ROWS = 8192


class Cosines:
    """Measures gradients on the same training rows again and again while the model learns.

    The rows are drawn once, so that what changes is the model. Their number is that of whole
    batches, of at most 8192 rows together.

    Args:
        model: the model that learns.
        examples: directory of the training rows.
        batches: batches of an epoch.

    Attributes:
        records: `{"step", "epoch", "pairs", "tables", "by_scenario", "scenarios"}` of every
            measurement. `pairs` holds the cosines of ranking tasks on the shared representation,
            `{"click|cart": c}`; `tables` those of all tasks on the embedding tables; `by_scenario`
            the pairs by scenario; `scenarios` the cosines of scenarios on the dense parameters.
            What there is nothing of is left out.
    """

    def __init__(self, model: MultiTaskModel, examples: Path, batches: int) -> None:
        config = model.config
        self.records: list[dict[str, Any]] = []
        self._config, self._batches = config, batches
        often = min(config.training.gradient_cosines, batches)
        self._due = {batches * (i + 1) // often - 1 for i in range(often)}
        size = min(config.training.batch_size, _ROWS)
        rows = read_examples(examples, config, batch_size=size) if often else None
        self._rows = list(rows.take(max(_ROWS // size, 1))) if rows is not None else []
        self._measure = tf.function(
            lambda x, y, w: gradient_products(model, x, y, w), reduce_retracing=True
        )

    def after(self, epoch: int, batch: int) -> None:
        """Measures where a measurement is due after a batch, both counted from 0."""
        if batch not in self._due:
            return
        products: dict[str, np.ndarray] = {}
        for rows in self._rows:
            for name, value in self._measure(*rows).items():
                products[name] = products.get(name, 0.0) + value.numpy()
        step = epoch * self._batches + batch + 1
        self.records.append({"step": step, "epoch": epoch + 1, **self._named(products)})

    def _named(self, products: Mapping[str, np.ndarray]) -> dict[str, Any]:
        tasks, ranking = list(self._config.tasks), list(self._config.ranking_tasks)
        scenarios = self._config.scenario.values if self._config.scenario else []
        named: dict[str, Any] = {"pairs": {}}
        if "representation" in products:
            named["pairs"] = cosines(products["representation"], ranking)
        if "tables" in products:
            named["tables"] = cosines(products["tables"], tasks)
        if "by_scenario" in products:
            by_scenario = zip(scenarios, products["by_scenario"], strict=True)
            named["by_scenario"] = {value: cosines(of, ranking) for value, of in by_scenario}
        if "scenarios" in products:
            named["scenarios"] = cosines(products["scenarios"], scenarios)
        return named
