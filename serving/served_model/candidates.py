"""Candidates of users: what the model reads of them, and its predictions for them.

What a request does not say of a candidate is joined from the catalogue. What it says of a user is
made and encoded once, however many candidates there are.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import tensorflow as tf

from serving.served_model.parts import Parts, Raw
from serving.served_model.sides import columns_of


@dataclass(frozen=True)
class Candidates:
    """Candidates in rows, the first user's, then the second's.

    Attributes:
        places: of the items in the catalogue, int32 `[rows]`; -1 where unknown.
        user_of: the user of each row, int32 `[rows]`.
        given: raw columns of items that the request may have given: `[rows, ...]`, or `[0, ...]`
            where it has not.
        keys: keys of the items as the request gave them, `[rows]`; None where only places are
            known.
    """

    places: tf.Tensor
    user_of: tf.Tensor
    given: Raw
    keys: tf.Tensor | None = None


def rank_places(parts: Parts, raw: Raw, places: tf.Tensor) -> dict[str, tf.Tensor]:
    """Predictions for items of the catalogue.

    Args:
        parts: model and catalogue.
        raw: what the request says of users, `[batch, ...]`.
        places: of the items, int32 `[batch, candidates]`; -1 gives an item of missing values.

    Returns:
        `{task: [batch, candidates]}`, of tasks of classes `[batch, candidates, classes]`.
    """
    candidates = Candidates(tf.reshape(places, [-1]), users_of(tf.shape(places)), {})
    answer = parts.of_candidates(raw, inputs_of(parts, raw, candidates), candidates.user_of)
    return {name: in_lists(values, tf.shape(places)) for name, values in answer.items()}


def inputs_of(
    parts: Parts, raw: Raw, candidates: Candidates, names: Iterable[str] | None = None
) -> dict[str, tf.Tensor]:
    """The model's inputs of candidates, `{input: [rows, ...]}`.

    Args:
        parts: preprocessing and catalogue.
        raw: what the request says of users, `[batch, ...]`.
        candidates: the candidates.
        names: the inputs; those of the ranking tasks where not given.
    """
    names = parts.sides.item if names is None else names
    return {name: _input(parts, raw, candidates, name) for name in names}


def _input(parts: Parts, raw: Raw, candidates: Candidates, name: str) -> tf.Tensor:
    reads = columns_of(parts.config, name)
    given = [column for column in reads if column in candidates.given]
    keyed = candidates.keys is not None and parts.item_key in reads
    held = parts.items.holds(name)
    if held and not given and not keyed:
        return parts.items.join(candidates.places, [name])[name]
    if held and len(reads) == 1 and not keyed:
        # Either the request has the column, or all of it is the catalogue's: one of them is empty.
        made = parts.made(candidates.given, name)
        rest = candidates.places[tf.shape(made)[0] :]
        return tf.concat([made, parts.items.join(rest, [name])[name]], axis=0)
    columns = {column: raw_column(parts, raw, candidates, column) for column in reads}
    return parts.made(columns or {"": candidates.places}, name)


def raw_column(parts: Parts, raw: Raw, candidates: Candidates, column: str) -> tf.Tensor:
    """A raw column of candidates, `[rows, ...]`: as the request gives it, else the catalogue's,
    else missing."""
    if column in raw:
        return tf.gather(raw[column], candidates.user_of)
    if column == parts.item_key:
        keys = candidates.keys
        return parts.items.keys(candidates.places) if keys is None else keys
    given = candidates.given.get(column)
    rest = candidates.places if given is None else candidates.places[tf.shape(given)[0] :]
    if column in parts.items.columns:
        joined = parts.items.raw(column, rest)
    else:
        spec = parts.sides.item_raw[column]
        sizes = [size or 0 for size in spec.shape[1:]]
        joined = _missing(
            spec.dtype, [tf.shape(rest)[0]], sizes if given is None else tf.shape(given)[1:]
        )
    return joined if given is None else tf.concat([given, tf.cast(joined, given.dtype)], axis=0)


def _missing(dtype: tf.DType, rows: list[tf.Tensor], sizes: list[int] | tf.Tensor) -> tf.Tensor:
    dtype = dtype if dtype.is_floating else tf.string  # int64 ids are texts by now
    value = float("nan") if dtype.is_floating else ""
    return tf.fill(tf.concat([rows, tf.cast(sizes, tf.int32)], axis=0), tf.constant(value, dtype))


def users_of(shape: tf.Tensor) -> tf.Tensor:
    """The user of each candidate, int32 `[batch * candidates]`, of lists of the shape."""
    return tf.repeat(tf.range(shape[0]), shape[1])


def in_lists(rows: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """Rows of candidates as `[batch, candidates, ...]`."""
    return tf.reshape(rows, tf.concat([shape[:2], tf.shape(rows)[1:]], axis=0))
