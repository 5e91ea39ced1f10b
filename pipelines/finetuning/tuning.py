"""The pipeline's components as tuning needs them: what they make goes on from a trained model.

StatisticsGen keeps the model's vocabularies and moments, Transform keeps its items, the Trainer
starts from its weights, and the Evaluator says what its tasks have lost. The other components are
those of a first model.
"""

import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import artifacts
from pipelines.artifacts import Anomalies, Evaluation, Model, Output, Statistics, Transformed
from pipelines.caching.fingerprints import content_fingerprint
from pipelines.components import evaluator, statistics_gen, trainer, transform
from pipelines.components.base import Component, Context, PipelineError, Summary, component
from pipelines.finetuning.forgetting import Base, forgetting, lines_of, outcomes
from pipelines.finetuning.growing import grow_vocabularies
from pipelines.preprocess.analysing import vocabularies_headline
from pipelines.preprocess.catalogue import KEY, TITLE, encoded, item_inputs, raw
from pipelines.preprocess.class_counts import declared, known_classes, regrouped
from pipelines.preprocess.encoding import Encoder
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.record_batches import whole
from pipelines.preprocess.writing import write_json, write_parquet
from tfmtl.config import Config, Feature, NumericFeature, TextFeature, load
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.encoders import encoding_name, frozen_texts
from tfmtl.preprocessing.tables import (
    read_moments,
    vocabulary_path,
    vocabulary_size,
    write_moments,
)

CATALOGUE = "catalogue.parquet"


def tuning(components: Sequence[Component], base: Base, grow: bool) -> list[Component]:
    """The components, going on from a trained model.

    Args:
        components: those of a first model.
        base: what is tuned.
        grow: whether values that only the newer data has are added to the vocabularies.
    """
    identity = content_fingerprint(base.model)
    rows = content_fingerprint(base.rows / "test") if (base.rows / "test").is_dir() else None

    @component(reads=lambda config: [statistics_gen.StatisticsGen.reads(config), identity, grow])
    def StatisticsGen(
        context: Context, examples: artifacts.Examples, statistics: Output[Statistics]
    ) -> Summary:
        summary = statistics_gen.analyse_examples(context, examples, statistics, base.model)
        summary = keep_analysis(summary, context.config, statistics.path, base.model, grow)
        came_from = f"goes on from version {base.version}: {base.model}"
        return {**summary, "lines": [came_from, *summary.get("lines", [])]}

    @component(reads=lambda config: [transform.Transform.reads(config), identity])
    def Transform(
        context: Context,
        examples: artifacts.Examples,
        statistics: Statistics,
        transformed: Output[Transformed],
    ) -> Summary:
        summary = transform.Transform(context, examples, statistics, transformed)
        rows = Examples(context.config, examples.path)
        return keep_items(summary, rows, statistics.path, transformed.path, base.model)

    @component(reads=lambda config: [trainer.Trainer.reads(config), identity])
    def Trainer(
        context: Context, transformed: Transformed, anomalies: Anomalies, model: Output[Model]
    ) -> Summary:
        return train_on(context, transformed, model, base.model)

    @component(
        reads=lambda config: [
            evaluator.Evaluator.reads(config),
            config.finetuning.model_dump(mode="json"),
            identity,
            rows,
        ],
        valid=evaluator.Evaluator.valid,
    )
    def Evaluator(
        context: Context, transformed: Transformed, model: Model, evaluation: Output[Evaluation]
    ) -> Summary:
        summary = evaluator.Evaluator(context, transformed, model, evaluation)
        return beside_base(summary, context, base, transformed.path, model.path, evaluation.path)

    tuned = {made.name: made for made in (StatisticsGen, Transform, Trainer, Evaluator)}
    return [tuned.get(one.name, one) for one in components]


