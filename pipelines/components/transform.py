"""Transform: examples to the ids and numbers the model reads, with histories, and the catalogue.

Leaves {train,validation,test}/part-*.parquet, catalogue.parquet, vocabularies/ and moments.json;
where there are pretrained encoders of texts, encoders/, and of frozen ones the vectors, texts/.
"""

from typing import Any

from pipelines import artifacts
from pipelines.artifacts import Output
from pipelines.components.base import Context, Summary, component
from pipelines.preprocess.known_since import declared_times
from tfmtl.config import Config
from tfmtl.preprocessing.encoders import encodings


def _reads(config: Config) -> Any:
    ignored = {"dim", "dropout", "encoder", "combiner", "serve_as", "min_count", "max_size"}
    return {
        "features": {
            side: [
                f.model_dump(mode="json", exclude=ignored) for f in getattr(config.features, side)
            ]
            for side in ("user", "item", "query", "context", "history", "windows")
        },
        "encoders": encodings(config),
        "tasks": {
            name: task.model_dump(
                mode="json",
                include={
                    "kind",
                    "label",
                    "labels",
                    "separator",
                    "positive",
                    "positive_from",
                    "scenarios",
                },
            )
            for name, task in config.tasks.items()
        },
        "scenario": config.scenario.model_dump(mode="json") if config.scenario else None,
        "slices": config.evaluation.slices,
        "served": config.serving.columns,
        "quality": config.serving.quality.model_dump() if config.serving.quality else None,
        "title": config.source.items.title if config.source.items else None,
        "times": declared_times(config),
        "weight": config.source.log.weight,
        "sampling": config.sampling.model_dump(mode="json"),
        "resampling": config.resampling.model_dump(mode="json") if config.resampling else None,
        "seed": config.seed,
    }


@component(reads=_reads)
def Transform(
    context: Context,
    examples: artifacts.Examples,
    statistics: artifacts.Statistics,
    transformed: Output[artifacts.Transformed],
) -> Summary:
    """Transforms the examples.

    Returns:
        Rows, label rates, shares of classes and history coverage by split, what sampling did to the
        training rows, and the account of all rows.
    """
    from pipelines.preprocess.examples import Examples
    from pipelines.preprocess.transforming import transform

    rows = Examples(context.config, examples.path)
    cache = context.run / "cache" / "texts"
    return transform(rows, statistics.path, transformed.path, context.progress, cache)
