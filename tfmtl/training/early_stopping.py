"""Ends training when the validation rows say so, and goes back to the best epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfmtl.config import ConfigError
from tfmtl.config.early_stopping import EarlyStopping as Spec
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.training.evaluating import measure as measure_model


def objective_name(spec: Spec) -> str:
    """Name of the objective among an epoch's figures: `val_loss`, `val_auc/click`."""
    return f"val_{spec.metric}/{spec.task}" if spec.task else "val_loss"


def measure(spec: Spec, model: MultiTaskModel, transformed: Path) -> dict[str, float]:
    """The objective on the validation rows, where it is not among the losses anyway.

    Raises:
        ConfigError: the rows do not determine it, as the AUC of labels that are all alike.
    """
    if spec.metric == "loss":
        return {}
    assert spec.task is not None
    found = measure_model(
        model, model.config, transformed, "validation", only=[spec.task], in_full=False
    )
    value = found.tasks[spec.task]["overall"].get(spec.metric)
    if value is None:
        raise ConfigError(
            f"training.early_stopping: the validation rows do not determine {spec.metric} of task "
            f"'{spec.task}'; choose another metric, or a longer split.validation"
        )
    return {objective_name(spec): float(value)}


@dataclass
class EarlyStopping:
    """Remembers the best epoch and tells when enough have passed without a better one.

    An epoch is better if it gains more than `min_delta`; training ends after `patience` in a row
    that are not.

    Args:
        spec: objective, patience, smallest gain.
        variables: what is kept of the best epoch.

    Attributes:
        best: value of the best epoch.
        epoch: its number, from 1.
        waited: epochs since.
        kept: the variables' values at its end.
    """

    spec: Spec
    variables: Sequence[keras.Variable]
    best: float | None = None
    epoch: int = 0
    waited: int = 0
    kept: list[np.ndarray] = field(default_factory=list)

    def update(self, epoch: int, figures: Mapping[str, float]) -> bool:
        """Takes an epoch in; whether training should end."""
        value = figures[objective_name(self.spec)]
        if self.best is None or self._gain(value, self.best) > self.spec.min_delta:
            self.best, self.epoch, self.waited = value, epoch, 0
            self.kept = [np.array(variable.numpy()) for variable in self.variables]
        else:
            self.waited += 1
        return self.waited >= self.spec.patience

    def restore_best(self) -> None:
        """Gives the variables the values of the best epoch."""
        for variable, array in zip(self.variables, self.kept, strict=True):
            variable.assign(array)

    def state(self) -> dict[str, Any]:
        """Plain data for a checkpoint, beside `kept`."""
        return {"best": self.best, "epoch": self.epoch, "waited": self.waited}

    def resume(self, state: Mapping[str, Any], kept: list[np.ndarray]) -> None:
        """Takes up what a checkpoint has kept."""
        self.best, self.epoch, self.waited = state["best"], state["epoch"], state["waited"]
        self.kept = kept

    def _gain(self, value: float, best: float) -> float:
        return best - value if self.spec.lower_is_better else value - best
