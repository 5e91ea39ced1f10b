"""Fine-tuning as a pipeline: newer data, the blessed model's vocabularies, its next version."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines.artifacts import Transformed
from pipelines.components.base import PipelineError
from pipelines.finetuning.forgetting import Base
from pipelines.finetuning.tuning import tuning
from pipelines.pipeline import PUBLISHED, components, until
from pipelines.runner import SERVING, run
from pipelines.session import RunResult
from tfmtl.config import Config, ConfigError, load


def finetune(
    directory: Path,
    config: Config,
    data: Path,
    output: Path,
    epochs: int | None = None,
    freeze: Sequence[str] = (),
    learning_rate: float | None = None,
    console: Console | None = None,
    grow: bool = True,
) -> RunResult:
    """Tunes the newest pushed model of a run and pushes the result if it is blessed.

    After an earlier tuning that is the tuned model.

    Args:
        directory: the run whose model is tuned; the new version goes to its `serving/`.
        config: what the tuned model shall be.
        data: directory of the newer logs.
        output: the tuning's own directory.
        epochs: the configuration's where not given.
        freeze: patterns of parts that stay as they are, beside those of the configuration.
        learning_rate: of the dense layers; the configuration's where not given.
        console: where progress is shown.
        grow: whether values that only the newer data has get rows of their own.

    Raises:
        PipelineError: the run has pushed no model, or a step cannot go on.
        ConfigError: a limit of a task that the model lacks.
    """
    base = _newest(directory, config.served_name)
    _check_limits(config, base)
    tuned = _with(config, epochs, freeze, learning_rate)
    steps = tuning(components(tuned), base, grow)
    return run(steps, tuned, data, output, console, PUBLISHED, directory / SERVING)


def transform(
    directory: Path,
    data: Path,
    output: Path,
    changes: Sequence[str] = (),
    console: Console | None = None,
    grow: bool = False,
) -> tuple[RunResult, Path]:
    """Turns newer logs into examples for a run's newest pushed model, to train it on in Keras.

    Args:
        directory: the run whose model is to read the examples.
        data: directory of the newer logs.
        output: where to; the examples are in `artifacts/transformed`.
        changes: `key=value` pairs that change the model's configuration, such as `split`.
        console: where progress is shown.
        grow: whether values that only the newer data has get ids of their own; a model made by
            `tfmtl.extended` reads them.

    Returns:
        What each step did, and the directory of the Keras model that the examples are for.

    Raises:
        PipelineError: the run has pushed no model, or a step cannot go on.
        ConfigError: the model's configuration or a change of it is wrong.
    """
    name = load(directory / "model" / "config.yaml").served_name
    base = _newest(directory, name)
    config = load(base.model / "config.yaml", changes)
    steps = tuning(until(Transformed, components(config)), base, grow)
    return run(steps, config, data, output, console), base.model


def _newest(directory: Path, name: str) -> Base:
    """The newest pushed version."""
    from serving.pushing.versions import latest, newest_model

    base_path = directory / SERVING / name
    model = newest_model(base_path)
    if model is None or not model.is_dir():
        raise PipelineError(
            f"{base_path}: expected a pushed model to start from; make one with tfmtl run"
        )
    version = latest(base_path)
    assert version is not None
    return Base(model, directory, version)


def _check_limits(config: Config, base: Base) -> None:
    known = load(base.model / "config.yaml").tasks
    new = next((task for task in config.finetuning.limit if task not in known), None)
    if new is not None:
        raise ConfigError(
            f"finetuning.limit: '{new}' is no task of the model that is tuned, which has "
            f"{', '.join(known)}; leave its limit out"
        )


def _with(
    config: Config, epochs: int | None, freeze: Sequence[str], learning_rate: float | None
) -> Config:
    training: dict[str, Any] = {"freeze": [*config.training.freeze, *freeze]}
    if epochs is not None:
        training["epochs"] = epochs
    if learning_rate is not None:
        optimizer = config.training.optimizer
        dense = optimizer.dense.model_copy(update={"learning_rate": learning_rate})
        training["optimizer"] = optimizer.model_copy(update={"dense": dense})
    # Further training learns from labels alone.
    changes = {"training": config.training.model_copy(update=training), "distillation": None}
    return config.model_copy(update=changes)
