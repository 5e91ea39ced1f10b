"""Lists of embeddings to one."""

import tensorflow as tf


def mean_pooling(rows: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Mean of the rows whose id is no padding.

    `sum_l row_l [id_l != 0] / max(1, sum_l [id_l != 0])`

    Args:
        rows: `[batch, length, dim]`.
        ids: `[batch, length]`, 0 where padded.

    Returns:
        `[batch, dim]`, zeros for a list of padding.
    """
    present = tf.cast(ids != 0, rows.dtype)
    added = tf.einsum("bld,bl->bd", rows, present)
    return added / tf.maximum(tf.reduce_sum(present, axis=1, keepdims=True), 1.0)


def combined(
    rows: tf.Tensor, ids: tf.Tensor, weights: tf.Tensor | None = None, combiner: str = "mean"
) -> tf.Tensor:
    """Weighted combination of the rows whose id is no padding.

    With `w_l` the weight of row `l`, 0 where its id is: `sum` is `sum_l w_l row_l`, `mean` divides
    it by `sum_l w_l`, `sqrtn` by `sqrt(sum_l w_l^2)`.

    Args:
        rows: `[batch, length, dim]`.
        ids: `[batch, length]`, 0 where padded.
        weights: `[batch, length]`, not negative; 1 where not given.
        combiner: `mean`, `sum` or `sqrtn`.

    Returns:
        `[batch, dim]`, zeros where no weight is above 0.
    """
    present = tf.cast(ids != 0, rows.dtype)
    if weights is not None:
        present *= tf.cast(weights, rows.dtype)
    added = tf.einsum("bld,bl->bd", rows, present)
    if combiner == "sum":
        return added
    if combiner == "sqrtn":
        norm = tf.sqrt(tf.reduce_sum(tf.square(present), axis=1, keepdims=True))
    else:
        norm = tf.reduce_sum(present, axis=1, keepdims=True)
    return tf.math.divide_no_nan(added, norm)
