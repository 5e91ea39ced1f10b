"""Tuner: the best values of the configuration, found by training models on the examples.

Leaves best.yaml, the best values by dotted key; config.yaml, the whole configuration with them;
trials.json:

    best            number of the best trial
    trials          [{number, values, objective, figures, state, seconds, error}]: what was tried,
                    what the validation rows said, whether a model came of it (complete, failed)

and best/, the artifacts of the best trial, which the steps that follow adopt.
"""

from typing import Any

from pipelines.artifacts import Examples, Hyperparameters, Output
from pipelines.components.base import Context, Summary, component
from tfmtl.config import Config
from tfmtl.training.precision import dtype_policy


def _reads(config: Config) -> Any:
    aside: Any = {
        "gate": True,
        "serving": True,
        "pipeline": True,
        "bulk_inference": True,
        "training": {"checkpoints"},
    }
    return [config.model_dump(mode="json", exclude=aside), dtype_policy(config.training)]


@component(reads=_reads)
def Tuner(
    context: Context, examples: Examples, hyperparameters: Output[Hyperparameters]
) -> Summary:
    """Searches for the values with which a model is best on the validation rows.

    Raises:
        PipelineError: no trial has made a model.
    """
    from pipelines.tuner.search import search

    return search(context, hyperparameters.path)
