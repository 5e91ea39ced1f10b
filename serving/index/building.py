"""Builds the index that a configuration asks for, and measures it."""

from typing import Any

import numpy as np

from serving.index.clustering import cluster, default_cells
from serving.index.exact import Exact
from serving.index.interface import Index
from serving.index.inverted_file import InvertedFile
from serving.index.probing import best_places, choose_probes, recalls
from tfmtl.config import Index as IndexSpec
from tfmtl.layers.stored import Stored

MOST_QUERIES = 1000
"""Queries by which an index is measured."""
_FEWEST = 20
"""With fewer held-out queries, items stand for queries."""


def build_index(
    spec: IndexSpec, vectors: np.ndarray, queries: np.ndarray | None = None, seed: int = 0
) -> Index:
    """Builds an index; the same arguments give the same index.

    One half of the queries decides how many cells are looked into, the other half measures what
    that gives.

    Args:
        spec: which index.
        vectors: of the items, float32 `[items, dim]`.
        queries: of users who were not learnt from, float32 `[queries, dim]`; vectors of items
            stand for them where there are none.
        seed: of all that is drawn.

    Returns:
        The index, with what was `measured` of it.

    Raises:
        ValueError: a vector is not finite.

    Example:
        >>> index = build_index(Index(kind="inverted_file"), vectors, queries, seed=7)
        >>> places, scores = index.search(queries[:1], tf.constant(10))
    """
    if not np.all(np.isfinite(vectors)):
        raise ValueError("the items' vectors should be finite; was the training stable?")
    exact = spec.kind == "exact"
    if not len(vectors) or (exact and spec.storage == "float32"):
        return Exact(Stored(vectors, spec.storage, name="item_vectors"))
    held_out = queries is not None and len(queries) >= _FEWEST
    asked = _drawn(queries if held_out and queries is not None else vectors, seed)
    best = best_places(vectors, asked, min(spec.at, len(vectors)))
    half = len(asked) // 2
    index: Index
    if exact:
        index = Exact(Stored(vectors, spec.storage, name="item_vectors"))
    else:
        count = default_cells(len(vectors)) if spec.cells == "auto" else spec.cells
        cells = cluster(vectors, min(count, len(vectors)), seed)
        index = inverted = InvertedFile(vectors, cells, spec.storage)
        choose_probes(inverted, cells, vectors, asked[:half], best[:half], spec.recall)
    found = recalls(index, vectors, asked[half:], best[half:])
    index.measured = _measured(spec, found, best.shape[1], held_out)
    return index


def _drawn(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Some of the vectors, in any order; one stands for two."""
    random = np.random.default_rng([seed, 1])
    drawn = vectors[random.permutation(len(vectors))[:MOST_QUERIES]].astype(np.float32)
    return np.repeat(drawn, 2, axis=0) if len(drawn) == 1 else drawn


def _measured(spec: IndexSpec, found: np.ndarray, at: int, held_out: bool) -> dict[str, Any]:
    recall = {
        "at": at,
        "measured": round(float(np.mean(found)), 4),
        "queries": len(found),
        "of": "held-out queries" if held_out else "items",
    }
    declared = {"declared": spec.recall} if spec.kind == "inverted_file" else {}
    return {"recall": declared | recall}
