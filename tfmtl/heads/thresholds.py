"""Thresholds: the probability from which a label counts as predicted, tuned label by label."""

from collections.abc import Sequence

import keras
import numpy as np

START = 0.5
_FEW = 10
_REACH, _BINS = 16.0, 3200
"""Logits from -16 to 16 in steps of a hundredth."""


class Thresholds(keras.layers.Layer):
    """The threshold of each label of a task.

    Until they are tuned all are 0.5; nothing of them is learnt by gradients.

    Args:
        labels: how many; 1 for a binary task.

    Example:
        >>> layer = Thresholds(labels=2)
        >>> layer.assign([0.3, 0.6])
        >>> layer.values.tolist()
        [0.3, 0.6]
    """

    def __init__(self, labels: int, name: str = "thresholds") -> None:
        super().__init__(name=name, dtype="float32", trainable=False)
        self.labels = labels
        self.thresholds = self.add_weight(
            shape=(labels,),
            initializer=keras.initializers.Constant(START),
            trainable=False,
            name="thresholds",
        )
        self.built = True

    @property
    def values(self) -> np.ndarray:
        """Each label's, as the shortest decimal number that is the same float32."""
        return np.array([float(str(one)) for one in self.thresholds.numpy()])

    def assign(self, thresholds: Sequence[float] | np.ndarray) -> None:
        """Sets every label's, `[labels]`."""
        self.thresholds.assign(thresholds)


class ScoreCounts:
    """Weights of the rows by label and probability, positives and negatives apart.

    Probabilities fall into bins of a hundredth of a logit, so that memory does not grow with the
    rows.

    Args:
        labels: how many labels there are.
    """

    def __init__(self, labels: int) -> None:
        self.positives = np.zeros((labels, _BINS))
        self.negatives = np.zeros((labels, _BINS))

    def add(self, labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> None:
        """Adds rows.

        Args:
            labels: 0 or 1, `[rows, labels]`, NaN where missing.
            probabilities: `[rows, labels]`.
            weights: of the rows, `[rows]`.
        """
        known = ~np.isnan(labels)
        chances = np.clip(probabilities.astype(np.float64), 1e-12, 1 - 1e-12)
        logits = np.log(chances) - np.log1p(-chances)
        places = np.floor((logits + _REACH) * _BINS / (2 * _REACH))
        bins = np.clip(places, 0, _BINS - 1).astype(np.intp)
        cells = bins + _BINS * np.arange(labels.shape[1])
        for counts, wanted in ((self.positives, 1), (self.negatives, 0)):
            amounts = np.where(known & (labels == wanted), weights[:, None], 0.0)
            found = np.bincount(cells.ravel(), amounts.ravel(), counts.size)
            counts += found.reshape(counts.shape)

    def best(self) -> np.ndarray:
        """The threshold of each label with the largest `F1 = 2 TP / (2 TP + FP + FN)`, `[labels]`.

        It lies in the middle of the scores between which F1 is the largest. A label with positives
        of a weight below 10 says too little: it takes the threshold that is best for all labels
        together, but at most 0.5, above which that of true probabilities never is.

        Reference: Lipton, Elkan and Naryanaswamy, "Optimal thresholding of classifiers to maximize
        F1 measure", ECML 2014: the best threshold is half of the best F1.
        """
        pooled = min(_best(self.positives.sum(axis=0), self.negatives.sum(axis=0)), START)
        return np.array(
            [
                _best(positives, negatives) if positives.sum() >= _FEW else pooled
                for positives, negatives in zip(self.positives, self.negatives, strict=True)
            ]
        )


def _best(positives: np.ndarray, negatives: np.ndarray) -> float:
    """The best threshold of counts by score, `[bins]` both."""
    if not positives.any():
        return START
    right = np.cumsum(positives[::-1])[::-1]
    predicted = np.cumsum((positives + negatives)[::-1])[::-1]
    f1 = 2 * right / (positives.sum() + predicted)
    low = int(f1.argmax())
    high = low
    # Bins that no row is in are neither better nor worse.
    while high < len(f1) - 1 and positives[high] + negatives[high] == 0:
        high += 1
    logit = (low + high) / 2 * 2 * _REACH / _BINS - _REACH
    return float(1 / (1 + np.exp(-logit)))
