"""Signature `rank`: the predictions of users' candidates, each user's side worked out once."""

import numpy as np
import tensorflow as tf

from serving.served_model.candidates import (
    Candidates,
    in_lists,
    inputs_of,
    raw_column,
    users_of,
)
from serving.served_model.fusion import Fusion, fusion_of
from serving.served_model.optional import batch_of, defaults, repeated, required
from serving.served_model.parts import Parts, Raw, Served
from serving.served_model.rank_rows import with_classes
from serving.signatures import CANDIDATES, RETRIEVAL_SCORE, SCORE
from tfmtl.config import BagFeature
from tfmtl.preprocessing.identifiers import id_texts


def rank(parts: Parts) -> Served:
    """Users `[batch, ...]`, their candidates `[batch, candidates, ...]`; the answers `{task:
    [batch, candidates]}`, of tasks of classes `[batch, candidates, classes]` and their names.

    The candidates' keys must be given. What else is said of items is for all candidates or for
    none, whose items are then those of the catalogue. Where CANDIDATES says that a row has fewer
    than the others, what is answered beyond is 0.
    """
    key, sides = parts.item_key, parts.sides
    known = sides.item_raw.get(key, tf.TensorSpec([None], parts.key_dtype, key))
    items = {
        name: tf.TensorSpec([None, None, *one.shape[1:]], one.dtype, name)
        for name, one in {key: known, **sides.item_raw}.items()
    }
    count = tf.TensorSpec([None], tf.int32, CANDIDATES)
    fusion = fusion_of(parts.config)
    fuse = fusion.spec if fusion else {}
    spec = {**sides.user_raw, **items, CANDIDATES: count, **fuse}

    def function(raw: Raw) -> dict[str, tf.Tensor]:
        batch = batch_of(raw)
        given = repeated(raw, batch)
        users = {name: given[name] for name in sides.user_raw}
        lists = {name: given[name] for name in items}
        shape = _shape_of(lists, key)
        candidates = _in_rows(parts, lists, shape)
        made = inputs_of(parts, users, candidates)
        rows = parts.of_candidates(users, made, candidates.user_of)
        answer = {name: in_lists(values, shape) for name, values in rows.items()}
        if fusion:
            values = _fused(parts, fusion, users, candidates, answer)
            answer[SCORE] = fusion(values, given, shape)
        return with_classes(parts, _masked(answer, given[CANDIDATES], shape))

    must = [*required(sides.user_raw, [parts.user_key]), key]
    return Served(function, spec, defaults(spec, must))


def _fused(
    parts: Parts, fusion: Fusion, raw: Raw, candidates: Candidates, answer: Raw
) -> dict[str, tf.Tensor]:
    """What the formula of the score reads, `[batch, candidates]`."""
    shape = tf.shape(next(iter(answer.values())))
    values = {name: answer[name] for name in fusion.reads if name in answer}
    for column in fusion.columns:
        rows = tf.cast(raw_column(parts, raw, candidates, column), tf.float32)
        values[column] = in_lists(rows, shape)
    if RETRIEVAL_SCORE in fusion.reads:
        queries = parts.query_vectors({n: raw[n] for n in parts.query_raw}, shape[0])
        items = inputs_of(parts, raw, candidates, parts.config.item_features)
        vectors = in_lists(parts.model.item_vectors(items), shape)
        values[RETRIEVAL_SCORE] = tf.linalg.matvec(vectors, queries)
    return values


def _shape_of(lists: Raw, key: str) -> tf.Tensor:
    """Users and candidates of each; other columns are of all candidates or of none."""
    shape = tf.shape(lists[key])
    counts = tf.stack([tf.shape(values)[1] for values in lists.values()])
    fits = tf.reduce_all((counts == shape[1]) | (counts == 0))
    message = (
        f"inputs should be of as many candidates as {key}, or of none; {', '.join(lists)} are of"
    )
    with tf.control_dependencies([tf.debugging.Assert(fits, [message, counts], summarize=-1)]):
        return tf.identity(shape)


def _in_rows(parts: Parts, lists: Raw, shape: tf.Tensor) -> Candidates:
    rows = {name: id_texts(_flat(values)) for name, values in lists.items()}
    keys = rows.pop(parts.item_key)
    for bag in parts.config.features.item:
        if isinstance(bag, BagFeature) and bag.weights is not None:
            rows[bag.weights] = _weights_beside(rows[bag.raw], rows[bag.weights])
    return Candidates(parts.places(keys), users_of(shape), rows, keys)


def _weights_beside(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The weights of a bag's values; missing where the request gives the values alone, for the
    catalogue's weights are of other values."""
    lacking = tf.maximum(tf.shape(values)[0] - tf.shape(weights)[0], 0)
    return tf.pad(weights, [[0, lacking], [0, 0]], constant_values=np.nan)


def _flat(lists: tf.Tensor) -> tf.Tensor:
    """`[batch, candidates, ...]` to `[batch * candidates, ...]`."""
    shape = tf.shape(lists)
    flat = tf.reshape(lists, tf.concat([[shape[0] * shape[1]], shape[2:]], axis=0))
    return tf.ensure_shape(flat, [None, *lists.shape[2:]])


def _masked(
    answer: dict[str, tf.Tensor], counts: tf.Tensor, shape: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Answers, 0 where there is no candidate."""
    real = (tf.range(shape[1])[None, :] < counts[:, None]) | (counts[:, None] < 0)
    return {
        name: tf.where(real if values.shape.rank == 2 else real[:, :, None], values, 0.0)
        for name, values in answer.items()
    }
