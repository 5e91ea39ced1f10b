"""A trained model without the rows of values that were hardly seen, or hardly matter.

The values leave the vocabulary, so that tables and text assets are smaller, and are looked up as
unknown ones from then on. The row of unknown values becomes the mean of its own and of theirs,
weighted by how often each was looked up in training: what a value like those that went has learnt.
"""

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from tfmtl.config import Config
from tfmtl.config.variants import Prune
from tfmtl.models.catalogue import column_array
from tfmtl.models.inputs import describe
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.queries import QUERIES
from tfmtl.models.saved import CATALOGUE, NETWORK, load_preprocessor
from tfmtl.preprocessing.tables import (
    read_vocabulary,
    reserved,
    vocabulary_name,
    write_vocabulary,
)
from tfmtl.training.errors import TrainingError
from tfmtl.training.translation import Translation


@dataclass(frozen=True)
class Pruned:
    """What pruning has left.

    Attributes:
        model: the smaller model, whose directory is its `home`.
        kept: values before and after by vocabulary, of those that have lost some.
    """

    model: MultiTaskModel
    kept: dict[str, tuple[int, int]]


def prune(model: MultiTaskModel, spec: Prune, examples: Path, home: Path) -> Pruned:
    """Makes a model with fewer rows.

    Args:
        model: the trained model, loaded from its directory; it stays as it is.
        spec: which values go.
        examples: the training rows.
        home: where the smaller model's directory is made.

    Raises:
        TrainingError: a table is named that has no values to lose.
    """
    if model.home is None:
        raise ValueError("a model is pruned from its directory. Received: one without `home`")
    chosen = _chosen(model, spec)
    counts = lookups(model.config, model, examples, chosen)
    shutil.copytree(model.home, home, ignore=shutil.ignore_patterns(NETWORK), dirs_exist_ok=True)
    kept: dict[str, tuple[int, int]] = {}
    for name in chosen:
        values = read_vocabulary(model.home, name)
        first = len(counts[name]) - len(values)
        rows = model.encoding.embedding.rows_of(name)[first:]
        stay = _staying(spec, counts[name][first:], rows)
        if not stay.all():
            left = [value for value, one in zip(values, stay, strict=True) if one]
            write_vocabulary(home, name, left)
            kept[name] = (len(values), len(left))
    preprocessor = load_preprocessor(home)
    smaller = MultiTaskModel(
        model.config, preprocessor.vocabulary_sizes, model.policy, model.encoders, model.rated
    )
    _copy(model, smaller, counts, home)
    smaller.home = home
    _translate(model, smaller, home)
    smaller.save(home / NETWORK)
    return Pruned(smaller, kept)


def prunable(model: MultiTaskModel) -> list[str]:
    """Vocabularies whose values have a row each, which nothing but the embeddings reads."""
    config, tables = model.config, model.encoding.embedding.tables
    factorised = config.factorised_ids if config.model.factorised else []
    aside = {vocabulary_name(config.features.by_name[name]) for name in factorised}
    names = dict.fromkeys(vocabulary_name(feature) for feature in config.features)
    return [
        name
        for name in names
        if name in model.vocabulary_sizes
        and name in tables
        and tables[name].hashed_from is None
        and name not in aside
    ]


def lookups(
    config: Config, model: MultiTaskModel, examples: Path, tables: list[str]
) -> dict[str, np.ndarray]:
    """How often the rows of tables are looked up in examples, `{table: [rows]}`."""
    reads = describe(config, model.vocabulary_sizes, model.encoders).reads
    inputs = {name: table for name, table in reads.items() if table in tables}
    rows = {name: model.encoding.embedding.tables[name].rows for name in tables}
    counts = {name: np.zeros(rows[name], np.int64) for name in tables}
    for file in sorted(examples.glob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(columns=list(inputs)):
            for name, table in inputs.items():
                array = batch.column(name)
                values = array.flatten() if pa.types.is_fixed_size_list(array.type) else array
                ids = values.to_numpy(zero_copy_only=False).astype(np.int64)
                counts[table] += np.bincount(ids, minlength=rows[table])
    return counts


def _chosen(model: MultiTaskModel, spec: Prune) -> list[str]:
    known = prunable(model)
    wrong = next((name for name in spec.tables or () if name not in known), None)
    if wrong is not None:
        raise TrainingError(
            f"prune.tables: '{wrong}' is no vocabulary whose values have a row each; choose among "
            f"{', '.join(known) or 'none'}"
        )
    return known if spec.tables is None else list(dict.fromkeys(spec.tables))


def _staying(spec: Prune, counts: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which values keep their rows, bool `[values]`; one at the least."""
    norms = np.linalg.norm(rows, axis=1)
    measure = {"count": counts, "norm": norms, "importance": counts * norms}[spec.by]
    if spec.fewer_than is not None:
        stay = measure >= spec.fewer_than
    else:
        assert spec.keep is not None
        order = np.argsort(-measure, kind="stable")
        stay = np.zeros(len(measure), bool)
        stay[order[: math.ceil(spec.keep * len(measure))]] = True
    if len(stay) and not stay.any():
        stay[np.argmax(measure)] = True
    return stay


def _copy(
    source: MultiTaskModel, target: MultiTaskModel, counts: Mapping[str, np.ndarray], home: Path
) -> None:
    """Copies all weights; of pruned tables the rows that are left, and the means of the others."""
    own, other = source.encoding.embedding, target.encoding.embedding
    fused = {id(variable) for variable in other.variables}
    for variable, before in zip(target.variables, source.variables, strict=True):
        if id(variable) not in fused:
            variable.assign(before)
    rows = {name: own.rows_of(name) for name in own.tables}
    lookup = load_preprocessor(home).lookup
    assert source.home is not None
    for feature in source.config.features:
        name = vocabulary_name(feature)
        if name in counts and len(rows[name]) != other.tables[name].rows:
            first = reserved(feature)
            values = tf.constant(read_vocabulary(source.home, name))
            places = np.concatenate([np.arange(first), lookup(name)(values).numpy()])
            rows[name] = _merged(rows[name], counts[name], places, other.tables[name].rows)
    other.assign_rows(rows)


def _merged(rows: np.ndarray, counts: np.ndarray, places: np.ndarray, total: int) -> np.ndarray:
    """Rows at their new places, `[total, dim]`: the mean of those that come together, weighted by
    counts, of rows that were never looked up the plain one."""
    weights = counts.astype(np.float64)
    alone = np.bincount(places, weights, minlength=total)[places] == 0
    weights[alone] = 1.0
    summed = np.zeros((total, rows.shape[1]))
    np.add.at(summed, places, rows * weights[:, None])
    return (summed / np.bincount(places, weights, minlength=total)[:, None]).astype(np.float32)


def _translate(source: MultiTaskModel, target: MultiTaskModel, home: Path) -> None:
    """Rewrites the ids in the catalogue and in the held-out queries."""
    assert source.home is not None
    translate = Translation(source.config, source.home, home)
    for name in (CATALOGUE, QUERIES):
        if not (home / name).is_file():
            continue
        table = pq.read_table(home / name)
        held = [one for one in table.column_names if one in source.inputs_spec]
        values = {one: column_array(table[one], source.inputs_spec[one]) for one in held}
        for one, found in translate(values).items():
            place = table.schema.get_field_index(one)
            table = table.set_column(place, table.schema.field(place), _column(table, one, found))
        pq.write_table(table, home / name)


def _column(table: pa.Table, name: str, values: np.ndarray) -> pa.Array:
    type_ = table.schema.field(name).type
    if values.ndim == 1:
        return pa.array(values, type_)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel(), type_.value_type), type=type_)
