"""Who takes part in a step, and with how many rows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

_MEMORY = 0.5
"""Weight of the latest round in the running mean of what was gained."""


@dataclass
class Gains:
    """What was gained for what was spent, round by round, by task or by scenario.

    The gain of a round is what the loss has fallen, relative to the loss at the start. A loss that
    is above its best, because others pulled the shared layers away, can gain as much as it has
    lost. Divided by what was spent it is the learning progress (Graves et al. 2017, "Automated
    Curriculum Learning for Neural Networks", take it as the reward of a curriculum).

    Attributes:
        first: losses at the start.
        best: lowest losses so far.
        last: losses at the end of the latest round.
        rates: running means of the gain for one unit that was spent.
    """

    first: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)

    def update(self, losses: Mapping[str, float], spent: Mapping[str, float]) -> None:
        """Takes a round in.

        Args:
            losses: mean validation losses now; the first time those of the untrained model. One
                that is no number, for want of rows, is left out.
            spent: what the round took of each, steps or rows. Who had none keeps its rate.
        """
        for name, loss in losses.items():
            if math.isnan(loss):
                continue
            if name not in self.first:
                self.first[name] = self.best[name] = self.last[name] = loss
                continue
            if spent[name]:
                fallen = max(self.last[name] - loss, loss - self.best[name], 0.0)
                rate = fallen / (abs(self.first[name]) or 1.0) / spent[name]
                before = self.rates.get(name, rate)
                self.rates[name] = _MEMORY * rate + (1 - _MEMORY) * before
            self.best[name] = min(self.best[name], loss)
            self.last[name] = loss


def worthwhile(worth: Mapping[str, float], costs: Mapping[str, float], base: float) -> list[str]:
    """The tasks whose step brings most for what it costs.

    Of all sets `S` it is the one with the largest `sum of worth over S / (base + sum of costs over
    S)`: a task is in it if its own worth by cost exceeds that of the step. Such sets take the tasks
    in the order of worth by cost, so that only as many need be looked at as there are tasks.

    Args:
        worth: what a step brings of each task.
        costs: what each task adds to a step.
        base: what a step costs before any task.

    Returns:
        Names in the order of `worth`; all where nothing is worth anything.
    """
    if not any(worth.values()):
        return list(worth)
    order = sorted(worth, key=lambda name: -worth[name] / costs[name])
    sets = [order[:count] for count in range(1, len(order) + 1)]
    best = max(sets, key=lambda names: rate(names, worth, costs, base))
    return [name for name in worth if name in best]


def rate(
    names: list[str], worth: Mapping[str, float], costs: Mapping[str, float], base: float
) -> float:
    """What a step of some tasks brings for what it costs."""
    return sum(worth[name] for name in names) / (base + sum(costs[name] for name in names))


def shares(worth: Mapping[str, float], least: float) -> dict[str, float]:
    """All rows for whoever is worth the mean or more, others in proportion; not below `least`."""
    mean = sum(worth.values()) / max(len(worth), 1)
    if mean <= 0:
        return dict.fromkeys(worth, 1.0)
    return {name: min(1.0, max(least, value / mean)) for name, value in worth.items()}
