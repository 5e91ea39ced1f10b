"""The course of a budget: what the next step is made of, and when it is spent."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfmtl.config import Config
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.training.budgets.costs import Cost, Costs
from tfmtl.training.budgets.division import Gains, rate, shares, worthwhile
from tfmtl.training.budgets.progress import Losses, over, progress_of, relative

_STEPS = 20
"""Steps between two decisions, at the least: fewer would show noise."""
_MARGIN = 2.0
"""How often a set of tasks must pay for its compilation before it is chosen."""


@dataclass(frozen=True)
class Part:
    """Who takes part in a step.

    Attributes:
        tasks: names of the tasks.
        rows: the share of its rows that each scenario keeps, in their order; empty where all do.
    """

    tasks: tuple[str, ...]
    rows: tuple[float, ...] = ()


class Control:
    """Divides a training's budget, counts what is spent and keeps a record of every decision.

    A decision measures the losses on validation rows, which the budget pays for, chooses the tasks
    that are worth a part in every step, and gives every scenario a share of its rows. The other
    tasks have a part in every n-th step, as `Budget.least` says.

    Args:
        model: the model that is trained.
        transformed: Transform's artifact.
        rows: training rows by scenario, in their order.

    Attributes:
        records: the decisions, plain data: what was `spent` of the budget by then; by task its
            `loss`, whether it is `chosen`, the `cost` it adds to a step, and the `steps` since the
            decision before; by scenario `loss`, `share`, and the `rows` since then, as a multiple
            of a step's.
    """

    def __init__(self, model: MultiTaskModel, transformed: Path, rows: Mapping[str, int]) -> None:
        config = model.config
        assert config.training.budget is not None
        self.spec = config.training.budget
        self._tasks = list(config.tasks)
        self._task_priorities, self._scenario_priorities = _priorities(config)
        self._total = self.spec.seconds or self.spec.steps or 0.0
        whole = sum(rows.values()) or 1
        self._of_all_rows = {name: count / whole for name, count in rows.items()}
        self._costs = Costs(self._tasks)
        self._task_gains, self._scenario_gains = Gains(), Gains()
        self._first: Losses | None = None
        self._chosen, self._kept = list(self._tasks), dict.fromkeys(rows, 1.0)
        self._steps = dict.fromkeys(self._tasks, 0.0)
        self._rows = dict.fromkeys(rows, 0.0)
        self._all_steps, self._all_rows = dict(self._steps), dict(self._rows)
        self._spent, self._step, self._decided_at = 0.0, 0, 0
        self._began = time.monotonic()
        self.records: list[dict[str, Any]] = []
        self._measure: Callable[[], Losses] | None = None
        if self.spec.division == "adaptive":
            self._measure = progress_of(
                model, transformed / "validation", self.spec.validation_rows
            )

    @property
    def spent(self) -> float:
        """Of the budget, seconds or steps."""
        if self.spec.seconds is not None:
            return self._spent + time.monotonic() - self._began
        return self._spent

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self.spent >= self._total

    def start(self) -> None:
        """Told that training begins, or goes on."""
        self._began = time.monotonic()
        if self._measure is not None and not self.records:
            self._decide()

    def next(self) -> Part:
        """Who takes part in the next step; decides anew where it is time to."""
        due = self.spent >= len(self.records) * self._total / self.spec.decisions
        if self._measure is not None and due and self._step - self._decided_at >= _STEPS:
            self._decide()
        everyone = self._step % round(1 / self.spec.least) == 0
        rows = tuple(self._kept.values())
        return Part(tuple(self._tasks if everyone else self._chosen), rows if min(rows) < 1 else ())

    def took(self, part: Part, seconds: float) -> None:
        """Told what a step was made of and how long it took."""
        self._step += 1
        kept = part.rows or (1.0,) * len(self._kept)
        rows = {
            name: share * self._of_all_rows[name]
            for name, share in zip(self._kept, kept, strict=True)
        }
        of_rows = sum(rows.values()) or 1.0
        self._costs.add(part.tasks, seconds / of_rows)
        for task in part.tasks:
            self._steps[task] += of_rows
            self._all_steps[task] += of_rows
        for name, share in rows.items():
            self._rows[name] += share
            self._all_rows[name] += share
        if self.spec.seconds is None:
            self._spent += of_rows * Cost.even(self._tasks).of(part.tasks)

    def _decide(self) -> None:
        """Measures, and divides what is left by what was gained."""
        assert self._measure is not None
        losses = self._measure()
        first = self._first = self._first or losses
        by_task = over(losses, self._of_all_rows)
        by_scenario = relative(losses, first, self._task_priorities)
        self._task_gains.update(by_task, self._steps)
        self._scenario_gains.update(by_scenario, self._rows)
        cost = Cost.even(self._tasks) if self.spec.seconds is None else self._costs.fitted()
        self._choose(cost)
        if len(self._kept) > 1:
            worth = _worth(self._scenario_gains, self._scenario_priorities)
            self._kept = shares(worth, self.spec.least)
        self._record(by_task, by_scenario, cost)
        self._steps = dict.fromkeys(self._tasks, 0.0)
        self._rows = dict.fromkeys(self._kept, 0.0)
        self._decided_at = self._step

    def _choose(self, cost: Cost) -> None:
        """Takes the best set of tasks, unless compiling it costs more than it will bring."""
        worth = _worth(self._task_gains, self._task_priorities)
        best = worthwhile(worth, cost.tasks, cost.base)
        if self.spec.seconds is not None and not self._costs.knows(best):
            now, then = (
                rate(names, worth, cost.tasks, cost.base) for names in (self._chosen, best)
            )
            left = self._total - self.spent
            if now and (then / now - 1) * left < _MARGIN * self._costs.compiling:
                return
        self._chosen = best

    def _record(
        self, by_task: Mapping[str, float], by_scenario: Mapping[str, float], cost: Cost
    ) -> None:
        self.records.append(
            {
                "spent": round(self.spent, 3),
                "tasks": {
                    task: {
                        "loss": _known(by_task[task]),
                        "chosen": task in self._chosen,
                        "cost": cost.tasks[task],
                        "steps": self._steps[task],
                    }
                    for task in self._tasks
                },
                "scenarios": {
                    name: {
                        "loss": _known(by_scenario[name]),
                        "share": share,
                        "rows": self._rows[name],
                    }
                    for name, share in self._kept.items()
                },
            }
        )

    def report(self) -> dict[str, Any]:
        """What became of the budget, plain data: `spent` of how many `seconds` or `steps`; by task
        the whole batches, by scenario its rows, in multiples of a batch, that were learnt from;
        and the decisions."""
        unit = "steps" if self.spec.seconds is None else "seconds"
        return {
            "unit": unit,
            "total": self._total,
            "spent": round(self.spent, 3),
            "steps": self._step,
            "tasks": self._all_steps,
            "scenarios": self._all_rows,
            "decisions": self.records,
        }

    def state(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return {
            "spent": self.spent,
            "step": self._step,
            "decided_at": self._decided_at,
            "chosen": self._chosen,
            "kept": self._kept,
            "steps": self._steps,
            "rows": self._rows,
            "all": [self._all_steps, self._all_rows],
            "first": self._first,
            "gains": [asdict(self._task_gains), asdict(self._scenario_gains)],
            "costs": self._costs.state(),
            "records": self.records,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Takes up what a checkpoint has kept."""
        self._spent, self._step = state["spent"], state["step"]
        self._decided_at = state["decided_at"]
        self._chosen, self._kept = state["chosen"], state["kept"]
        self._steps, self._rows = state["steps"], state["rows"]
        self._all_steps, self._all_rows = state["all"]
        self._first = state["first"]
        self._task_gains, self._scenario_gains = (Gains(**one) for one in state["gains"])
        self._costs.resume(state["costs"])
        self.records = state["records"]


def _worth(gains: Gains, priorities: Mapping[str, float]) -> dict[str, float]:
    """What a unit spent on each brings, by priority. Who has shown no gain for want of steps or
    rows counts like the best."""
    most = max(gains.rates.values(), default=0.0)
    return {name: priority * gains.rates.get(name, most) for name, priority in priorities.items()}


def _known(loss: float) -> float | None:
    """A loss as JSON has it: null where there was no row."""
    return None if math.isnan(loss) else loss


def _priorities(config: Config) -> tuple[dict[str, float], dict[str, float]]:
    """Of the tasks and of the scenarios, 1 where none is declared."""
    spec = config.training.budget
    assert spec is not None
    scenarios = config.scenario.values if config.scenario else [""]
    return (
        {name: spec.priorities.get(name, 1.0) for name in config.tasks},
        {name: spec.scenarios.get(name, 1.0) for name in scenarios},
    )
