"""Every item is scored."""

from typing import Any

import tensorflow as tf

from serving.index.interface import Allowed, Index
from serving.index.scoring import all_scores, best, usable


class Exact(Index):
    """Scores all items: nothing is missed, and the time grows with their number."""

    def search(
        self, queries: tf.Tensor, count: tf.Tensor, allowed: Allowed | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        scores = all_scores(self.stored, usable(queries))
        if allowed is not None:
            scores = tf.where(allowed(None), scores, -float("inf"))
        return best(scores, count)

    def about(self) -> dict[str, Any]:
        return {"kind": "exact", **super().about()}
