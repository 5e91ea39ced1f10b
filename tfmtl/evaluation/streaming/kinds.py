"""The kinds of tasks that are measured, and what must be known of one beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Binary:
    """The probability of an event: labels `[n]` in [0, 1], predictions `[n]`.

    Args:
        top_k: cut-offs of `ndcg@K` by query; none if rows are not in queries.
        threshold: from this probability on the event is predicted; without one there are no
            `precision`, `recall` and `f1`.
    """

    top_k: Sequence[int] = ()
    threshold: float | None = None


@dataclass(frozen=True)
class Regression:
    """A number: labels `[n]`, predictions `[n]`.

    Args:
        top_k: cut-offs of `ndcg@K` by query; none if rows are not in queries.
    """

    top_k: Sequence[int] = ()


@dataclass(frozen=True)
class MultiClass:
    """One of several classes: labels `[n]`, the classes' numbers; predictions `[n, classes]`.

    Args:
        classes: how many.
        names: of the classes, for their table; their numbers where not given.
    """

    classes: int
    names: Sequence[str] = ()


@dataclass(frozen=True)
class MultiLabel:
    """Any of several labels: labels `[n, labels]` of 0 and 1; predictions `[n, labels]`.

    Args:
        labels: how many.
        threshold: from this probability on, a label is predicted; one for all, or each label's.
        names: of the labels, for their table; their numbers where not given.
    """

    labels: int
    threshold: float | Sequence[float] = 0.5
    names: Sequence[str] = ()

    @property
    def thresholds(self) -> list[float]:
        """Each label's."""
        if isinstance(self.threshold, Sequence):
            return list(self.threshold)
        return [self.threshold] * self.labels


@dataclass(frozen=True)
class Retrieval:
    """The item that a query should find: its rank among all items.

    Args:
        items: how many items there are.
        top_k: the cut-offs.
    """

    items: int
    top_k: Sequence[int] = (10, 100)


Kind: TypeAlias = Binary | Regression | MultiClass | MultiLabel | Retrieval
