"""Softmax over the items of the catalogue: all of them, or some that are drawn."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfmtl.config.retrieval_losses import AllItems, Sampled

Vectors = Callable[[tf.Tensor], tf.Tensor]
"""Places in the catalogue `[n]` to the items' vectors `[n, dim]`."""


class CatalogueSoftmax(keras.layers.Layer):
    """Cross-entropy of a query's item among the catalogue's.

    With scores `s_j = q . v_j / temperature` and the query's own item `p`, over all items
    `L = -s_p + log sum_j exp(s_j)`.

    Of `n` items `j` drawn with replacement with probabilities `Q_j`,
    `L = -s_p + log(exp(s_p) + sum over j != p of exp(s_j) / (n Q_j))`, whose sum estimates that
    over all items without bias. The query's own item is in the sum with certainty, so that its
    score is not corrected; `tf.nn.sampled_softmax_loss` corrects it, too, which makes the optimum
    depend on how popular the positives are.

    Reference: Bengio and Senecal, "Adaptive importance sampling to accelerate training of a neural
    probabilistic language model", IEEE Transactions on Neural Networks 2008.

    Args:
        spec: over which items.
        temperature: divides the scores.
        seed: of the draws.
        dtype: dtype in which vectors are multiplied; the softmax is in float32.
    """

    def __init__(
        self, spec: AllItems | Sampled, temperature: float, seed: int, dtype: str, name: str
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.spec = spec
        self.temperature = temperature
        self._draws = keras.random.SeedGenerator(seed)
        self._fixed = tf.constant([seed % 2**31, 0], tf.int32)
        self._below: tf.Tensor | None = None
        self._log_probability: tf.Tensor | None = None
        self.items = 0
        self.built = True

    def know(self, probabilities: np.ndarray) -> None:
        """Told of the catalogue.

        Args:
            probabilities: every item's share of the training rows' positives, `[items]`.
        """
        self.items = len(probabilities)
        if isinstance(self.spec, Sampled):
            drawn = _drawn(probabilities, self.spec.power)
            self._below = tf.constant(np.cumsum(drawn)[:-1], tf.float64)
            self._log_probability = tf.constant(np.log(drawn), tf.float32)

    def losses(
        self, query: tf.Tensor, places: tf.Tensor, vectors: Vectors, training: bool
    ) -> tf.Tensor:
        """Losses of queries, `[queries]`.

        Args:
            query: vectors, `[queries, dim]`.
            places: of their items in the catalogue, int32 `[queries]`.
            vectors: gives items' vectors.
            training: whether items are drawn anew; otherwise the same ones every time.
        """
        if isinstance(self.spec, AllItems):
            scores = self._scores(query, vectors(tf.range(self.items)))
            return tf.nn.sparse_softmax_cross_entropy_with_logits(places, scores)
        drawn = self._draw(self.spec.negatives, training)
        both = vectors(tf.concat([places, drawn], axis=0))
        own, others = tf.split(both, [tf.shape(places)[0], self.spec.negatives])
        positive = tf.reduce_sum(query * own, axis=1) / self.temperature
        assert self._log_probability is not None
        log_weight = tf.gather(self._log_probability, drawn) + np.log(self.spec.negatives)
        negative = self._scores(query, others) - log_weight
        negative = tf.where(places[:, None] == drawn[None, :], -np.inf, negative)
        scores = tf.concat([positive[:, None], negative], axis=1)
        return tf.reduce_logsumexp(scores, axis=1) - positive

    def _scores(self, query: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        query, items = (tf.cast(v, self.compute_dtype) for v in (query, items))
        return tf.cast(tf.matmul(query, items, transpose_b=True), tf.float32) / self.temperature

    def _draw(self, count: int, training: bool) -> tf.Tensor:
        """Places of items that are drawn, int32 `[count]`."""
        assert self._below is not None
        seed = tf.cast(self._draws.next(), tf.int32) if training else self._fixed
        chance = tf.random.stateless_uniform([count], seed, dtype=tf.float64)
        return tf.searchsorted(self._below, chance, side="right")


def _drawn(probabilities: np.ndarray, power: float) -> np.ndarray:
    """Chances of being drawn: a power of the frequencies, one unseen row being added to each."""
    known = np.asarray(probabilities, np.float64)
    rarest = known[known > 0].min(initial=1.0)
    weights = (known + rarest) ** power
    return weights / weights.sum()
