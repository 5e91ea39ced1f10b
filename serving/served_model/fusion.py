"""The score by which items are put in order: a formula of predictions, compiled to TensorFlow."""

from collections.abc import Mapping
from functools import reduce

import numpy as np
import tensorflow as tf

from serving.served_model.optional import defaults
from serving.served_model.parts import Raw
from serving.signatures import fuse
from tfmtl.config import Config
from tfmtl.config.formulas import Node, Number, Variable, parse_formula
from tfmtl.config.scored import formulas, fused_columns, fused_names

_OF_ONE = {
    "negative": tf.negative,
    "log": tf.math.log,
    "exp": tf.exp,
    "sqrt": tf.sqrt,
}
_OF_TWO = {
    "+": tf.add,
    "-": tf.subtract,
    "*": tf.multiply,
    "/": tf.divide,
    "**": tf.pow,
    "min": tf.minimum,
    "max": tf.maximum,
}


class Fusion:
    """The configured formulas.

    Args:
        config: the configuration.

    Attributes:
        reads: names that a formula reads, parameters left out.
        columns: those of them that are columns of items.
        spec: inputs of a request, `[batch]`: values of parameters, and the scenario where it
            matters.
        defaults: of these inputs; of a parameter NaN, for the configured value.

    Raises:
        ValueError: the model gives items no number; see `fusion_of`.
    """

    def __init__(self, config: Config) -> None:
        self._formulas = formulas(config)
        if not self._formulas:
            raise ValueError(f"model '{config.name}' gives items no number to fuse")
        parameters = config.serving.fuse.parameters
        self.reads = [name for name in fused_names(config) if name not in parameters]
        self.columns = fused_columns(config)
        self.spec = {
            fuse(name): tf.TensorSpec([None], tf.float32, fuse(name)) for name in parameters
        }
        self._scenario = config.scenario if config.serving.fuse.scenarios else None
        if self._scenario:
            column = self._scenario.column
            self.spec[column] = tf.TensorSpec([None], tf.string, column)
        self.defaults = defaults(self.spec)
        scenarios = [*(self._scenario.values if self._scenario else []), None]
        self._scenarios = scenarios
        self._parameters = {
            name: np.array(
                [config.serving.fuse.parameters_in(one)[name] for one in scenarios], np.float32
            )
            for name in parameters
        }

    def __call__(self, values: Mapping[str, tf.Tensor], raw: Raw, shape: tf.Tensor) -> tf.Tensor:
        """Scores of candidates.

        Args:
            values: float32 `[batch, candidates]` for every name in `reads`.
            raw: the request, of `batch` rows, with the inputs of `spec`.
            shape: that of the answer, int32 `[2]`.

        Returns:
            float32 `[batch, candidates]`, the lowest there is where the formula gives no number, as
            of a missing price.
        """
        scenario = self._place(raw, shape[0])
        given = dict(values)
        for name, configured in self._parameters.items():
            asked = raw[fuse(name)]
            chosen = tf.where(tf.math.is_nan(asked), tf.gather(configured, scenario), asked)
            given[name] = chosen[:, None]
        scores = None
        for formula in dict.fromkeys(self._formulas[one] for one in reversed(self._scenarios)):
            own = tf.broadcast_to(_compiled(parse_formula(formula), given), shape)
            # What a formula gives for rows of another scenario is not looked at.
            places = [self._formulas[one] == formula for one in self._scenarios]
            rows = tf.gather(tf.constant(places), scenario)[:, None]
            scores = own if scores is None else tf.where(rows, own, scores)
        return tf.where(tf.math.is_nan(scores), -np.inf, scores)

    def _place(self, raw: Raw, batch: tf.Tensor) -> tf.Tensor:
        """Each row's place among the scenarios, int32 `[batch]`; the last where it is unknown."""
        if self._scenario is None:
            return tf.zeros([batch], tf.int32)
        names = tf.constant(self._scenario.values)
        matches = raw[self._scenario.column][:, None] == names[None, :]
        count = len(self._scenario.values)
        return tf.reduce_min(tf.where(matches, tf.range(count), count), axis=1)


def fusion_of(config: Config) -> Fusion | None:
    """The formulas of a model; None where it gives items no number."""
    return Fusion(config) if formulas(config) else None


def _compiled(node: Node, values: Mapping[str, tf.Tensor]) -> tf.Tensor:
    if isinstance(node, Number):
        return tf.constant(node.value, tf.float32)
    if isinstance(node, Variable):
        return values[node.name]
    arguments = [_compiled(argument, values) for argument in node.arguments]
    if node.function in _OF_ONE:
        return _OF_ONE[node.function](*arguments)
    return reduce(_OF_TWO[node.function], arguments)
