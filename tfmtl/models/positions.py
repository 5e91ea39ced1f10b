"""Every position of a history as a query whose item is the next one."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfmtl.config import Config
from tfmtl.config.checks.sequences import key_of, sequence_of
from tfmtl.models.encoding import Encoding
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import reserved

_SHORT = 5
"""Histories of a fifth of the longest one's length are encoded apart, without the padding."""


class Positions:
    """What a row of a history and its next item teach: as many queries as the history is long.

    A state depends on the items up to its own, so that the one after it is unknown to it.

    Args:
        config: the configuration, with `positions: all`.
        encoding: maps inputs to vectors.

    Attributes:
        history: the history that is the query.
    """

    def __init__(self, config: Config, encoding: Encoding) -> None:
        history = sequence_of(config)
        assert history is not None
        key = key_of(config, history)
        assert key is not None
        self.history = history
        self._encoding = encoding
        self._key = key
        self._reserved = reserved(config.features.by_name[key])
        self._places = tf.zeros([0], tf.int32)

    def know(self, catalogue: Mapping[str, np.ndarray]) -> None:
        """Told of the catalogue: inputs of the item tower, `{input: [items]}`."""
        ids = catalogue[self._key]
        places = np.full(int(ids.max(initial=0)) + 1, -1, np.int32)
        places[ids] = np.arange(len(ids))
        places[: self._reserved] = -1
        self._places = tf.constant(places)

    def queries(
        self, inputs: Mapping[str, tf.Tensor], training: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The queries of some rows.

        Args:
            inputs: those of the history, and `meta/item`, the place of each row's item.
            training: whether dropout is on.

        Returns:
            States float32 `[queries, dim]`, places of their items int32 `[queries]`, and the row of
            each `[queries]`. Items without a row in the vocabulary are nobody's next item.
        """
        last = self.history.last
        ids = inputs[self.history.input_name(self._key)]
        lengths = tf.reduce_sum(tf.cast(ids != 0, tf.int32), axis=1)
        short = max(last // _SHORT, 1)
        parts = [
            self._of_rows(inputs, tf.where(lengths <= short)[:, 0], short, training),
            self._of_rows(inputs, tf.where(lengths > short)[:, 0], last, training),
        ]
        states, places, rows = zip(*parts, strict=True)
        return tf.concat(states, 0), tf.concat(places, 0), tf.concat(rows, 0)

    def _of_rows(
        self, inputs: Mapping[str, tf.Tensor], rows: tf.Tensor, length: int, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        own = {}
        for name in self.history.input_names:
            width = max(self._encoding.spec.context.get(name, 1), 1)
            own[name] = tf.gather(inputs[name], rows)[:, : length * width]
        states, present = self._encoding.states(self.history, own, training)
        before = self._place_of(own[self.history.input_name(self._key)][:, :-1])
        following = tf.concat([tf.gather(inputs[columns.ITEM], rows)[:, None], before], axis=1)
        at = tf.where(present & (following >= 0))
        return tf.gather_nd(states, at), tf.gather_nd(following, at), tf.gather(rows, at[:, 0])

    def _place_of(self, ids: tf.Tensor) -> tf.Tensor:
        known = ids < tf.size(self._places)
        return tf.where(known, tf.gather(self._places, tf.where(known, ids, 0)), -1)
