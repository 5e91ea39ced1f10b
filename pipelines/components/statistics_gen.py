"""StatisticsGen: vocabularies and moments of the training rows, statistics of every split.

Leaves vocabularies/, moments.json, priors.json, counts/, positives.parquet, statistics.pb,
summary.json and Split-NAME/FeatureStats.pb.
"""

from typing import Any

from pipelines import artifacts
from pipelines.artifacts import Output
from pipelines.components.base import Context, Summary, component
from pipelines.preprocess.known_since import declared_times
from pipelines.preprocess.priors import rate_labels
from tfmtl.config import Config


def _reads(config: Config) -> Any:
    ignored = {"dim", "encoder", "combiner", "serve_as"}
    return {
        "features": {
            side: [
                f.model_dump(mode="json", exclude=ignored) for f in getattr(config.features, side)
            ]
            for side in ("user", "item", "query", "context")
        },
        "labels": list(config.label_columns),
        "times": declared_times(config),
        "rates": rate_labels(config),
        "classes": {
            name: task.model_dump(mode="json", exclude={"weight", "threshold"})
            for name, task in config.class_tasks.items()
        },
        "scenario": config.scenario.model_dump(mode="json") if config.scenario else None,
        "positive": [
            config.retrieval_task[1].positive,
            config.retrieval_task[1].scenarios,
        ]
        if config.retrieval_task
        else None,
    }


@component(reads=_reads)
def StatisticsGen(
    context: Context, examples: artifacts.Examples, statistics: Output[artifacts.Statistics]
) -> Summary:
    """Analyses the examples.

    Returns:
        Rows by split, label means by split and scenario, sizes of the vocabularies, rows by class.

    Raises:
        PipelineError: no row is left for training.
    """
    from pipelines.preprocess.analysing import analyse
    from pipelines.preprocess.examples import Examples

    rows = Examples(context.config, examples.path)
    return analyse(rows, statistics.path, context.progress)
