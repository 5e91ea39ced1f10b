"""Sums of retrieval tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._areas import ratio
from tfmtl.evaluation._rows import Floats
from tfmtl.evaluation.streaming.bootstrap import Draws
from tfmtl.evaluation.streaming.counts import Columns, Counts, TaskRows
from tfmtl.evaluation.streaming.estimates import Estimate
from tfmtl.evaluation.streaming.kinds import Retrieval
from tfmtl.evaluation.streaming.lists import Lists


def retrieval_columns(
    kind: Retrieval,
    ranks: npt.ArrayLike,
    unseen: npt.ArrayLike | None,
    tops: npt.ArrayLike | None,
) -> Columns:
    """`rank` `[q]`, `unseen` `[q]` and `tops` `[q, k]` if they are given, and which rows count.

    Raises:
        ValueError: if shapes do not fit together, or an item is none.
    """
    found: Columns = {"rank": np.asarray(ranks, np.float64)}
    count = found["rank"].size
    if unseen is not None:
        found["unseen"] = np.asarray(unseen, np.float64)
    for name, values in found.items():
        if values.shape != (count,):
            raise ValueError(f"`{name}` should have shape ({count},). Received: {values.shape}")
    if tops is not None:
        width = max(kind.top_k)
        items = np.asarray(tops, np.int32)
        if items.ndim != 2 or len(items) != count or items.shape[1] < width:
            raise ValueError(
                f"`tops` should have shape ({count}, at least {width}). Received: {items.shape}"
            )
        if items.size and not -1 <= items.min() <= items.max() < kind.items:
            raise ValueError(
                f"`tops` should name items, 0 to {kind.items - 1}, or -1 for none. "
                f"Received values from {items.min()} to {items.max()}"
            )
        found["tops"] = items[:, :width]
    found["known"] = np.ones(count, np.bool_)
    return found


class RetrievalCounts(Counts):
    """`recall@K` and `ndcg@K` for each K and `mrr`, the same `_unseen`; coverage and concentration.

    Args:
        kind: the task.
        given: what is given of queries: `rank`, `unseen`, `tops`.
    """

    def __init__(self, kind: Retrieval, given: Sequence[str]) -> None:
        ranks = {"": "rank", "_unseen": "unseen"}
        self._ranks = {suffix: name for suffix, name in ranks.items() if name in given}
        self._top_k = tuple(kind.top_k)
        names = [f"{m}@{k}" for k in self._top_k for m in ("recall", "ndcg")] + ["mrr"]
        self._names = [f"{name}{suffix}" for suffix in self._ranks for name in names]
        super().__init__(dict.fromkeys(self._names))
        self._lists = Lists(kind.items, self._top_k) if "tops" in given else None

    def add(self, rows: TaskRows) -> None:
        super().add(rows)
        for suffix, name in self._ranks.items():
            rank = rows.columns[name]
            missing = 0 * rank  # nan of a rank that is no number
            gain = 1 / np.log2(1 + rank)
            for k in self._top_k:
                hit = rows.weights * ((rank <= k) + missing)
                self.sums[f"recall@{k}{suffix}"].add(rows.places, hit)
                self.sums[f"ndcg@{k}{suffix}"].add(rows.places, hit * gain)
            self.sums[f"mrr{suffix}"].add(rows.places, rows.weights / rank)
        if self._lists:
            self._lists.add(rows.columns["tops"].astype(np.intp), rows.places.groups)

    def merge(self, other: Counts) -> None:
        super().merge(other)
        assert isinstance(other, RetrievalCounts)
        if self._lists and other._lists:
            self._lists.merge(other._lists)

    def formulas(self, sums: Mapping[str, Floats]) -> dict[str, Floats]:
        return {name: ratio(sums[name], sums["weight"]) for name in self._names}

    def add_lists(self, found: Estimate, draws: Draws) -> None:
        """Adds `coverage@K` and `gini@K` to the figures of all queries, if lists are given."""
        if self._lists:
            self._lists.add_to(found, draws)
