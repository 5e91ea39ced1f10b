"""From a configuration and counts of the training rows to how often each row is to come."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from pipelines.preprocess.sampling import Candidates, Plan, event_tasks, scenario_names
from tfmtl.config import Config, NegativeRule

Kind = tuple[int, bool, int]
"""A kind of row: its scenario, whether something happened, and the tasks whose label it has, the
first task of the configuration being bit 0."""


@dataclass
class Counts:
    """Counts of training rows before any is left out.

    Attributes:
        rows: rows by kind.
        positives: positives by task and scenario.
    """

    rows: Counter[Kind] = field(default_factory=Counter)
    positives: Counter[tuple[str, int]] = field(default_factory=Counter)

    @classmethod
    def of(cls, rows: Candidates, config: Config) -> "Counts":
        """Counts rows."""
        happened = rows.happened(config)
        known = np.zeros(len(happened), np.int64)
        if config.resampling and config.resampling.by == "task":
            for bit, task in enumerate(config.ranking_tasks):
                known |= rows.known(task).astype(np.int64) << bit
        bits = len(config.ranking_tasks)
        codes = ((rows.scenarios * 2 + happened) << bits) | known
        counts = cls()
        for entry in pa.array(codes).value_counts().to_pylist():
            kind, labels = divmod(entry["values"], 1 << bits)
            counts.rows[kind // 2, bool(kind % 2), labels] = entry["counts"]
        for task in event_tasks(config):
            found = np.bincount(rows.scenarios[rows.labels[task] == 1])
            counts.positives.update({(task, n): int(c) for n, c in enumerate(found)})
        return counts

    def add(self, other: "Counts") -> None:
        """Adds the counts of other rows."""
        self.rows.update(other.rows)
        self.positives.update(other.positives)

    def negatives(self, scenario: int) -> int:
        """Rows of a scenario in which nothing happened."""
        return sum(n for (s, happened, _), n in self.rows.items() if s == scenario and not happened)


def make_plan(config: Config, counts: Counts) -> Plan:
    """Works out the rates.

    Args:
        config: the configuration.
        counts: what there is among the training rows.

    Returns:
        How often each row is to come.
    """
    keep = _keep_rates(config, counts) if config.sampling.negatives else ()
    expected: dict[Kind, float] = {}
    for kind, count in sorted(counts.rows.items()):
        expected[kind] = count * (keep[kind[0]] if keep and not kind[1] else 1.0)
    rows = sum(expected.values())
    if config.resampling is None:
        return Plan(keep=keep, rows=rows)
    temperature = config.resampling.temperature
    if config.resampling.by == "scenario":
        sizes = [_total(expected, number) for number in range(len(scenario_names(config)))]
        return Plan(keep, _factors(sizes, temperature), (), rows)
    tasks, sizes = _by_task(config, expected)
    return Plan(keep, (*_factors(sizes, temperature), 1.0), tasks, rows)


def _keep_rates(config: Config, counts: Counts) -> tuple[float, ...]:
    rates = []
    for number, scenario in enumerate(scenario_names(config)):
        own = [
            _rate(rule, number, counts)
            for rule in config.sampling.negatives
            if _covers(config, rule, scenario)
        ]
        # As `meta/keep_rate` holds it, so that the rate that is told is the one that was applied.
        rates.append(float(np.float32(max(own, default=1.0))))
    return tuple(rates)


def _covers(config: Config, rule: NegativeRule, scenario: str) -> bool:
    named = (rule.scenarios, config.tasks[rule.task].scenarios)
    return config.scenario is None or all(s is None or scenario in s for s in named)


def _rate(rule: NegativeRule, scenario: int, counts: Counts) -> float:
    if rule.keep is not None:
        return rule.keep
    assert rule.per_positive is not None
    positives, negatives = counts.positives[rule.task, scenario], counts.negatives(scenario)
    return min(1.0, rule.per_positive * positives / negatives) if positives and negatives else 1.0


def _total(expected: Mapping[Kind, float], scenario: int) -> float:
    return sum(rows for kind, rows in expected.items() if kind[0] == scenario)


def _by_task(config: Config, expected: Mapping[Kind, float]) -> tuple[tuple[str, ...], list[float]]:
    """The ranking tasks, the one with the fewest labels first, and the rows that belong to each."""
    names = list(config.ranking_tasks)
    labels = [sum(n for kind, n in expected.items() if kind[2] >> i & 1) for i in range(len(names))]
    order = sorted(range(len(names)), key=lambda i: labels[i])
    sizes = [0.0] * len(names)
    for kind, rows in expected.items():
        place = next((p for p, task in enumerate(order) if kind[2] >> task & 1), None)
        if place is not None:
            sizes[place] += rows
    return tuple(names[i] for i in order), sizes


def _factors(sizes: list[float], temperature: float) -> tuple[float, ...]:
    """How often the rows of groups of these sizes come, so that there are as many as before."""
    wanted = [size ** (1 / temperature) if size else 0.0 for size in sizes]
    total, norm = sum(sizes), sum(wanted)
    return tuple(
        total * own / norm / size if size else 1.0 for own, size in zip(wanted, sizes, strict=True)
    )
