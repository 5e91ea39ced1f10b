"""What a task's part in a step costs, from steps in which others took part."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_LEAST = 0.01
"""Of a whole step; a cost of nothing would make any gain infinitely worthwhile."""
_SHRINKAGE = 0.1
_KEPT = 100
"""Steps of a set that are remembered, the first one and the latest."""


@dataclass(frozen=True)
class Cost:
    """What a step costs.

    Attributes:
        base: what all tasks share.
        tasks: what each adds.
    """

    base: float
    tasks: Mapping[str, float]

    @classmethod
    def even(cls, tasks: Collection[str], whole: float = 1.0) -> "Cost":
        """Half of a whole step for what is shared, the other half in equal parts."""
        return cls(whole / 2, dict.fromkeys(tasks, whole / 2 / len(tasks)))

    def of(self, tasks: Collection[str]) -> float:
        """A step's of some tasks."""
        return self.base + sum(self.tasks[task] for task in tasks)


class Costs:
    """Seconds of steps, and what they say of every task.

    `c_0 + sum of c_t over the tasks in a step` is fitted to the seconds of the sets of tasks seen,
    the median of each, by least squares with a small penalty on the distance from `Cost.even`,
    which decides as long as every step had all tasks.

    Args:
        tasks: names of the tasks.

    Example:
        >>> costs = Costs(["click", "retrieve"])
        >>> for _ in range(3):
        ...     costs.add({"click", "retrieve"}, 0.05)
        ...     costs.add({"click"}, 0.02)
        >>> fitted = costs.fitted().tasks
        >>> fitted["retrieve"] > fitted["click"]
        True
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks = list(tasks)
        self._seconds: dict[frozenset[str], list[float]] = {}

    def add(self, tasks: Collection[str], seconds: float) -> None:
        """Takes a step in.

        Args:
            tasks: those that took part.
            seconds: how long it took, or would have taken with all rows.
        """
        times = self._seconds.setdefault(frozenset(tasks), [])
        times.append(seconds)
        if len(times) > _KEPT:
            del times[1]

    def knows(self, tasks: Collection[str]) -> bool:
        """Whether steps of these tasks are compiled."""
        return frozenset(tasks) in self._seconds

    @property
    def compiling(self) -> float:
        """Seconds that the first step of a set has taken beyond the others, at the most."""
        return max(
            (times[0] - _typical(times) for times in self._seconds.values()),
            default=0.0,
        )

    def fitted(self) -> Cost:
        """Every task's seconds a step, each at least a hundredth of a whole step."""
        seen = {tasks: _typical(times) for tasks, times in self._seconds.items()}
        whole = max(seen.values(), default=1.0)
        even = Cost.even(self.tasks, whole)
        prior = np.array([even.base, *even.tasks.values()])
        rows = [[1.0, *(float(task in tasks) for task in self.tasks)] for tasks in seen]
        matrix = np.vstack(
            [np.reshape(rows, (len(rows), len(prior))), _SHRINKAGE * np.eye(len(prior))]
        )
        target = np.concatenate([list(seen.values()), _SHRINKAGE * prior])
        fitted = np.maximum(np.linalg.lstsq(matrix, target, rcond=None)[0], _LEAST * whole)
        return Cost(float(fitted[0]), dict(zip(self.tasks, map(float, fitted[1:]), strict=True)))

    def state(self) -> list[tuple[list[str], list[float]]]:
        """Plain data for a checkpoint."""
        return [(sorted(tasks), times) for tasks, times in self._seconds.items()]

    def resume(self, state: Sequence[tuple[Sequence[str], Sequence[float]]]) -> None:
        """Takes up what a checkpoint has kept."""
        self._seconds = {frozenset(tasks): list(times) for tasks, times in state}


def _typical(times: Sequence[float]) -> float:
    """The median; the first step of a set compiles it, and counts only if it is alone."""
    return float(np.median(times[1:] or times))
