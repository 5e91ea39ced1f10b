"""StatisticsGen: vocabularies and moments of the training rows, statistics of every split.

Leaves vocabularies/, moments.json, priors.json, counts/, positives.parquet, statistics.pb,
summary.json and Split-NAME/FeatureStats.pb; and encoders/, copies of the checkpoints of texts'
encoders, where there are any.
"""

from pathlib import Path
from typing import Any

from pipelines import artifacts
from pipelines.artifacts import Output
from pipelines.components.base import Context, Summary, component
from pipelines.preprocess.known_since import declared_times
from pipelines.preprocess.priors import rate_labels
from pipelines.texts.copying import checkpoint_tables, copy_encoders
from tfmtl.config import Config
from tfmtl.preprocessing.encoders import checkpoints


def _reads(config: Config) -> Any:
    ignored = {"dim", "dropout", "encoder", "combiner", "serve_as"}
    return {
        "features": {
            side: [
                f.model_dump(mode="json", exclude=ignored) for f in getattr(config.features, side)
            ]
            for side in ("user", "item", "query", "context")
        },
        "checkpoints": checkpoints(config),
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


@component(reads=_reads, raw=checkpoint_tables)
def StatisticsGen(
    context: Context, examples: artifacts.Examples, statistics: Output[artifacts.Statistics]
) -> Summary:
    """Analyses the examples.

    Returns:
        Rows by split, label means by split and scenario, sizes of the vocabularies, rows by class.

    Raises:
        PipelineError: no row is left for training.
    """
    return analyse_examples(context, examples, statistics)


def analyse_examples(
    context: Context,
    examples: artifacts.Examples,
    statistics: Output[artifacts.Statistics],
    base: Path | None = None,
) -> Summary:
    """Analyses the examples as `StatisticsGen` does.

    Args:
        context: the runner's.
        examples: the examples.
        statistics: where to write.
        base: a trained model whose copies of encoders are taken, rather than the checkpoints that
            the configuration names.
    """
    from pipelines.preprocess.analysing import analyse
    from pipelines.preprocess.examples import Examples

    lines = copy_encoders(context.config, context.data, statistics.path, base)
    rows = Examples(context.config, examples.path)
    summary = analyse(rows, statistics.path, context.progress)
    return {**summary, "lines": [*summary.get("lines", []), *lines]} if lines else summary
