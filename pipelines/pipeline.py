"""The pipeline: what runs, in which order, from raw logs to a pushed model.

raw logs -> ExampleGen [-> Tuner] -> StatisticsGen, SchemaGen, ExampleValidator -> Transform
-> Trainer [or Teachers -> Distiller] -> Evaluator -> InfraValidator -> Pusher
-> a SavedModel version for TF Serving
[-> Compressor -> the model in fewer bytes] [-> BulkInferrer -> its answers for a whole table];
components of the user's own come right behind what they read.

Which artifact goes from where to where is said by the components' signatures.
"""

from collections.abc import Sequence

from pipelines.artifacts import Artifact
from pipelines.components.base import Component
from pipelines.components.bulk_inferrer import BulkInferrer
from pipelines.components.compressor import Compressor
from pipelines.components.distiller import Distiller
from pipelines.components.evaluator import Evaluator
from pipelines.components.example_gen import ExampleGen
from pipelines.components.example_validator import ExampleValidator
from pipelines.components.infra_validator import InfraValidator
from pipelines.components.pusher import Pusher
from pipelines.components.schema_gen import SchemaGen
from pipelines.components.statistics_gen import StatisticsGen
from pipelines.components.teachers import Teachers
from pipelines.components.trainer import Trainer
from pipelines.components.transform import Transform
from pipelines.components.tuner import Tuner
from pipelines.own_components import with_own
from pipelines.tuner.checks import check_search
from tfmtl.config import Config

PUBLISHED = {
    "evaluation.json": "evaluation/evaluation.json",
    "model": "model",
    "schema.pbtxt": "schema/schema.pbtxt",
    "anomalies.pbtxt": "anomalies/anomalies.pbtxt",
}
"""What a run leaves beside `artifacts/`: its name there, and the artifact it is a copy of."""


def components(config: Config) -> tuple[Component, ...]:
    """The steps of a run, each after those whose artifacts it reads.

    Raises:
        ConfigError: the search that the configuration asks for cannot be made, or a component of
            the user's own has no place.
        PipelineError: a package is missing.
    """
    check_search(config)
    steps = (
        ExampleGen,
        *([Tuner] if config.tuner else []),
        StatisticsGen,
        SchemaGen,
        ExampleValidator,
        Transform,
        *([Teachers, Distiller] if config.distillation else [Trainer]),
        Evaluator,
        InfraValidator,
        Pusher,
        *([Compressor] if config.serving.variants else []),
        *([BulkInferrer] if config.bulk_inference else []),
    )
    return with_own(steps, config.pipeline.components)


def until(artifact: type[Artifact], steps: Sequence[Component]) -> tuple[Component, ...]:
    """The steps up to the one that makes an artifact."""
    last = next(i for i, step in enumerate(steps) if step.artifact is artifact)
    return tuple(steps[: last + 1])
