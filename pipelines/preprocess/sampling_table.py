"""What sampling did to the training rows: counts before and after, by scenario."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipelines.preprocess.sampling import Candidates, Plan, event_tasks, scenario_names
from pipelines.preprocess.sampling_text import AFTER, BEFORE, EVENED, NEGATIVES, REPEATED
from tfmtl.config import Config

Tally = dict[str, float]
"""Counts by name, which add up over shards."""


def tally_sampling(rows: Candidates, kept: np.ndarray, times: np.ndarray, config: Config) -> Tally:
    """Counts training rows before and after.

    Args:
        rows: the rows.
        kept: whether each row stays after negatives were left out, bool `[n]`.
        times: how often each row comes in the end, `[n]`.
        config: the configuration.
    """
    tally: Tally = {
        NEGATIVES: int(np.count_nonzero(~kept)),
        EVENED: int(np.count_nonzero(kept & (times == 0))),
        REPEATED: int(np.maximum(times - 1, 0).sum()),
    }
    scenarios = len(scenario_names(config))
    for when, often in ((BEFORE, np.ones(len(times))), (AFTER, times)):
        for name, chosen in _parts(rows, config):
            counts = np.bincount(rows.scenarios[chosen], often[chosen], scenarios)
            tally |= {f"{when}/{n}/{name}": int(count) for n, count in enumerate(counts)}
    return tally


def _parts(rows: Candidates, config: Config) -> Iterator[tuple[str, np.ndarray]]:
    yield "rows", np.ones(len(rows.numbers), bool)
    for task in event_tasks(config):
        yield f"known/{task}", rows.known(task)
        yield f"positives/{task}", rows.labels[task] == 1


def summarise_sampling(tally: Mapping[str, float], plan: Plan, config: Config) -> dict[str, Any]:
    """The counts as plain data.

    Returns:
        `{"scenarios": {name: {"keep_rate": r, "before": {...}, "after": {...}}}, ...}`, where
        before and after hold `rows` and, by task, `known` and `positives`; `repeat`, how often a
        row comes on the mean, by scenario or by task; rows left out and repeated.
    """

    def count(when: str, number: int) -> dict[str, Any]:
        def of(part: str) -> dict[str, int]:
            return {t: int(tally[f"{when}/{number}/{part}/{t}"]) for t in event_tasks(config)}

        rows = int(tally[f"{when}/{number}/rows"])
        return {"rows": rows, "known": of("known"), "positives": of("positives")}

    names = scenario_names(config)
    scenarios = {
        name: {
            "keep_rate": plan.keep[number] if plan.keep else 1.0,
            BEFORE: count(BEFORE, number),
            AFTER: count(AFTER, number),
        }
        for number, name in enumerate(names)
    }
    of = plan.tasks or names
    return {
        "scenarios": scenarios,
        "by": "task" if plan.tasks else "scenario",
        "repeat": dict(zip(of, plan.repeat, strict=False)) if plan.repeat else {},
        **{name: int(tally[name]) for name in (NEGATIVES, EVENED, REPEATED)},
    }
