"""What rows weigh where negatives were downsampled."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfmtl.config import Config
from tfmtl.heads.keep_rate import events, importance
from tfmtl.preprocessing import columns


def stream_weights(
    config: Config, x: Mapping[str, Any], y: Mapping[str, Any], weights: Any
) -> np.ndarray:
    """Weights of a batch of examples as of the rows of the unsampled stream, `[batch]`.

    Args:
        config: the configuration.
        x: inputs, with `meta/keep_rate` where negatives were downsampled.
        y: labels by task.
        weights: of the rows themselves, `[batch]`.
    """
    if columns.KEEP_RATE not in x:
        return np.asarray(weights)
    labels = {name: y[name] for name in events(config)}
    return np.asarray(weights * importance(labels, x[columns.KEEP_RATE]))
