"""Fine-tuning as a pipeline: newer data, the blessed model's vocabularies, its next version."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines.artifacts import Transformed
from pipelines.components.base import PipelineError
from pipelines.finetuning.tuning import tuning
from pipelines.pipeline import PUBLISHED, components, until
from pipelines.runner import SERVING, run
from pipelines.session import RunResult
from tfmtl.config import Config, load


def finetune(
    directory: Path,
    config: Config,
    data: Path,
    output: Path,
    epochs: int | None = None,
    freeze_tables: bool = False,
    learning_rate: float | None = None,
    console: Console | None = None,
) -> RunResult:
    """Tunes the newest pushed model of a run and pushes the result if it is blessed.

    Args:
        directory: the run whose model is tuned; the new version goes to its `serving/`.
        config: what the tuned model shall be.
        data: directory of the newer logs.
        output: the tuning's own directory.
        epochs: the configuration's where not given.
        freeze_tables: whether the embedding tables stay as they are.
        learning_rate: of the dense layers; the configuration's where not given.
        console: where progress is shown.

    Raises:
        PipelineError: the run has pushed no model, or a step cannot go on.
    """
    base = _newest(directory / SERVING / config.served_name)
    tuned = _with(config, epochs, learning_rate)
    steps = tuning(components(tuned), base, freeze_tables)
    return run(steps, tuned, data, output, console, PUBLISHED, directory / SERVING)


def transform(
    directory: Path,
    data: Path,
    output: Path,
    changes: Sequence[str] = (),
    console: Console | None = None,
) -> tuple[RunResult, Path]:
    """Turns newer logs into examples for a run's newest pushed model, to train it on in Keras.

    Args:
        directory: the run whose model is to read the examples.
        data: directory of the newer logs.
        output: where to; the examples are in `artifacts/transformed`.
        changes: `key=value` pairs that change the model's configuration, such as `split`.
        console: where progress is shown.

    Returns:
        What each step did, and the directory of the Keras model that the examples are for.

    Raises:
        PipelineError: the run has pushed no model, or a step cannot go on.
        ConfigError: the model's configuration or a change of it is wrong.
    """
    name = load(directory / "model" / "config.yaml").served_name
    base = _newest(directory / SERVING / name)
    config = load(base / "config.yaml", changes)
    steps = tuning(until(Transformed, components(config)), base, freeze_tables=False)
    return run(steps, config, data, output, console), base


def _newest(base_path: Path) -> Path:
    """The Keras model of the newest pushed version."""
    from serving.pushing.versions import newest_model

    model = newest_model(base_path)
    if model is None or not model.is_dir():
        raise PipelineError(
            f"{base_path}: expected a pushed model to start from; make one with tfmtl run"
        )
    return model


def _with(config: Config, epochs: int | None, learning_rate: float | None) -> Config:
    training: dict[str, Any] = {}
    if epochs is not None:
        training["epochs"] = epochs
    if learning_rate is not None:
        optimizer = config.training.optimizer
        dense = optimizer.dense.model_copy(update={"learning_rate": learning_rate})
        training["optimizer"] = optimizer.model_copy(update={"dense": dense})
    return config.model_copy(update={"training": config.training.model_copy(update=training)})
