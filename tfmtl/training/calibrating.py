"""Fits the scales of calibrated tasks, once a model is trained."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tfmtl.heads.calibration import PlattScaling, fit_platt
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.traced import traced
from tfmtl.training.examples import read_examples
from tfmtl.training.stream_weights import stream_weights

_BATCH = 8192


def calibrate(model: MultiTaskModel, split: Path) -> dict[str, np.ndarray]:
    """Sets the scales of all tasks that want calibration, from rows the model has not learnt from.

    All rows of a task give a pooled scale and shift; each scenario's are held near them, and near
    nothing else, so that one with few rows is calibrated as the others are. Rows of downsampled
    negatives count as many as they stand for, so that probabilities are those of the whole stream.

    Args:
        model: the trained model.
        split: directory of the examples, mostly the validation split.

    Returns:
        `{task: [scenarios + 1, 2]}`: scale and shift by scenario, last those of all rows.

    Example:
        >>> calibrate(model, Path("out/shop/artifacts/transformed/validation"))["click"][-1]
        array([0.97, 0.04])
    """
    layers = model.ranking.calibrations if model.ranking else {}
    if not layers or not any(split.glob("*.parquet")):
        return {}
    reset(model)
    rows = _Rows(model)
    for x, y, weights in read_examples(split, model.config, batch_size=_BATCH, shuffle=False):
        rows.add(x, y, weights)
    found = {name: rows.fitted(name, layer) for name, layer in layers.items()}
    for name, scales in found.items():
        layers[name].assign(scales)
    return found


def reset(model: MultiTaskModel) -> None:
    """Lets all tasks predict without calibration, as they do while they learn."""
    for layer in (model.ranking.calibrations if model.ranking else {}).values():
        layer.assign(np.array([[1.0, 0.0]] * (layer.scenarios + 1)))


class _Rows:
    """Logits, labels and weights of the rows of a split, by task."""

    def __init__(self, model: MultiTaskModel) -> None:
        self._model = model
        assert model.ranking is not None
        self._tasks = list(model.ranking.calibrations)
        self._logits = traced(model.logits, model.inputs_spec)
        self._parts: dict[str, list[np.ndarray]] = {name: [] for name in self._tasks}

    def add(self, x: dict[str, tf.Tensor], y: dict[str, tf.Tensor], weights: tf.Tensor) -> None:
        amounts = stream_weights(self._model.config, x, y, weights)
        logits, scenario = self._logits(x)
        for name in self._tasks:
            part = [logits[name], y[name], amounts, tf.cast(scenario, tf.float32)]
            self._parts[name].append(np.stack([np.asarray(p, np.float64) for p in part]))

    def fitted(self, name: str, layer: PlattScaling) -> np.ndarray:
        logits, labels, weights, scenario = np.concatenate(self._parts[name], axis=1)
        known = ~np.isnan(labels) & (weights > 0)
        logits, labels, weights = logits[known], labels[known], weights[known]
        scenario = scenario[known].astype(np.int64)
        pooled = fit_platt(logits, labels, weights)
        scales = []
        for place in range(layer.scenarios):
            own = scenario == place
            scales.append(fit_platt(logits[own], labels[own], weights[own], pooled, _PRIOR))
        return np.array([*scales, pooled])


_PRIOR = 10.0
"""How strongly a scenario's scale and shift are held near those of all rows: some forty rows."""
