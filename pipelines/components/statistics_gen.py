"""StatisticsGen: vocabularies and moments of the training rows, statistics of every split.

Leaves vocabularies/, moments.json, priors.json, counts/, positives.parquet, statistics.pb,
summary.json and Split-NAME/FeatureStats.pb.
"""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines.components.base import Component, Context, PipelineError, Summary
from pipelines.preprocess.analysed import Analysed
from pipelines.preprocess.analysis import POSITIVES, PRIORS, build, counts_path, sums_path
from pipelines.preprocess.class_counts import write_classes
from pipelines.preprocess.describing import describe, read_rates, write_described
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.known_since import declared_times
from pipelines.preprocess.moments import NumberStatistics
from pipelines.preprocess.priors import rate_labels, write_priors
from pipelines.preprocess.quantiles import read_sketches
from pipelines.preprocess.running import run
from pipelines.preprocess.spilled_counts import read_counts
from pipelines.preprocess.token_counts import token_buckets
from pipelines.preprocess.vocabularies import readers, training_counts, vocabulary_of
from pipelines.preprocess.writing import read_json, write_json, write_parquet
from tfmtl.config import Config, NumericFeature, TextFeature
from tfmtl.preprocessing.columns import SPLITS
from tfmtl.preprocessing.tables import Moments, write_moments, write_vocabulary


def execute(ctx: Context) -> Summary:
    """Analyses the examples.

    Returns:
        Rows by split, label means by split and scenario, sizes of the vocabularies, rows by class.

    Raises:
        PipelineError: no row is left for training.
    """
    examples = Examples(ctx.config, ctx.inputs["examples"])
    work = ctx.output / "work"
    total = sum(pq.read_metadata(path).num_rows for path in (examples.directory / "log").iterdir())
    run(partial(build, examples=examples, work=work), work, ctx.progress, total)

    analysed = Analysed.of(examples)
    numbers = read_json(work / "numbers.json")
    rates = read_rates(work, analysed, ctx.config)
    if not rates.rows[SPLITS[0]]:
        raise PipelineError(
            "split: no rows are left for training; make validation and test smaller"
        )
    summary: Summary = {
        "rows": rates.rows,
        "sampled": rates.sampled,
        "scenario_rows": rates.scenario_rows,
        "label_means": rates.means,
        "columns": {
            "keys": analysed.keys,
            "free": analysed.free,
            "unread": analysed.unread(examples.summary.get("columns", {})),
        },
    }
    write_described(ctx.output, describe(work, analysed, rates.rows), rates, ctx.config)

    priors = read_json(sums_path(work, PRIORS)) if rate_labels(ctx.config) else []
    write_priors(ctx.output, priors, ctx.config)
    summary["vocabularies"] = _write_vocabularies(ctx, examples, analysed, work)
    summary["classes"] = write_classes(ctx.config, work, ctx.output)
    write_moments(ctx.output, _moments(examples, analysed, numbers, work))
    positives = training_counts(pq.read_table(counts_path(work, POSITIVES)))
    positives = positives.rename_columns([ctx.config.source.log.item, "count"])
    write_parquet(positives, ctx.output / "positives.parquet")
    shutil.rmtree(work)
    summary["headline"] = headline(summary["vocabularies"])
    write_json(summary, ctx.output / "summary.json")
    return summary


def headline(sizes: dict[str, int]) -> str:
    """The vocabularies in a few words."""
    return f"{len(sizes)} vocabularies, {sum(sizes.values()):,} values"


def _write_vocabularies(
    ctx: Context, examples: Examples, analysed: Analysed, work: Path
) -> dict[str, int]:
    sizes = {}
    for name, features in readers(ctx.config):
        columns = []
        for side, feature in features:
            place = examples.table_of(side, feature.raw), feature.raw
            path = counts_path(work, analysed.name_of(place))
            columns.append((feature, map(training_counts, read_counts(path))))
        texts = [(f, counts) for f, counts in columns if isinstance(f, TextFeature)]
        chosen = vocabulary_of(
            token_buckets(texts, work) if texts else columns[0][1],
            min(feature.min_count for _, feature in features),
            max(feature.max_size for _, feature in features),
        )
        write_vocabulary(ctx.output, name, chosen.column("value").to_pylist())
        write_parquet(chosen, ctx.output / "counts" / f"{name}.parquet")
        sizes[name] = chosen.num_rows
    return sizes


def _moments(
    examples: Examples, analysed: Analysed, numbers: dict[str, dict[str, Any]], work: Path
) -> dict[str, Moments]:
    sketches = read_sketches(work / "sketches.parquet")
    moments = {}
    for side, feature in examples.config.features.sided:
        if isinstance(feature, NumericFeature):
            place = examples.table_of(side, feature.raw), feature.raw
            column = f"{SPLITS[0]}/{analysed.name_of(place)}"
            name = f"log/{feature.name}" if feature.scale == "log" else column
            known = NumberStatistics(**numbers[name])
            wanted = feature.bucketize.buckets if feature.bucketize else None
            boundaries = () if wanted is None else sketches[column].boundaries(wanted)
            moments[feature.name] = Moments(known.mean, known.deviation, boundaries)
    return moments


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


COMPONENT = Component(
    name="StatisticsGen",
    produces="statistics",
    consumes=("examples",),
    reads=_reads,
    execute=execute,
)
