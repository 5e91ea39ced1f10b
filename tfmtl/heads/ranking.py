"""Ranking tasks: the probability of an event, or a number."""

from abc import abstractmethod

import keras
import numpy as np
import tensorflow as tf

from tfmtl.config import BinaryLoss, Focal
from tfmtl.heads import tfrs
from tfmtl.heads.binary_losses import FocalLoss, WeightedCrossEntropy, focal_logit


class RankingHead(keras.layers.Layer):
    """One number a row, learnt by a TFRS Ranking task.

    Rows whose label is missing (NaN) do not count: the loss is the weighted mean over the others,
    `sum_i w_i l_i / sum_i w_i`, and 0 where there is none.

    Args:
        loss: legacy Keras loss of one row, without reduction.
        name: name of the task.
    """

    def __init__(self, loss: "tfrs.losses.Loss", name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.output_layer = keras.layers.Dense(1, name="output", dtype="float32")
        self._task = tfrs.Ranking(loss=loss, name=name)

    def call(self, representation: tf.Tensor) -> tf.Tensor:
        """Maps `[batch, width]` to scores `[batch]`, before the link to predictions."""
        return tf.squeeze(self.output_layer(tf.cast(representation, tf.float32)), axis=1)

    @abstractmethod
    def predict_from(self, scores: tf.Tensor) -> tf.Tensor:
        """Maps scores `[batch]` to predictions `[batch]`."""

    @abstractmethod
    def score_of(self, mean: float) -> float:
        """The score whose prediction is a mean label, to start from."""

    def loss(
        self,
        labels: tf.Tensor,
        scores: tf.Tensor,
        weights: tf.Tensor,
        keep_rate: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Mean loss of the rows that have a label.

        Args:
            labels: `[batch]`, NaN where missing.
            scores: `[batch]`, as `call` gives them.
            weights: `[batch]`.
            keep_rate: `[batch]`: the share of the negatives that were kept, for heads that correct
                their scores for it; see `tfmtl.heads.keep_rate`.

        Returns:
            A scalar.
        """
        known = ~tf.math.is_nan(labels)
        weights = tf.where(known, weights, 0.0)
        labels = tf.where(known, labels, 0.0)
        if keep_rate is not None:
            scores = scores - tf.math.log(keep_rate)
        total = self._task(
            labels=labels[:, None],
            predictions=scores[:, None],
            sample_weight=weights,
            compute_metrics=False,
        )
        return tf.math.divide_no_nan(total, tf.reduce_sum(weights))


class BinaryHead(RankingHead):
    """The probability of an event: `p = sigmoid(score)`, cross-entropy on the logit.

    Under a positive weight the score is the logit of the probability all the same; under focal loss
    predictions are corrected for the loss's optimum. Both corrections are exact.

    Args:
        name: name of the task.
        loss: which loss; cross-entropy where not given.
        positive_weight: weight of the positives in the cross-entropy.

    Example:
        >>> head = BinaryHead("click", positive_weight=3.0)
        >>> float(head.predict_from(tf.constant([0.0]))[0])
        0.5
    """

    def __init__(
        self, name: str, loss: BinaryLoss | None = None, positive_weight: float = 1.0
    ) -> None:
        super().__init__(_binary_loss(loss, positive_weight), name)
        self.focal = loss if isinstance(loss, Focal) else None

    def predict_from(self, scores: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(self.logit_of(scores))

    def logit_of(self, scores: tf.Tensor) -> tf.Tensor:
        """Maps scores `[batch]` to the logits of their probabilities."""
        if self.focal:
            return focal_logit(scores, self.focal.gamma, self.focal.alpha)
        return scores

    def score_of(self, mean: float) -> float:
        mean = float(np.clip(mean, 1e-6, 1 - 1e-6))
        wanted = float(np.log(mean / (1 - mean)))
        if not self.focal:
            return wanted
        low, high = -30.0, 30.0  # focal_logit grows with the score: halve the interval
        for _ in range(50):
            middle = (low + high) / 2
            found = float(focal_logit(tf.constant(middle), self.focal.gamma, self.focal.alpha))
            low, high = (middle, high) if found < wanted else (low, middle)
        return (low + high) / 2


class RegressionHead(RankingHead):
    """A number, learnt by squared error and clipped to its range in predictions.

    Args:
        name: name of the task.
        range_: smallest and largest label, if there are.
    """

    def __init__(self, name: str, range_: tuple[float, float] | None = None) -> None:
        super().__init__(tfrs.losses.MeanSquaredError(reduction=tfrs.losses.Reduction.SUM), name)
        self.range = range_

    def predict_from(self, scores: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(scores, *self.range) if self.range else scores

    def score_of(self, mean: float) -> float:
        return mean


def _binary_loss(loss: BinaryLoss | None, positive_weight: float) -> "tfrs.losses.Loss":
    if isinstance(loss, Focal):
        return FocalLoss(loss.gamma, loss.alpha)
    if positive_weight != 1:
        return WeightedCrossEntropy(positive_weight)
    return tfrs.losses.BinaryCrossentropy(from_logits=True, reduction=tfrs.losses.Reduction.SUM)
