"""Signature `recommend`: items that are retrieved, filtered, ranked and put in order."""

import numpy as np
import tensorflow as tf

from serving.served_model.candidates import rank_places
from serving.served_model.fusion import Fusion, fusion_of
from serving.served_model.optional import batch_of, defaults, repeated, required
from serving.served_model.parts import Parts, Raw, Served
from serving.served_model.rank_rows import with_classes
from serving.signatures import COUNT, ITEM_ID, RETRIEVAL_SCORE, SCORE, K


def recommends(parts: Parts) -> bool:
    """Whether a model can recommend: it gives items a number, and either retrieves or has no more
    items than it may rank."""
    few = parts.items.count <= parts.config.serving.recommend.candidates
    return fusion_of(parts.config) is not None and (parts.index is not None or few)


def recommend(parts: Parts) -> Served:
    """Users and queries in; keys of items, scores and every task's predictions out, `[batch, k]`,
    the best first. What the answer lacks of `k` is "" and 0, and COUNT says how many are real.

    Of the items that the request allows, those with the highest retrieval scores are ranked, and
    put in order by the configured formula. Without a retrieval task all of them are.
    """
    fusion, filters, users = Fusion(parts.config), parts.filters, _users(parts)
    k = tf.TensorSpec([None], tf.int32, K)
    spec = {**users, **fusion.spec, **filters.spec, K: k}

    def function(raw: Raw) -> dict[str, tf.Tensor]:
        given = repeated(raw, batch_of(raw))
        return _answered(parts, fusion, given)

    absent = defaults(users, required(users, [parts.user_key]))
    preset = np.array([parts.config.serving.recommend.k], np.int32)
    return Served(function, spec, {**fusion.defaults, **filters.defaults, **absent, K: preset})


def _users(parts: Parts) -> dict[str, tf.TensorSpec]:
    """What a request says of users and queries."""
    names = [] if parts.index is None else parts.config.query_features
    asked = parts.preprocessor.raw_spec([*names, *parts.filters.seen])
    return {**asked, **(parts.sides.user_raw if parts.config.ranking_tasks else {})}


def _answered(parts: Parts, fusion: Fusion, raw: Raw) -> dict[str, tf.Tensor]:
    """The answer to a request whose inputs all have as many rows."""
    wanted = tf.clip_by_value(raw[K], 1, max(parts.items.count, 1))
    width = tf.minimum(tf.reduce_max(tf.concat([wanted, [1]], axis=0)), parts.items.count)
    places, values = _candidates(parts, wanted, raw)
    if parts.config.ranking_tasks:
        asked = {name: raw[name] for name in parts.sides.user_raw}
        values |= rank_places(parts, asked, places)
    read = {**{n: parts.items.raw(n, places) for n in fusion.columns}, **values}
    scores = fusion(read, raw, tf.shape(places))
    # Whatever the formula gives, a candidate goes before where there is none.
    order = tf.where(places < 0, -np.inf, tf.maximum(scores, tf.float32.min))
    best = tf.math.top_k(order, k=width).indices
    count = tf.minimum(tf.math.count_nonzero(places >= 0, axis=1, dtype=tf.int32), wanted)
    real = tf.range(width)[None, :] < count[:, None]
    values |= {n: parts.items.raw(n, places) for n in parts.config.serving.recommend.returns}
    chosen = {name: _taken(each, best, real) for name, each in {SCORE: scores, **values}.items()}
    kept = tf.where(real, tf.gather(places, best, batch_dims=1), -1)
    return with_classes(parts, {ITEM_ID: parts.item_ids(kept), **chosen, COUNT: count})


def _candidates(
    parts: Parts, wanted: tf.Tensor, raw: Raw
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Places of the items to rank, int32 `[batch, candidates]`, -1 where there is none, and what
    retrieval says of them."""
    allowed, items = parts.filters.allowed(raw), parts.items.count
    if parts.index is None:
        everything = tf.range(items)[None, :]
        return tf.where(allowed(None), everything, -1), {}
    least = tf.maximum(wanted, parts.config.serving.recommend.candidates)
    most = tf.minimum(tf.reduce_max(tf.concat([least, [1]], axis=0)), items)
    names = parts.preprocessor.raw_spec(parts.config.query_features)
    queries = parts.query_vectors({name: raw[name] for name in names}, tf.shape(wanted)[0])
    places, scores = parts.index.search(queries, most, allowed)
    # A row has the candidates that it would have alone, whatever the others of its batch want.
    own = tf.range(most)[None, :] < least[:, None]
    return tf.where(own, places, -1), {RETRIEVAL_SCORE: scores}


def _taken(values: tf.Tensor, best: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """Values of the best candidates, 0 where there is none."""
    taken = tf.gather(values, best, batch_dims=1)
    return tf.where(real if values.shape.rank == 2 else real[:, :, None], taken, 0.0)
