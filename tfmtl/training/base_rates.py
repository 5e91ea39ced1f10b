"""What a model that knows nothing of a row should predict, as the biases of its heads."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.config import MultiClassTask, MultiLabelTask, RankingTask

_CLIP = 1e-6
"""Rates are kept this far from 0 and 1, where a bias would be infinite."""


def class_counts(labels: pa.ChunkedArray, classes: int) -> np.ndarray:
    """Rows of each class, `[classes]`; labels are numbers of classes, null where missing."""
    known = labels.drop_null().to_numpy()
    return np.bincount(known.astype(np.int64), minlength=classes)


def starting_bias(labels: pa.ChunkedArray, task: RankingTask, outputs: int) -> np.ndarray | None:
    """The bias with which a head predicts the mean of the labels.

    It is `log(p / (1 - p))` for each rate p of a multi-label task, `log p_c` for the share p_c of
    each class, less as classes are balanced, and the mean of numbers. Binary heads know theirs.

    Args:
        labels: of the training rows, null where missing; of a multi-label task lists.
        task: the task.
        outputs: numbers the head gives for a row.

    Returns:
        `[outputs]`, or None where no label is known.
    """
    if isinstance(task, MultiClassTask):
        counts = class_counts(labels, outputs)
        if not counts.any():
            return None
        shares = np.maximum(counts / counts.sum(), _CLIP)
        return (1 - task.class_balance) * np.log(shares)
    if isinstance(task, MultiLabelTask):
        values = labels.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        values = values.reshape(-1, outputs)
        known = ~np.isnan(values)
        counts = known.sum(axis=0)
        # A label that is never known starts at one half.
        rates = (np.nansum(values, axis=0) + 0.5 * (counts == 0)) / np.maximum(counts, 1)
        rates = np.clip(rates, _CLIP, 1 - _CLIP)
        return np.log(rates / (1 - rates)) if counts.any() else None
    mean = pc.mean(labels).as_py()
    return None if mean is None else np.array([mean])
