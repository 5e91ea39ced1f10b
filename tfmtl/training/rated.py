"""Which items users have rated in training: what a factorisation's implicit feedback holds."""

from pathlib import Path

import numpy as np
import pyarrow.dataset as ds

from tfmtl.config import BinaryTask, Config, RegressionTask
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import reserved


class Rated:
    """The different pairs of a user and an item with a label, by task; none where the
    configuration wants no implicit feedback.

    Args:
        config: the configuration.
        examples: directory of the training split.

    Attributes:
        counts: number of pairs by task, as a model is made with them.
    """

    def __init__(self, config: Config, examples: Path) -> None:
        self._pairs: dict[str, np.ndarray] = {}
        spec = config.model.factorised
        for name, task in config.tasks.items():
            if spec and spec.implicit and isinstance(task, BinaryTask | RegressionTask):
                self._pairs[name] = _pairs(config, examples, columns.label(name))
        self.counts = {name: len(pairs) for name, pairs in self._pairs.items()}

    def tell(self, model: MultiTaskModel) -> None:
        """Lets a model know them."""
        for name, pairs in self._pairs.items():
            assert model.ranking is not None
            feedback = model.ranking.factorised[name].feedback
            assert feedback is not None
            feedback.assign_pairs(pairs[:, 0], pairs[:, 1])


def _pairs(config: Config, examples: Path, label: str) -> np.ndarray:
    """Ids of users and items, `[pairs, 2]`; who is missing or unknown has rated nothing."""
    rows = ds.dataset(examples, format="parquet").to_table(
        columns=config.factorised_ids, filter=ds.field(label).is_valid()
    )
    pairs = np.stack([rows[name].to_numpy() for name in config.factorised_ids], axis=1)
    first = reserved(config.features.by_name[config.factorised_ids[0]])
    return np.unique(pairs[pairs[:, 0] >= first], axis=0)
