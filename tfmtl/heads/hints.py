"""How far a representation is from a teacher's, but for a linear map.

FitNets puts a regressor between the two, for they differ in width, and learns it by descent. Here
it is the best one of the batch, in closed form: with the student's representations `H` and the
teacher's `Z`, both centred by the rows' weights,

    A = (H' W H + ridge I)^-1 H' W Z,   L = sum W (Z - H A)^2 / sum W Z^2,

the share of the teacher's variance that no linear map of the student's representation explains,
from 0 to 1 whatever the scale. It has no weights that a model would have to keep.

Reference: Romero et al., "FitNets: hints for thin deep nets", ICLR 2015.
"""

import tensorflow as tf

_RIDGE = 1e-3
"""Of the mean square of the student's representation: what keeps the map from fitting noise."""


def unexplained(student: tf.Tensor, teacher: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The loss of a batch, a scalar; 0 where the weights are.

    Args:
        student: `[rows, width]`.
        teacher: `[rows, its width]`.
        weights: `[rows]`.
    """
    shares = tf.math.divide_no_nan(weights, tf.reduce_sum(weights))[:, None]
    own, other = (_centred(tf.cast(one, tf.float32), shares) for one in (student, teacher))
    products = tf.matmul(own, shares * own, transpose_a=True)
    width = tf.cast(tf.shape(products)[0], tf.float32)
    # A batch without rows has no products; the identity keeps their inverse defined.
    ridge = _RIDGE * tf.linalg.trace(products) / width + 1e-7
    mixed = tf.matmul(own, shares * other, transpose_a=True)
    best = tf.linalg.solve(products + ridge * tf.eye(tf.shape(products)[0]), mixed)
    # The best map stays the best for small steps, so that no gradient needs to go through it.
    left = tf.square(other - tf.matmul(own, tf.stop_gradient(best)))
    return tf.math.divide_no_nan(
        tf.reduce_sum(shares * left), tf.reduce_sum(shares * tf.square(other))
    )


def _centred(values: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    return values - tf.reduce_sum(shares * values, axis=0, keepdims=True)
