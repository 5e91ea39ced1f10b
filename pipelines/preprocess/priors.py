"""Means of labels over the training rows, towards which rates of few rows are drawn."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.components.base import PipelineError
from pipelines.preprocess.labels import label_values, sampled
from pipelines.preprocess.splits import TRAIN
from pipelines.preprocess.writing import read_json, write_json
from tfmtl.config import Config

_FILE = "priors.json"


def rate_labels(config: Config) -> list[str]:
    """The labels of which there are rates."""
    return list(dict.fromkeys(w.of for w in config.features.windows if w.kind == "rate"))


def prior_sums(rows: pa.RecordBatch, splits: np.ndarray, config: Config) -> np.ndarray:
    """Training rows in which each label is known, and those of them in which it is 1, `[labels,
    2]`; sampled rows, of which a rate knows nothing, are left out."""
    training = (splits == TRAIN) & ~sampled(rows)
    values = [label_values(rows, label)[training] for label in rate_labels(config)]
    return np.array([[np.isfinite(own).sum(), (own == 1).sum()] for own in values], np.float64)


def write_priors(directory: Path, sums: list[list[float]], config: Config) -> None:
    """Writes the means.

    Raises:
        PipelineError: no training row has a label.
    """
    priors = {}
    for label, (known, positive) in zip(rate_labels(config), sums, strict=True):
        if not known:
            raise PipelineError(
                f"features.windows: there is no rate of '{label}', which is missing in all rows "
                "for training; leave it out"
            )
        priors[label] = positive / known
    write_json(priors, directory / _FILE)


def read_priors(directory: Path) -> dict[str, float]:
    """The means by label."""
    return read_json(directory / _FILE)
