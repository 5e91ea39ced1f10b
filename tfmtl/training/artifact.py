"""From a configuration to a trained model's directory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfmtl.config import Config
from tfmtl.models.queries import write_queries
from tfmtl.models.saved import save_model
from tfmtl.training.finetuning import finetune
from tfmtl.training.gate_use import gate_use
from tfmtl.training.trainer import Trained, train
from tfmtl.training.watch import OnBatch, silent

HISTORY = "history.json"
GATES = "gates.json"


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Attributes:
        summary: plain data: epochs, the best one, parameters, precision, and a headline.
        anew: variables that did not come from the base, where there was one.
    """

    summary: dict[str, Any]
    anew: list[str]


def make_model(
    config: Config,
    transformed: Path,
    output: Path | None,
    on_batch: OnBatch = silent,
    *,
    work: Path | None = None,
    logs: Path | None = None,
    base: Path | None = None,
) -> Outcome:
    """Trains a model in this process and writes it with its history.

    Beside the model lie `history.json`, the figures of every epoch and, where the configuration
    wants them, the gradients' cosines and what became of a budget, and `gates.json`, how tasks and
    scenarios use the experts, where there are any.

    Args:
        config: the configuration.
        transformed: Transform's artifact.
        output: where the model goes; nowhere where it is not given, as by all workers but one.
        on_batch: told how far training has come.
        work: directory for the checkpoint.
        logs: directory of TensorBoard's files.
        base: a trained model to go on from.
    """
    anew: list[str] = []
    if base is None:
        trained = train(config, transformed, on_batch, work=work, logs=logs)
    else:
        trained, anew = finetune(config, transformed, base, on_batch, work=work, logs=logs)
    if output is not None:
        save_model(trained.model, output, transformed)
        write_queries(config, transformed, output)
        cosines = {"cosines": trained.cosines} if trained.cosines else {}
        budget = {"budget": trained.budget} if trained.budget else {}
        _write({"epochs": trained.epochs, **cosines, **budget}, output / HISTORY)
        use = gate_use(trained.model, transformed)
        if use:
            _write(use, output / GATES)
    return Outcome(_summary(trained), anew)


def _write(content: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def _summary(trained: Trained) -> dict[str, Any]:
    last, best = trained.epochs[-1], trained.epochs[trained.best - 1]
    chosen = "" if best is last else f", the model is that of epoch {trained.best}"
    return {
        "epochs": len(trained.epochs),
        "best_epoch": trained.best,
        "parameters": trained.model.count_params(),
        "precision": trained.model.policy,
        "headline": f"{len(trained.epochs)} epochs{chosen}, loss {best['loss']:.4f}, "
        f"{last['examples_per_second']:,.0f} examples/s in the last",
        **({"lines": [_spending(trained.budget)]} if trained.budget else {}),
    }


def _spending(budget: Mapping[str, Any]) -> str:
    """Who got how much of a budget."""
    most = max(budget["tasks"].values()) or 1.0
    parts = ", ".join(f"{task} {steps / most:.0%}" for task, steps in budget["tasks"].items())
    spent = f"{budget['spent']:,.1f} of {budget['total']:,.1f} {budget['unit']}"
    return f"budget: {spent}, {budget['steps']:,} steps; rows learnt from, the most 100 %: {parts}"
