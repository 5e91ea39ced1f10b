"""Cells of an inverted file: k-means (Lloyd 1982) over a sample, then every vector's nearest cell.

The nearest cell of a vector x is the one whose centroid c makes `x . c - |c|^2 / 2` largest.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

_SAMPLE = 64
"""Vectors a cell that k-means learns from; more hardly move the centroids."""
_ROUNDS = 8
_BLOCK = 1 << 22
"""Scores that are held at a time."""


@dataclass(frozen=True)
class Cells:
    """Vectors divided into cells.

    Attributes:
        centroids: float32 `[cells, dim]`, the mean of each cell's vectors in the sample.
        of: cell of every vector, int32 `[vectors]`.
    """

    centroids: np.ndarray
    of: np.ndarray


def default_cells(count: int) -> int:
    """Cells for a number of vectors: four times its square root, at least one."""
    return max(1, min(count, round(4 * count**0.5)))


def cluster(vectors: np.ndarray, cells: int, seed: int) -> Cells:
    """Divides vectors into cells; the same vectors and seed give the same cells.

    Args:
        vectors: float32 `[vectors, dim]`, at least one.
        cells: how many there may be. There are fewer where so many vectors do not differ.
        seed: chooses the sample and the first centroids.
    """
    random = np.random.default_rng(seed)
    size = min(len(vectors), cells * _SAMPLE)
    sample = vectors[np.sort(random.choice(len(vectors), size, replace=False))]
    distinct = np.unique(sample, axis=0)
    centroids = distinct[random.choice(len(distinct), min(cells, len(distinct)), replace=False)]
    for _ in range(_ROUNDS):
        centroids = _means(sample, nearest(sample, centroids), centroids)
    used, of = np.unique(nearest(vectors, centroids), return_inverse=True)
    return Cells(centroids[used], of.astype(np.int32))


def nearest(vectors: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Place of each vector's nearest centroid, `[vectors]`."""
    half = 0.5 * np.sum(centroids**2, axis=1)
    # One more dimension, in which every vector is 1, takes the half of the squares off.
    offered = tf.constant(np.concatenate([centroids.T, -half[None, :]]))

    @tf.function(reduce_retracing=True)
    def places(block: tf.Tensor) -> tf.Tensor:
        ones = tf.ones([tf.shape(block)[0], 1])
        return tf.argmax(tf.matmul(tf.concat([block, ones], axis=1), offered), axis=1)

    rows = max(1, _BLOCK // len(centroids))
    blocks = [vectors[start : start + rows] for start in range(0, len(vectors), rows)]
    return np.concatenate([places(tf.constant(block)).numpy() for block in blocks])


def _means(sample: np.ndarray, of: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The mean of each cell's vectors; a cell without any keeps its centroid."""
    order = np.argsort(of, kind="stable")
    used, starts = np.unique(of[order], return_index=True)
    sums = np.add.reduceat(sample[order], starts, axis=0, dtype=np.float64)
    counts = np.diff(starts, append=len(sample))
    means = centroids.copy()
    means[used] = sums / counts[:, None]
    return means
