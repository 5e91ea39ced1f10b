"""A trained model with its weights stored in fewer bytes."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from tfmtl.config import Storage
from tfmtl.layers.rows import read_by
from tfmtl.layers.stored import Stored
from tfmtl.models.multi_task import MultiTaskModel

_SMALLEST = 1024
"""Numbers from which a weight is worth storing otherwise; biases and small kernels stay exact."""


class Compression:
    """The weights of a model, stored as bfloat16 or int8.

    Tables are read row by row, with a scale a row; kernels are unpacked whole, with a scale a
    column; all arithmetic is that of the model.

    Args:
        model: the trained model.
        kind: how weights are stored.

    Attributes:
        kept: the model's variables that stay as they are.

    Example:
        >>> compression = Compression(model, "int8")
        >>> with compression.reading():
        ...     compression.model.rank(inputs)
    """

    def __init__(self, model: MultiTaskModel, kind: Storage) -> None:
        self.kind = kind
        chosen = {v.path: v for v in model.variables if _is_large(v)}
        self._stored = {
            path: Stored(np.asarray(v), kind, -1 if _is_table(v) else -2, v.name)
            for path, v in chosen.items()
        }
        self.kept = [v for v in model.variables if v.path not in chosen]
        self._source = model

    @property
    def variables_(self) -> list[tf.Variable]:
        """Those that hold the weights."""
        stored = [variable for one in self._stored.values() for variable in one.variables]
        return [*(variable.value for variable in self.kept), *stored]

    @property
    def nbytes(self) -> int:
        """Bytes of all weights."""
        kept = sum(int(np.prod(v.shape)) * tf.as_dtype(v.dtype).size for v in self.kept)
        return kept + sum(stored.nbytes for stored in self._stored.values())

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Lets the model read the stored weights instead of its own while it lasts.

        Inside a `tf.function` it has to be entered within the function, whose graph then holds
        the stored weights only.
        """
        variables = {v.path: v for v in self._source.variables}
        tables, kernels = [], []
        for path, stored in self._stored.items():
            variable = variables[path]
            if _is_table(variable):
                tables.append((variable, stored.gather))
            else:
                kernels.append((variable, stored.whole()))
        with read_by(tables), keras.StatelessScope(state_mapping=kernels):
            yield

    def unpacked(self) -> MultiTaskModel:
        """A model of its own whose weights are those that are stored, to be measured."""
        source = self._source
        model = MultiTaskModel(
            source.config, source.vocabulary_sizes, source.policy, source.encoders, source.rated
        )
        for own, variable in zip(model.variables, source.variables, strict=True):
            stored = self._stored.get(variable.path)
            own.assign(variable.value if stored is None else stored.whole())
        model.home = source.home
        return model


def _is_large(variable: keras.Variable) -> bool:
    large = len(variable.shape) >= 2 and int(np.prod(variable.shape)) >= _SMALLEST
    return large and variable.dtype == "float32"


def _is_table(variable: keras.Variable) -> bool:
    return getattr(variable, "is_table", False) or getattr(variable, "by_row", False)
