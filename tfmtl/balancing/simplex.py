"""The best mixture of gradients."""

import tensorflow as tf

_STEPS = 500
_TOLERANCE = 1e-6
_FAR = 1e30


def best_mixture(
    gram: tf.Tensor, present: tf.Tensor, slope: tf.Tensor, size: tf.Tensor
) -> tf.Tensor:
    """Minimises `slope . w + size ||sum_k w_k g_k||` over mixtures w of gradients.

    Pairwise Frank-Wolfe: in every step weight is moved from the task where the objective rises
    most to the one where it falls most, by as much as is best, which has a closed form. It ends
    when no move can gain more than a millionth, or after 500 steps. Beside gradients that are
    nearly opposite it is slow, so that a single task that is better is taken instead. Without a
    slope it finds the mixture of the smallest norm.

    Reference: Lacoste-Julien and Jaggi, "On the global linear convergence of Frank-Wolfe
    optimization variants", NIPS 2015, algorithm 2.

    Args:
        gram: inner products, about 1 in size, `[tasks, tasks]`.
        present: 1 for tasks that may be mixed, otherwise 0, `[tasks]`.
        slope: `[tasks]`.
        size: scalar, at least 0.

    Returns:
        w, `[tasks]`: not negative, with the sum 1.
    """
    count = gram.shape[0]

    def gradient(mixture: tf.Tensor) -> tf.Tensor:
        products = tf.linalg.matvec(gram, mixture)
        norm = tf.sqrt(tf.maximum(tf.tensordot(mixture, products, 1), 0.0))
        return slope + size * tf.math.divide_no_nan(products, norm)

    def step(
        number: tf.Tensor, mixture: tf.Tensor, _: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        rises = gradient(mixture)
        to = tf.argmin(tf.where(present > 0, rises, _FAR))
        source = tf.argmax(tf.where(mixture > 0, rises, -_FAR))
        gain = rises[source] - rises[to]
        move = tf.one_hot(to, count) - tf.one_hot(source, count)
        length = _best_length(gram, mixture, move, tf.tensordot(slope, move, 1), size)
        length = tf.where(gain > _TOLERANCE, tf.minimum(length, mixture[source]), 0.0)
        return number + 1, tf.maximum(mixture + length * move, 0.0), gain

    start = present / tf.maximum(tf.reduce_sum(present), 1.0)
    _, mixture, _ = tf.while_loop(
        lambda number, _, gain: (number < _STEPS) & (gain > _TOLERANCE),
        step,
        (tf.constant(0), start, tf.constant(1.0)),
    )
    singles = slope + size * tf.sqrt(tf.maximum(tf.linalg.diag_part(gram), 0.0))
    singles = tf.where(present > 0, singles, _FAR)
    squared = tf.tensordot(mixture, tf.linalg.matvec(gram, mixture), 1)
    found = tf.tensordot(slope, mixture, 1) + size * tf.sqrt(tf.maximum(squared, 0.0))
    single = tf.one_hot(tf.argmin(singles), count)
    return tf.where(tf.reduce_min(singles) < found, single, mixture)


def _best_length(
    gram: tf.Tensor, mixture: tf.Tensor, move: tf.Tensor, slope: tf.Tensor, size: tf.Tensor
) -> tf.Tensor:
    """How far to go: the minimum of `slope t + size sqrt(a t^2 + 2 b t + c)` over `t >= 0`."""
    moved = tf.linalg.matvec(gram, move)
    a = tf.maximum(tf.tensordot(move, moved, 1), 0.0)
    b = tf.tensordot(mixture, moved, 1)
    c = tf.tensordot(mixture, tf.linalg.matvec(gram, mixture), 1)
    closest = -tf.math.divide_no_nan(b, a)
    least = tf.maximum(c + b * closest, 0.0)
    room = tf.square(size) * a - tf.square(slope)
    beside = tf.abs(slope) * tf.sqrt(tf.math.divide_no_nan(least, a * room))
    inner = closest - tf.sign(slope) * beside
    edge = tf.where(slope > 0, 0.0, _FAR)
    return tf.maximum(tf.where((a > _TOLERANCE**2) & (room > 0), inner, edge), 0.0)
