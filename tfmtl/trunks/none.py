"""No network below the tasks."""

from collections.abc import Sequence

import tensorflow as tf

from tfmtl.trunks.interface import Trunk


class NoTrunk(Trunk):
    """Tasks share nothing and read nothing: `h_k = 0`, so that a head gives its bias alone.

    What is left of the model is what is added to the heads: a factorisation of ids.

    Args:
        tasks: names of the ranking tasks.
        dtype: dtype policy.

    Call arguments:
        features: `[batch, any]`, not read.

    Returns:
        `{task: [batch, 1]}`, zeros.

    Example:
        >>> NoTrunk(["rating"])(tf.ones([2, 3]))["rating"].shape
        TensorShape([2, 1])
    """

    def __init__(self, tasks: Sequence[str], dtype: str = "float32") -> None:
        super().__init__(tasks, dtype)

    def shared(
        self, features: tf.Tensor, training: bool = False
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        return [], tf.zeros([tf.shape(features)[0], 1])

    def by_task(
        self, shared: list[tf.Tensor], own: tf.Tensor, training: bool = False
    ) -> dict[str, tf.Tensor]:
        return dict.fromkeys(self.tasks, own)
