"""What was before a row, as the model's inputs: gaps and behaviours of histories, counts, rates."""

from collections.abc import Callable, Mapping

import tensorflow as tf

from tfmtl.config import Config, Window
from tfmtl.layers.fitting import fitted
from tfmtl.layers.gaps import GapBuckets
from tfmtl.layers.log_odds import StandardizeLogOdds
from tfmtl.layers.standardize import Standardize
from tfmtl.preprocessing.tables import RESERVED, Moments

Layer = Callable[[tf.Tensor], tf.Tensor]


def window_layer(window: Window, moments: Moments) -> Layer:
    """What scales a count, by log(1 + x), or a rate, by its log odds: `[n]` to float32 `[n]`, 0
    where missing, which is the mean."""
    if window.kind == "count":
        return Standardize(moments.mean, moments.deviation, log=True, name=window.name)
    return StandardizeLogOdds(moments.mean, moments.deviation, name=window.name)


class PastInputs:
    """The inputs that are made of what was before, but for the items of histories.

    Args:
        config: the configuration.
        moments: of the windows, after scaling; windows without moments are left out, as before
            they have been counted.
    """

    def __init__(self, config: Config, moments: Mapping[str, Moments]) -> None:
        histories, windows = config.features.history, config.features.windows
        self._gaps = {h.gap_input: h for h in histories if h.gap_input}
        self._behaviours = {h.behaviour_input: h for h in histories if h.behaviour_input}
        counted = [w for w in windows if w.name in moments]
        self._windows = {w.name: window_layer(w, moments[w.name]) for w in counted}
        self._buckets = GapBuckets()

    def __contains__(self, name: str) -> bool:
        return name in self._gaps or name in self._behaviours or name in self._windows

    def spec(self, name: str) -> tf.TensorSpec:
        """What a request gives for an input: seconds or names of behaviours `[None, None]` beside
        the items of a history, a count or a rate `[None]`."""
        if name in self._windows:
            return tf.TensorSpec([None], tf.float32, name)
        dtype = tf.float32 if name in self._gaps else tf.string
        return tf.TensorSpec([None, None], dtype, name)

    def __call__(self, name: str, values: tf.Tensor) -> tf.Tensor:
        """Makes an input.

        Args:
            name: the input.
            values: as `spec` describes.

        Returns:
            Ids of gaps or behaviours, int32 `[batch, last]`; counts and rates, float32 `[batch]`.
        """
        if name in self._windows:
            return self._windows[name](values)
        if name in self._gaps:
            return self._buckets(fitted(values, self._gaps[name].last))
        history = self._behaviours[name]
        values = fitted(values, history.last)
        ids = RESERVED + tf.range(len(history.where))
        matches = values[:, :, None] == tf.constant(history.where)
        known = tf.reduce_sum(tf.where(matches, ids, 0), axis=2)
        unknown = tf.cast(values != "", tf.int32)
        return tf.where(known > 0, known, unknown)
