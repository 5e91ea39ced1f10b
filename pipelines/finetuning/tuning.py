"""The pipeline's components as tuning needs them: what they make goes on from a trained model.

StatisticsGen keeps the model's vocabularies and moments, Transform keeps its items, and the Trainer
starts from its weights. The other components are those of a first model.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import artifacts
from pipelines.artifacts import Anomalies, Model, Output, Statistics, Transformed
from pipelines.caching.fingerprints import content_fingerprint
from pipelines.components import statistics_gen, trainer, transform
from pipelines.components.base import Component, Context, PipelineError, Summary, component
from pipelines.preprocess.analysing import vocabularies_headline
from pipelines.preprocess.catalogue import KEY, TITLE, encoded, item_inputs, raw
from pipelines.preprocess.class_counts import declared, known_classes, regrouped
from pipelines.preprocess.encoding import Encoder
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.record_batches import whole
from pipelines.preprocess.writing import write_json, write_parquet
from tfmtl.config import Config, Feature, NumericFeature, load
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import read_moments, vocabulary_size, write_moments

CATALOGUE = "catalogue.parquet"


def tuning(components: Sequence[Component], base: Path, freeze_tables: bool) -> list[Component]:
    """The components, going on from a trained model.

    Args:
        components: those of a first model.
        base: directory of the trained model.
        freeze_tables: whether training leaves the embedding tables as they are.
    """
    identity = content_fingerprint(base)

    @component(reads=lambda config: [statistics_gen.StatisticsGen.reads(config), identity])
    def StatisticsGen(
        context: Context, examples: artifacts.Examples, statistics: Output[Statistics]
    ) -> Summary:
        summary = statistics_gen.StatisticsGen(context, examples, statistics)
        return keep_analysis(summary, context.config, statistics.path, base)

    @component(reads=lambda config: [transform.Transform.reads(config), identity])
    def Transform(
        context: Context,
        examples: artifacts.Examples,
        statistics: Statistics,
        transformed: Output[Transformed],
    ) -> Summary:
        summary = transform.Transform(context, examples, statistics, transformed)
        rows = Examples(context.config, examples.path)
        return keep_items(summary, rows, statistics.path, transformed.path, base)

    @component(reads=lambda config: [trainer.Trainer.reads(config), identity, freeze_tables])
    def Trainer(
        context: Context, transformed: Transformed, anomalies: Anomalies, model: Output[Model]
    ) -> Summary:
        return train_on(context, transformed, model, base, freeze_tables)

    tuned = {made.name: made for made in (StatisticsGen, Transform, Trainer)}
    return [tuned.get(one.name, one) for one in components]


def keep_analysis(summary: Summary, config: Config, statistics: Path, base: Path) -> Summary:
    """Puts the base's vocabularies, and its moments where they mean the same, into StatisticsGen's
    artifact; the summary with the sizes that count."""
    shutil.copytree(base / "vocabularies", statistics / "vocabularies", dirs_exist_ok=True)
    before, known = load(base / "config.yaml").features.by_name, read_moments(base)
    moments, after = read_moments(statistics), config.features.by_name
    for name in moments.keys() & known.keys():
        new, old = after.get(name), before.get(name)
        if _meaning(new) is not None and _meaning(new) == _meaning(old):
            moments[name] = known[name]
    write_moments(statistics, moments)
    _check_classes(config, statistics)
    sizes = {name: vocabulary_size(statistics, name) for name in summary["vocabularies"]}
    headline = f"{vocabularies_headline(sizes)}, those of the model that is tuned"
    classes = {
        task: regrouped(counted, known_classes(statistics, task))
        for task, counted in summary["classes"].items()
    }
    summary = {**summary, "vocabularies": sizes, "classes": classes, "headline": headline}
    write_json(summary, statistics / "summary.json")
    return summary


def _check_classes(config: Config, statistics: Path) -> None:
    """Refuses classes that the configuration names otherwise than the base knows them."""
    for name, task in config.class_tasks.items():
        known, wanted = known_classes(statistics, name), declared(task)
        if wanted is not None and wanted != known:
            raise PipelineError(
                f"tasks.{name}: the classes must be those of the model that is tuned, "
                f"{', '.join(known)}; give them or train a model anew"
            )


def _meaning(feature: Feature | None) -> Any:
    if not isinstance(feature, NumericFeature):
        return None
    buckets = feature.bucketize.buckets if feature.bucketize else None
    return feature.raw, feature.scale, buckets


def keep_items(
    summary: Summary, examples: Examples, statistics: Path, transformed: Path, base: Path
) -> Summary:
    """Adds the base's items that the newer data lacks to Transform's catalogue.

    They come last, so that the rows' `meta/item` stays right. Their inputs are made anew from
    their raw columns.
    """
    path = transformed / CATALOGUE
    items, before = pq.read_table(path), pq.read_table(base / CATALOGUE)
    gone = before.filter(pc.invert(pc.is_in(before.column(KEY), whole(items.column(KEY)))))
    kept = _encoded(gone, examples.config, Encoder(examples, statistics))
    try:
        kept = kept.select(items.column_names).cast(items.schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise PipelineError(
            f"catalogue: the items of {base} do not fit the new ones: {error}"
        ) from None
    write_parquet(pa.concat_tables([items, kept]), path)
    total = items.num_rows + kept.num_rows
    headline = f"{summary['headline']}; {total:,} items, {kept.num_rows:,} of them not in the data"
    summary = {**summary, "items": total, "kept_items": kept.num_rows, "headline": headline}
    write_json(summary, transformed / "summary.json")
    return summary


def _encoded(items: pa.Table, config: Config, encoder: Encoder) -> pa.Table:
    """Rows of another model's catalogue with the inputs of this one."""
    reads = {read.column for made in item_inputs(config) for read in made.reads}
    missing = {raw(name) for name in reads}.difference(items.column_names)
    if missing:
        raise PipelineError(
            f"features.item: the items of the model that is tuned lack '{min(missing)[4:]}'; "
            "train a model anew to read it"
        )
    names = [KEY, TITLE, columns.SAMPLING_PROBABILITY, *map(raw, reads)]
    arrays = {name: whole(items.column(name)) for name in names}
    arrays |= encoded(config, encoder, {name: arrays[raw(name)] for name in reads})
    return pa.table(arrays)


def train_on(
    context: Context, transformed: Transformed, model: Output[Model], base: Path, freeze: bool
) -> Summary:
    """Trains on from the base's weights and says what started anew."""
    outcome = trainer.train(context, transformed, model, base, freeze)
    summary = outcome.summary
    if outcome.anew:
        summary["headline"] += f"; started anew: {', '.join(outcome.anew)}"
    return {**summary, "started_anew": outcome.anew}
