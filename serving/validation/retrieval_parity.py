"""Whether an index answers with items and scores that the model in memory gives.

Every score must be the inner product of query and item, as far as the storage of the vectors
allows; where all items are scored, they must be the best ones, too. How many an inverted file
misses is measured when it is built.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving import signatures

_ROUNDING = 1e-5
"""Of float32 sums, absolute and relative."""


def retrieval_differences(
    served: Mapping[str, np.ndarray],
    queries: np.ndarray,
    k: int,
    keys: Sequence[str],
    vectors: np.ndarray,
    index: Mapping[str, Any] | None = None,
) -> list[str]:
    """Compares what was retrieved with the model's own scores.

    Args:
        served: the answer, by output.
        queries: vectors of the queries that were asked, `[batch, dim]`.
        k: how many items each asked for.
        keys: of the catalogue's items.
        vectors: of these, `[items, dim]`.
        index: what the index says about itself; an exact one in float32 where not given.

    Returns:
        A line for what differs.
    """
    index = index or {"kind": "exact", "storage": "float32"}
    ids, scores = served[signatures.ITEM_ID], served[signatures.SCORE]
    shape = (len(queries), min(k, len(vectors)))
    if ids.shape != shape or scores.shape != shape:
        return [f"item_id has shape {ids.shape} and score {scores.shape}, expected {shape}"]
    of = {key: place for place, key in enumerate(keys)}
    places = np.array([[of.get(_text(one), -1) for one in row] for row in ids], int).reshape(shape)
    if any(len({*row}) < len(row) or min(row, default=0) < 0 for row in places.tolist()):
        return [f"item_id is {ids}, expected different items of the catalogue"]
    own = np.einsum("qd,qnd->qn", queries, vectors[places])
    slack = _slack(queries, vectors[places], str(index["storage"]))
    slack += _ROUNDING * (1 + np.abs(own))
    if not np.all(np.abs(scores - own) <= slack):
        return [f"score is {scores} where the model in memory gives {own}"]
    best = -np.sort(-(queries @ vectors.T), axis=1)[:, : shape[1]]
    if index["kind"] == "exact" and not np.all(best - own <= 2 * slack.max(initial=0)):
        return [f"score is {scores} where the best of the model in memory are {best}"]
    return []


def _text(key: Any) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)


def _slack(queries: np.ndarray, vectors: np.ndarray, storage: str) -> np.ndarray:
    """How far scores may be off: of bfloat16 each number by `2^-8` of itself, of int8 by half of
    the row's scale."""
    if storage == "float32":
        return np.zeros(vectors.shape[:2])
    if storage == "bfloat16":
        return np.einsum("qd,qnd->qn", np.abs(queries), np.abs(vectors)) * 2.0**-8
    half = np.max(np.abs(vectors), axis=2) / 254
    return half * np.sum(np.abs(queries), axis=1)[:, None]
