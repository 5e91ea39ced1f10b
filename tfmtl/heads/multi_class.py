"""Multi-class tasks: which one of several classes a row has."""

import keras
import numpy as np
import tensorflow as tf

from tfmtl.heads import tfrs


class MultiClassHead(keras.layers.Layer):
    """A score a class, learnt by a TFRS Ranking task with softmax cross-entropy.

    With scores `s_ic` of row i, `p_ic = exp(s_ic) / sum_k exp(s_ik)` and
    `L = -sum_i w_i b_y_i log p_i,y_i / sum_i w_i` over the rows that have a label; 0 where there is
    none. The weights of classes are `b_c ~ n_c^-balance` by their rows, with the mean 1 over these.

    Args:
        name: name of the task.
        classes: number of classes.
        balance: how far rare classes count as much as frequent ones.

    Call arguments:
        representation: `[batch, width]`.

    Returns:
        Scores before the softmax, float32 `[batch, classes]`.

    Example:
        >>> head = MultiClassHead("season", classes=4)
        >>> head.predict_from(tf.zeros([1, 4])).numpy()
        array([[0.25, 0.25, 0.25, 0.25]], dtype=float32)
    """

    def __init__(self, name: str, classes: int, balance: float = 0.0) -> None:
        super().__init__(name=name, dtype="float32")
        self.balance = balance
        self.class_weights: keras.Variable | None = None
        if balance:
            self.class_weights = self.add_weight(
                shape=(classes,), initializer="ones", trainable=False, name="class_weights"
            )
        self.output_layer = keras.layers.Dense(classes, name="output", dtype="float32")
        self._task = tfrs.Ranking(
            loss=tfrs.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction=tfrs.losses.Reduction.SUM
            ),
            name=name,
        )

    def weigh(self, counts: np.ndarray) -> None:
        """Sets the weights of classes by how many rows have each, `[classes]`."""
        if self.class_weights is None or not counts.any():
            return
        weights = np.maximum(counts, 1.0) ** -self.balance
        self.class_weights.assign(weights * counts.sum() / (weights @ counts))

    def call(self, representation: tf.Tensor) -> tf.Tensor:
        return self.output_layer(tf.cast(representation, tf.float32))

    def predict_from(self, scores: tf.Tensor) -> tf.Tensor:
        """Maps scores to probabilities that add up to 1, `[batch, classes]` both."""
        return tf.nn.softmax(scores)

    def loss(self, labels: tf.Tensor, scores: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Mean loss of the rows that have a label.

        Args:
            labels: number of each row's class as a float, `[batch]`, NaN where missing.
            scores: `[batch, classes]`, as `call` gives them.
            weights: `[batch]`.

        Returns:
            A scalar.
        """
        known = tf.math.is_finite(labels)
        weights = tf.where(known, weights, 0.0)
        labels = tf.where(known, labels, 0.0)
        own = weights
        if self.class_weights is not None:
            classes = tf.cast(labels, tf.int32)
            own = weights * tf.gather(tf.convert_to_tensor(self.class_weights), classes)
        total = self._task(
            labels=labels[:, None],
            predictions=scores,
            sample_weight=own,
            compute_metrics=False,
        )
        return tf.math.divide_no_nan(total, tf.reduce_sum(weights))
