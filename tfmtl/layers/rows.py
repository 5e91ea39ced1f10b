"""Rows of a table's variable, or of what stands in for it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf

Reader = Callable[[tf.Tensor], tf.Tensor]
"""Places to rows, float32 `[..., dim]`."""


def rows_at(table: keras.Variable, places: tf.Tensor) -> tf.Tensor:
    """Rows of a table by place; the table as a whole is never touched.

    Args:
        table: a variable `[rows, dim]`.
        places: int32 of any shape.

    Returns:
        `[*places.shape, dim]`.
    """
    reader: Reader | None = getattr(table, "reader", None)
    return tf.gather(table.value, places) if reader is None else reader(places)


@contextmanager
def read_by(readers: Sequence[tuple[keras.Variable, Reader]]) -> Iterator[None]:
    """Lets other readers stand in for tables while it lasts, as when a variant is traced."""
    before = [getattr(table, "reader", None) for table, _ in readers]
    for table, reader in readers:
        table.reader = reader
    try:
        yield
    finally:
        for (table, _), earlier in zip(readers, before, strict=True):
            table.reader = earlier
