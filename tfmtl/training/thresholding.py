"""Tunes the thresholds of tasks that want it, once a model is trained."""

from pathlib import Path

import numpy as np

from tfmtl.heads.thresholds import ScoreCounts
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.traced import traced
from tfmtl.training.examples import read_examples
from tfmtl.training.stream_weights import stream_weights

_BATCH = 8192


def tune_thresholds(model: MultiTaskModel, split: Path) -> dict[str, np.ndarray]:
    """Sets all thresholds that are to be tuned, from rows the model has not learnt from.

    Rows of downsampled negatives count as many as they stand for, as in the metrics.

    Args:
        model: the trained model, calibrated where it is to be.
        split: directory of the examples, mostly the validation split.

    Returns:
        `{task: [labels]}`.

    Example:
        >>> tune_thresholds(model, Path("out/fashion/artifacts/transformed/validation"))["colours"]
        array([0.41, 0.36, 0.44])
    """
    layers = model.ranking.thresholds if model.ranking else {}
    if not layers or not any(split.glob("*.parquet")):
        return {}
    counts = {name: ScoreCounts(layer.labels) for name, layer in layers.items()}
    rank = traced(model.rank, model.inputs_spec)
    for x, y, weights in read_examples(split, model.config, batch_size=_BATCH, shuffle=False):
        found = rank(x)
        amounts = stream_weights(model.config, x, y, weights)
        for name, counted in counts.items():
            rows = (len(amounts), -1)
            labels, chances = (np.reshape(values[name], rows) for values in (y, found))
            counted.add(labels, chances, amounts)
    best = {name: counted.best() for name, counted in counts.items()}
    for name, thresholds in best.items():
        layers[name].assign(thresholds)
    return best
