"""Makes a model's catalogue anew of a table of items, by the preprocessing that Transform uses."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.components.base import PipelineError
from pipelines.preprocess.catalogue import KEY, TITLE, encoded, item_inputs, raw
from pipelines.preprocess.encoding import Encoder
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.hashing import KeyIndex
from pipelines.preprocess.record_batches import whole
from tfmtl.config import Config, IdFeature, SideTable
from tfmtl.config.scored import item_columns, made_columns
from tfmtl.preprocessing import columns


@dataclass(frozen=True)
class Change:
    """How one catalogue differs from another.

    Attributes:
        items: items there are now.
        new: those of them that the other lacks.
        gone: those of the other that are no more.
    """

    items: int
    new: int
    gone: int


def make_catalogue(
    config: Config, source: SideTable, items: pa.Table, before: pa.Table, home: Path
) -> pa.Table:
    """Makes a catalogue.

    Args:
        config: the model's configuration.
        source: how the items were read.
        items: canonical rows, one an item.
        before: the model's catalogue, which knows how often items were positives.
        home: the model's directory, with vocabularies and moments.

    Returns:
        The catalogue, one row an item, in the order of `items`.
    """
    keys = whole(items.column(source.key))
    names = [read.column for made in item_inputs(config) for read in made.reads]
    made = made_columns(config)
    names = [n for n in dict.fromkeys([*names, *item_columns(config)]) if n not in made]
    raws = {name: _column(items, keys, name, config) for name in names}
    titles = keys
    if source.title:
        given = whole(items.column(source.title))
        titles = pc.if_else(pc.equal(given, ""), keys, given)
    arrays = {KEY: keys, TITLE: titles}
    arrays |= encoded(config, Encoder(Examples(config, home), home), raws)
    arrays |= {raw(name): values for name, values in raws.items()}
    arrays |= {raw(name): _carried(keys, before, raw(name)) for name in made}
    if columns.SAMPLING_PROBABILITY in before.column_names:
        arrays[columns.SAMPLING_PROBABILITY] = _probabilities(keys, before)
    return pa.table(arrays)


def compared(config: Config, catalogue: pa.Table, before: pa.Table, path: Path) -> Change:
    """What is new and what is gone.

    Raises:
        PipelineError: the keys are not of the kind that the model knows.
    """
    keys, known = whole(catalogue.column(KEY)), whole(before.column(KEY))
    _check_numbers(config, keys, path)
    new = int(np.sum(KeyIndex(known).find(keys) < 0))
    gone = int(np.sum(KeyIndex(keys).find(known) < 0))
    if len(known) and new == len(keys):
        raise PipelineError(
            f"{path}: expected keys such as {known[0].as_py()!r}, none of its items is in the "
            f"served catalogue, the first is {keys[0].as_py()!r}; is it the right column and type?"
        )
    return Change(len(keys), new, gone)


def _check_numbers(config: Config, keys: pa.Array, path: Path) -> None:
    """Answers hold int64 ids where the configuration says so."""
    item = config.source.log.item
    if not any(
        isinstance(feature, IdFeature) and feature.dtype == "int64" and feature.raw == item
        for feature in config.features.item
    ):
        return
    wrong = keys.filter(pc.invert(pc.match_substring_regex(keys, "^[0-9]{1,18}$")))
    if len(wrong):
        raise PipelineError(
            f"{path}: expected whole numbers as keys, for the item's id is of dtype int64, got "
            f"{wrong[0].as_py()!r}"
        )


def _column(items: pa.Table, keys: pa.Array, name: str, config: Config) -> pa.Array:
    if name == config.source.log.item:
        return keys
    values = whole(items.column(name))
    return pc.fill_null(values, "") if pa.types.is_string(values.type) else values


def _carried(keys: pa.Array, before: pa.Table, name: str) -> pa.Array:
    """Numbers that the catalogue before knows; missing of a new item."""
    known = before.column(name).to_numpy()
    found = KeyIndex(whole(before.column(KEY))).find(keys)
    return pa.array(np.append(known, np.float32("nan"))[found])


def _probabilities(keys: pa.Array, before: pa.Table) -> pa.Array:
    """Shares among the positives; a new item has the least that there is."""
    known = before.column(columns.SAMPLING_PROBABILITY).to_numpy()
    found = KeyIndex(whole(before.column(KEY))).find(keys)
    least = known.min() if len(known) else 1.0
    return pa.array(np.where(found < 0, least, known[found]).astype(np.float32))
