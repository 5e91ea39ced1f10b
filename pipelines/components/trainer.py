"""Trainer: transformed examples to a trained model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.artifacts import Anomalies, Model, Output, Transformed
from pipelines.components.base import Context, PipelineError, Summary, component
from tfmtl.config import Config
from tfmtl.training.precision import dtype_policy

if TYPE_CHECKING:
    from tfmtl.training.artifact import Outcome


def _reads(config: Config) -> Any:
    aside: Any = {
        "evaluation": True,
        "bulk_inference": True,
        "gate": True,
        "serving": True,
        "pipeline": True,
        "training": {"checkpoints"},
        "distillation": {"gate"},
        "finetuning": True,
    }
    read = config.model_dump(mode="json", exclude=aside)
    return [read, dtype_policy(config.training)]


@component(reads=_reads)
def Trainer(
    context: Context, transformed: Transformed, anomalies: Anomalies, model: Output[Model]
) -> Summary:
    """Trains on data that has passed ExampleValidator."""
    return train(context, transformed, model).summary


def train(
    context: Context,
    transformed: Transformed,
    model: Output[Model],
    base: Path | None = None,
) -> "Outcome":
    """Trains a model, in this process or in workers, and writes it as the artifact.

    Args:
        context: the runner's.
        transformed: what to train on.
        model: where to write.
        base: directory of a trained model to go on from.
    """
    from tfmtl.training.artifact import make_model
    from tfmtl.training.cluster import train_on_workers
    from tfmtl.training.errors import TrainingError

    spec, logs = context.config.training, None
    if spec.tensorboard:
        logs = context.run / ("tensorboard" if spec.tensorboard is True else spec.tensorboard)
    make = train_on_workers if spec.strategy == "multi_worker" else make_model
    try:
        return make(
            context.config,
            transformed.path,
            model.path,
            lambda done, total, note: context.progress(done, total, "examples", note),
            work=context.work,
            logs=logs,
            base=base,
        )
    except TrainingError as error:
        raise PipelineError(str(error)) from None
