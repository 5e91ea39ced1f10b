"""What an index of the items' vectors does."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfmtl.layers.stored import Stored

Allowed = Callable[[tf.Tensor | None], tf.Tensor]
"""Which items may be answered, bool: of places `[batch, n]` the same shape, -1 never allowed; of
None all items in their order, `[batch, items]`."""


class Index(tf.Module):
    """Finds the items whose vectors have the largest inner products with a query's.

    Args:
        stored: the items' vectors, `[items, dim]`.

    Attributes:
        stored: those, as they are kept.
        items: number of items.
        measured: what was measured of it at export, plain data.
    """

    def __init__(self, stored: Stored) -> None:
        super().__init__(name="index")
        self.stored = stored
        self.items, self.dim = map(int, stored.values.shape)
        self.measured: dict[str, Any] = {}

    @abstractmethod
    def search(
        self, queries: tf.Tensor, count: tf.Tensor, allowed: Allowed | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Finds the best items.

        Args:
            queries: float32 `[batch, dim]`.
            count: how many, int32 scalar.
            allowed: which items may be answered; all where not given.

        Returns:
            places: int32 `[batch, count]`, the best first; where fewer are allowed, -1 stands for
                the rest.
            scores: float32 `[batch, count]`, -inf where the place is -1.
        """

    def about(self) -> dict[str, Any]:
        """What a version's manifest says of it."""
        return {
            "storage": self.stored.kind,
            "items": self.items,
            "dim": self.dim,
            "bytes": sum(int(tf.size(v)) * v.dtype.size for v in self.variables),
            **self.measured,
        }
