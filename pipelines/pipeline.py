"""The pipeline: what runs, in which order, from raw logs to a pushed model.

raw logs -> ExampleGen -> StatisticsGen, SchemaGen, ExampleValidator -> Transform -> Trainer
-> Evaluator -> InfraValidator -> Pusher -> a SavedModel version for TF Serving
"""

from pipelines.components import (
    evaluator,
    example_gen,
    example_validator,
    infra_validator,
    pusher,
    schema_gen,
    statistics_gen,
    trainer,
    transform,
)
from pipelines.components.base import Component

COMPONENTS: tuple[Component, ...] = (
    example_gen.COMPONENT,
    statistics_gen.COMPONENT,
    schema_gen.COMPONENT,
    example_validator.COMPONENT,
    transform.COMPONENT,
    trainer.COMPONENT,
    evaluator.COMPONENT,
    infra_validator.COMPONENT,
    pusher.COMPONENT,
)

PUBLISHED = {
    "evaluation.json": "evaluation/evaluation.json",
    "model": "model",
    "schema.pbtxt": "schema/schema.pbtxt",
    "anomalies.pbtxt": "anomalies/anomalies.pbtxt",
}
"""What a run leaves beside `artifacts/`: its name there, and the artifact it is a copy of."""
