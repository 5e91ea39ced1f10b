"""What every funnel does."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfmtl.served_names import conditional_output

Tensors = Mapping[str, tf.Tensor]


class Funnel(keras.layers.Layer):
    """Tasks that follow one another: click, cart after click, purchase after cart.

    Whatever the method, a task's *score* is the logit of its probability over all impressions, so
    that losses, metrics and serving treat it as any other task's, and the prediction of a step
    never exceeds that of the step before. Beside it stands the probability given the step before.

    A funnel may stand in four places: between towers and heads (`transfer`), between heads and
    scores (`call`), after a task's loss (`loss`), and after the predictions (`predict_from`).

    Args:
        steps: tasks that come after another one -> that task, each behind the one before.

    Attributes:
        conditional: whether the heads of the steps give logits given the step before.
    """

    conditional = True

    def __init__(self, steps: Mapping[str, str], name: str = "funnel") -> None:
        super().__init__(name=name, dtype="float32")
        self.steps = dict(steps)

    def build(self, *shapes: Any) -> None:
        """Sublayers build themselves when they are first called."""
        self.built = True

    def transfer(self, hidden: Tensors) -> dict[str, tf.Tensor]:
        """Maps the towers' outputs `{task: [batch, width]}` to what the heads read."""
        return dict(hidden)

    def call(self, logits: Tensors, representations: Tensors) -> dict[str, tf.Tensor]:
        """Maps the heads' logits to scores.

        Args:
            logits: `{task: [batch]}`.
            representations: the trunk's, `{task: [batch, width]}`.

        Returns:
            `{task: [batch]}`: of the funnel's tasks logits over all impressions. What only `loss`
            reads may stand beside them.
        """
        return dict(logits)

    def loss(
        self, task: str, own: tf.Tensor, labels: Tensors, scores: Tensors, weights: tf.Tensor
    ) -> tf.Tensor:
        """The loss of one step.

        Args:
            task: the step.
            own: mean loss of its score over all impressions.
            labels: `{task: [batch]}`, NaN where missing.
            scores: as `call` gives them.
            weights: `[batch]`.

        Returns:
            A scalar.
        """
        return own

    def predict_from(self, predictions: Tensors) -> dict[str, tf.Tensor]:
        """Holds steps below those before them and adds the conditional probabilities.

        Args:
            predictions: `{task: [batch]}`, of all tasks.

        Returns:
            `{task: [batch]}` of all tasks and, for every step, `TASK_after_BEFORE`.
        """
        held = dict(predictions)
        given = {}
        for task, before in self.steps.items():
            held[task] = tf.minimum(held[task], held[before])
            given[conditional_output(task, before)] = tf.math.divide_no_nan(
                held[task], held[before]
            )
        return held | given


def mean_over(values: tf.Tensor, known: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Weighted mean of the values `[batch]` that are known; 0 without any."""
    weights = tf.where(known, weights, 0.0)
    total = tf.reduce_sum(weights * tf.where(known, values, 0.0))
    return tf.math.divide_no_nan(total, tf.reduce_sum(weights))
