"""What every encoder of histories does."""

from abc import abstractmethod

import keras
import tensorflow as tf


class HistoryEncoder(keras.layers.Layer):
    """Turns what a user did before into one vector of the items' own space.

    The vector is as wide as an item, so that it can be compared with the candidate. What is padding
    never counts; a history that is nothing else gives zeros.

    Args:
        dim: width of an item: of its features' embeddings joined.
        dtype: dtype policy of its computation.

    Attributes:
        reads_candidate: whether the vector depends on the item in question.
    """

    reads_candidate = False

    def states(self, rows: tf.Tensor, present: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Encodes what every item ends: the vector at an item depends on it and those before it.

        Args:
            rows: as `call` has them.
            present: as `call` has it.
            training: whether dropout is on.

        Returns:
            `[batch, length, dim]`, zeros where padded.

        Raises:
            NotImplementedError: the encoder does not read items one after the other.
        """
        raise NotImplementedError(f"{type(self).__name__} has no state at every item")

    def __init__(self, dim: int, dtype: str, name: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.dim = dim

    @abstractmethod
    def call(
        self,
        rows: tf.Tensor,
        present: tf.Tensor,
        candidate: tf.Tensor,
        training: bool = False,
    ) -> tf.Tensor:
        """Encodes a batch of histories.

        Args:
            rows: items, the latest first, `[batch, length, dim]`.
            present: bool `[batch, length]`, false where padded.
            candidate: the item in question, `[batch, dim]`; None where it is not known.
            training: whether dropout is on.

        Returns:
            `[batch, dim]`.
        """
