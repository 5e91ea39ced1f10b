"""Inner products of queries with stored vectors, and the best of them.

Vectors in few bytes become float32 a block at a time, so that no copy of the whole is made.
"""

import tensorflow as tf

from tfmtl.layers.stored import Stored

_BLOCK = 1 << 16
"""Vectors that are made float32 at a time."""
_LARGEST = 1e15
"""Larger numbers in a query would make scores infinite, or no numbers."""


def usable(queries: tf.Tensor) -> tf.Tensor:
    """Queries whose scores are finite: what is no number is 0."""
    finite = tf.where(tf.math.is_finite(queries), queries, 0.0)
    return tf.clip_by_value(finite, -_LARGEST, _LARGEST)


def all_scores(stored: Stored, queries: tf.Tensor) -> tf.Tensor:
    """Scores of all vectors, `[batch, items]`."""
    if stored.kind == "float32":
        return tf.matmul(queries, stored.values, transpose_b=True)
    items = int(stored.values.shape[0])
    blocks = max(1, -(-items // _BLOCK))
    array = tf.TensorArray(tf.float32, blocks, infer_shape=False)

    def score(block: tf.Tensor, array: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        rows = stored.values[block * _BLOCK : (block + 1) * _BLOCK]
        scores = tf.matmul(tf.cast(rows, tf.float32), queries, transpose_b=True)
        return block + 1, array.write(block, scores)

    _, array = tf.while_loop(
        lambda block, _: block < blocks, score, (0, array), parallel_iterations=2
    )
    scores = tf.transpose(array.concat())
    scores = tf.ensure_shape(scores, [None, items])
    return scores if stored.scales is None else scores * tf.transpose(stored.scales)


def scores_at(stored: Stored, queries: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Scores of some vectors of each query.

    Args:
        stored: the vectors.
        queries: `[batch, dim]`.
        rows: which vectors, int32 `[batch, n]`.

    Returns:
        `[batch, n]`.
    """

    def score(one: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        query, own = one
        vectors = tf.cast(tf.gather(stored.values, own), tf.float32)
        scores = tf.linalg.matvec(vectors, query)
        return scores if stored.scales is None else scores * tf.gather(stored.scales, own)[:, 0]

    def one_by_one() -> tf.Tensor:
        # Of many queries together, the gathered vectors would take gigabytes.
        return tf.map_fn(
            score, (queries, rows), fn_output_signature=tf.float32, parallel_iterations=2
        )

    empty = tf.equal(tf.shape(queries)[0], 0)
    scores = tf.cond(empty, lambda: tf.zeros(tf.shape(rows)), one_by_one)
    return tf.ensure_shape(scores, [None, None])


def best(scores: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The largest scores and where they are, the largest first.

    Args:
        scores: `[batch, n]`, -inf where none may be taken.
        count: how many, int32 scalar.

    Returns:
        places: int32 `[batch, count]`, -1 where there are no more.
        scores: float32 `[batch, count]`, -inf there.
    """
    there = tf.minimum(count, tf.shape(scores)[1])
    values, places = tf.math.top_k(scores, k=there)
    more = [[0, 0], [0, count - there]]
    values = tf.pad(values, more, constant_values=-float("inf"))
    places = tf.pad(places, more, constant_values=-1)
    return tf.where(tf.math.is_inf(values), -1, places), values
