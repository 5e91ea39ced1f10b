"""The pipeline's components as tuning needs them: what they make goes on from a trained model.

StatisticsGen keeps the model's vocabularies and moments, Transform keeps its items, and the Trainer
starts from its weights. The other components are those of a first model.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.components import statistics_gen, trainer, transform
from pipelines.components.base import Component, Context, PipelineError, Summary
from pipelines.fingerprints import content_fingerprint
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

    def tuned(component: Component) -> Component:
        def reads(config: Config) -> Any:
            known = [component.reads(config), identity]
            return [*known, freeze_tables] if component is trainer.COMPONENT else known

        def execute(context: Context) -> Summary:
            if component is statistics_gen.COMPONENT:
                return keep_analysis(component.execute(context), context, base)
            if component is transform.COMPONENT:
                return keep_items(component.execute(context), context, base)
            return train_on(context, base, freeze_tables)

        return replace(component, reads=reads, execute=execute)

    changed = (statistics_gen.COMPONENT, transform.COMPONENT, trainer.COMPONENT)
    return [tuned(component) if component in changed else component for component in components]


def keep_analysis(summary: Summary, context: Context, base: Path) -> Summary:
    """Puts the base's vocabularies, and its moments where they mean the same, into StatisticsGen's
    artifact; the summary with the sizes that count."""
    shutil.copytree(base / "vocabularies", context.output / "vocabularies", dirs_exist_ok=True)
    before, known = load(base / "config.yaml").features.by_name, read_moments(base)
    moments, after = read_moments(context.output), context.config.features.by_name
    for name in moments.keys() & known.keys():
        new, old = after.get(name), before.get(name)
        if _meaning(new) is not None and _meaning(new) == _meaning(old):
            moments[name] = known[name]
    write_moments(context.output, moments)
    _check_classes(context)
    sizes = {name: vocabulary_size(context.output, name) for name in summary["vocabularies"]}
    headline = f"{statistics_gen.headline(sizes)}, those of the model that is tuned"
    classes = {
        task: regrouped(counted, known_classes(context.output, task))
        for task, counted in summary["classes"].items()
    }
    summary = {**summary, "vocabularies": sizes, "classes": classes, "headline": headline}
    write_json(summary, context.output / "summary.json")
    return summary


def _check_classes(context: Context) -> None:
    """Refuses classes that the configuration names otherwise than the base knows them."""
    for name, task in context.config.class_tasks.items():
        known, wanted = known_classes(context.output, name), declared(task)
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


def keep_items(summary: Summary, context: Context, base: Path) -> Summary:
    """Adds the base's items that the newer data lacks to Transform's catalogue.

    They come last, so that the rows' `meta/item` stays right. Their inputs are made anew from
    their raw columns.
    """
    path = context.output / CATALOGUE
    items, before = pq.read_table(path), pq.read_table(base / CATALOGUE)
    gone = before.filter(pc.invert(pc.is_in(before.column(KEY), whole(items.column(KEY)))))
    encoder = Encoder(
        Examples(context.config, context.inputs["examples"]), context.inputs["statistics"]
    )
    kept = _encoded(gone, context.config, encoder)
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
    write_json(summary, context.output / "summary.json")
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


def train_on(context: Context, base: Path, freeze_tables: bool) -> Summary:
    """Trains on from the base's weights and says what started anew."""
    outcome = trainer.train(context, base, freeze_tables)
    summary = outcome.summary
    if outcome.anew:
        summary["headline"] += f"; started anew: {', '.join(outcome.anew)}"
    return {**summary, "started_anew": outcome.anew}
