"""What StatisticsGen does: vocabularies, moments and statistics of examples."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines.components.base import PipelineError, Progress, Summary
from pipelines.preprocess.analysed import Analysed
from pipelines.preprocess.analysis import POSITIVES, PRIORS, build, counts_path, sums_path
from pipelines.preprocess.class_counts import write_classes
from pipelines.preprocess.describing import describe, read_rates, write_described
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.moments import NumberStatistics
from pipelines.preprocess.priors import rate_labels, write_priors
from pipelines.preprocess.quantiles import read_sketches
from pipelines.preprocess.running import run
from pipelines.preprocess.spilled_counts import read_counts
from pipelines.preprocess.token_counts import token_buckets
from pipelines.preprocess.vocabularies import readers, training_counts, vocabulary_of
from pipelines.preprocess.writing import read_json, write_json, write_parquet
from tfmtl.config import NumericFeature, TextFeature
from tfmtl.preprocessing.columns import SPLITS
from tfmtl.preprocessing.tables import Moments, write_moments, write_vocabulary


def analyse(rows: Examples, output: Path, progress: Progress) -> Summary:
    """Analyses examples; see `pipelines.components.statistics_gen`.

    Args:
        rows: the examples.
        output: where to write.
        progress: callback for the live line.
    """
    config = rows.config
    work = output / "work"
    total = sum(pq.read_metadata(path).num_rows for path in (rows.directory / "log").iterdir())
    run(partial(build, examples=rows, work=work), work, progress, total)

    analysed = Analysed.of(rows)
    numbers = read_json(work / "numbers.json")
    rates = read_rates(work, analysed, config)
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
            "unread": analysed.unread(rows.summary.get("columns", {})),
        },
    }
    write_described(output, describe(work, analysed, rates.rows), rates, config)

    priors = read_json(sums_path(work, PRIORS)) if rate_labels(config) else []
    write_priors(output, priors, config)
    summary["vocabularies"] = _write_vocabularies(rows, analysed, work, output)
    summary["classes"] = write_classes(config, work, output)
    write_moments(output, _moments(rows, analysed, numbers, work))
    positives = training_counts(pq.read_table(counts_path(work, POSITIVES)))
    positives = positives.rename_columns([config.source.log.item, "count"])
    write_parquet(positives, output / "positives.parquet")
    shutil.rmtree(work)
    summary["headline"] = vocabularies_headline(summary["vocabularies"])
    write_json(summary, output / "summary.json")
    return summary


def vocabularies_headline(sizes: dict[str, int]) -> str:
    """The vocabularies in a few words."""
    return f"{len(sizes)} vocabularies, {sum(sizes.values()):,} values"


def _write_vocabularies(
    examples: Examples, analysed: Analysed, work: Path, output: Path
) -> dict[str, int]:
    sizes = {}
    (output / "vocabularies").mkdir(parents=True)  # there may be none
    for name, features in readers(examples.config):
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
        write_vocabulary(output, name, chosen.column("value").to_pylist())
        write_parquet(chosen, output / "counts" / f"{name}.parquet")
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