def keep_analysis(
    summary: Summary, config: Config, statistics: Path, base: Path, grow: bool = False
) -> Summary:
    """Puts the base's vocabularies, and its moments where they mean the same, into StatisticsGen's
    artifact; the summary with the sizes that count.

    Args:
        summary: of the newer data.
        config: the configuration.
        statistics: StatisticsGen's artifact.
        base: directory of the trained model.
        grow: whether the vocabularies get the newer data's values behind the base's.
    """
    added = grow_vocabularies(config, statistics, base) if grow else {}
    kept = {vocabulary_path(base, name).name for name in added}
    shutil.copytree(
        base / "vocabularies",
        statistics / "vocabularies",
        ignore=lambda _, names: [name for name in names if name in kept],
        dirs_exist_ok=True,
    )
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
    if added:
        more = ", ".join(f"{count:,} of {name}" for name, count in added.items())
        headline += f" and new ones: {more}"
    classes = {
        task: regrouped(counted, known_classes(statistics, task))
        for task, counted in summary["classes"].items()
    }
    summary = {**summary, "vocabularies": sizes, "classes": classes, "headline": headline}
    summary["added_values"] = added
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
    their raw columns; vectors of texts are taken as they are where the encoder is the same.
    """
    path = transformed / CATALOGUE
    items, before = pq.read_table(path), pq.read_table(base / CATALOGUE)
    gone = before.filter(pc.invert(pc.is_in(before.column(KEY), whole(items.column(KEY)))))
    held = _held_vectors(examples.config, statistics, base)
    kept = _encoded(gone, examples.config, Encoder(examples, statistics), held)
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


def _held_vectors(config: Config, statistics: Path, base: Path) -> list[str]:
    """Features of text whose vectors the base's catalogue has as this model reads them."""
    before, held = load(base / "config.yaml").features.by_name, []
    of_items = {feature.name for feature in config.features.item}
    for text in frozen_texts(config):
        old = before.get(text.name)
        if text.name not in of_items or not (isinstance(old, TextFeature) and old.frozen):
            continue
        same = encoding_name(base, old) == encoding_name(statistics, text)
        if same and old.raw == text.raw:
            held.append(text.name)
    return held


def _encoded(items: pa.Table, config: Config, encoder: Encoder, held: Collection[str]) -> pa.Table:
    """Rows of another model's catalogue with the inputs of this one, of which some are held."""
    reads = {read.column for made in item_inputs(config) for read in made.reads}
    missing = {raw(name) for name in reads}.difference(items.column_names)
    if missing:
        raise PipelineError(
            f"features.item: the items of the model that is tuned lack '{min(missing)[4:]}'; "
            "train a model anew to read it"
        )
    names = [KEY, TITLE, columns.SAMPLING_PROBABILITY, *map(raw, reads)]
    arrays = {name: whole(items.column(name)) for name in names}
    arrays |= encoded(config, encoder, {name: arrays[raw(name)] for name in reads}, held)
    arrays |= {name: whole(items.column(name)) for name in held}
    return pa.table(arrays)


def train_on(
    context: Context, transformed: Transformed, model: Output[Model], base: Path
) -> Summary:
    """Trains on from the base's weights and says what started anew."""
    outcome = trainer.train(context, transformed, model, base)
    summary = outcome.summary
    if outcome.anew:
        summary["headline"] += f"; started anew: {', '.join(outcome.anew)}"
    return {**summary, "started_anew": outcome.anew}


def beside_base(
    summary: Summary, context: Context, base: Base, transformed: Path, model: Path, output: Path
) -> Summary:
    """Adds to Evaluator's artifact what the base's tasks have lost, which may forbid a push."""
    path = output / evaluator.EVALUATION
    found = json.loads(path.read_bytes())
    lost = forgetting(context, base, model, transformed, found)
    limits = list(outcomes(lost["tasks"]))
    reasons = [limit.text for limit in limits if not limit.holds]
    found["rules"] += [{"rule": f"{o.task} {o.metric} {o.bound}", **asdict(o)} for o in limits]
    found["blessed"] = found["blessed"] and not reasons
    found["reasons"] += reasons
    path.write_text(
        json.dumps({**found, "finetuning": lost}, indent=2, allow_nan=False), encoding="utf-8"
    )
    word = "blessed" if found["blessed"] else "not blessed"
    held = sum(rule["holds"] for rule in found["rules"])
    return {
        **summary,
        "blessed": found["blessed"],
        "headline": f"{word}, {held} of {len(found['rules'])} rules hold",
        "lines": [*summary["lines"], *lines_of(lost)],
    }
