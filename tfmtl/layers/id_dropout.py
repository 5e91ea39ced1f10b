"""Ids that training forgets in some rows, so that the model learns what to do without them."""

from collections.abc import Mapping
from typing import NamedTuple

import keras
import tensorflow as tf


class Dropped(NamedTuple):
    """How an input's ids are dropped.

    Attributes:
        rate: share of rows in which a known id is replaced.
        unknown: ids that unknown values share; they begin with 1, the known ones follow them.
    """

    rate: float
    unknown: int


class IdDropout(keras.layers.Layer):
    """Replaces known ids by the unknown one at a rate, row by row and independently of one another
    (Volkovs et al. 2017, "DropoutNet", which drops whole embeddings).

    A model that reads an item by its id and by text and attributes leans on the id wherever there
    is one. Where ids are dropped in training, the embedding of the unknown id comes to stand for an
    average item, and the rest is learnt to rank an item without history.

    Args:
        inputs: the inputs that are dropped.
        seed: of the choice of rows.

    Call arguments:
        inputs: `{input: int32 [batch]}`; other keys are left alone.

    Returns:
        `inputs` with some ids replaced: by 1, or where unknown values have several ids, by the one
        that the id's remainder gives.

    Example:
        >>> dropout = IdDropout({"item_id": Dropped(0.1, 1)}, seed=1)
        >>> dropout({"item_id": tf.range(2, 12)})["item_id"].numpy()
        array([ 2,  3,  4,  5,  6,  7,  1,  9, 10, 11], dtype=int32)
    """

    def __init__(self, inputs: Mapping[str, Dropped], seed: int, name: str = "id_dropout") -> None:
        super().__init__(name=name, dtype="float32")
        self._dropped = dict(inputs)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        made = dict(inputs)
        for name, (rate, unknown) in self._dropped.items():
            ids = made[name]
            chance = keras.random.uniform(tf.shape(ids), seed=self.seed_generator)
            forgotten = (ids > unknown) & (chance < rate)
            made[name] = tf.where(forgotten, 1 + ids % unknown, ids)
        return made
