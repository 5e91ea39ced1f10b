"""How a trained model's tasks and scenarios divide themselves among its experts."""

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf

from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.ranking import RankingNetwork
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import RESERVED
from tfmtl.training.examples import read_examples
from tfmtl.trunks import GatedTrunk

Arrays = dict[str, np.ndarray]
_BATCH = 4096
_ROWS = 20_480
_SCENARIO = re.compile(r"scenario_(\d+)")


def gate_use(model: MultiTaskModel, transformed: Path) -> dict[str, Any]:
    """Mean gate weights on validation rows, or on test rows where there are none.

    The effective number of experts is `exp(H)`, with H the entropy of the mean weights: 1 where
    one expert does all, n where n are used alike. Two tasks' gates resemble one another by the
    cosine of their weights, a mean over the rows.

    Args:
        model: the trained model.
        transformed: Transform's artifact, of which up to 20,480 rows are read.

    Returns:
        Empty where nothing chooses between experts; else plain data:
        `{"split", "rows", "experts": [name], "tasks": {task: USE}, "reaches": {task: [name]},
        "similarity": {"a|b": cosine}, "scenario_net": {gate: {"experts": [name], **USE}}}` with USE
        `{"overall": [weight], "scenarios": {value: [weight]}, "effective": n}`. An expert that a
        task does not reach has the weight 0.
    """
    ranking = model.ranking
    splits = [split for split in ("validation", "test") if _rows(transformed / split)]
    if ranking is None or not splits:
        return {}
    reaches = ranking.trunk.experts_by_task if isinstance(ranking.trunk, GatedTrunk) else {}
    names = ranking.scenario_net.experts_by_gate
    if not reaches and not names:
        return {}
    of_trunk, of_net, scenarios = _weights(model, ranking, transformed / splits[0])
    values = model.config.scenario.values if model.config.scenario else []
    members = {value: scenarios == i for i, value in enumerate(values)}
    experts = list(dict.fromkeys(name for own in reaches.values() for name in own))
    spread = {task: _spread(of_trunk[task], own, experts) for task, own in reaches.items()}
    return {
        "split": splits[0],
        "rows": len(scenarios),
        "experts": experts,
        "tasks": {task: _use(weights, members) for task, weights in spread.items()},
        "reaches": reaches,
        "similarity": {
            f"{a}|{b}": round(_similarity(spread[a], spread[b]), 6)
            for a, b in combinations(spread, 2)
        },
        "scenario_net": {
            gate: {"experts": [_named(n, values) for n in own], **_use(of_net[gate], members)}
            for gate, own in names.items()
        },
    }


def _rows(split: Path) -> int:
    return sum(pq.read_metadata(file).num_rows for file in split.glob("*.parquet"))


def _weights(
    model: MultiTaskModel, ranking: RankingNetwork, split: Path
) -> tuple[Arrays, Arrays, np.ndarray]:
    """Gate weights of the trunk by task and of the scenario net by gate, `[rows, experts]`, and the
    rows' scenarios, `[rows]`, negative where unknown."""

    @tf.function(reduce_retracing=True)
    def gates(x: Mapping[str, tf.Tensor]) -> Any:
        inputs = {name: x[name] for name in model.inputs_spec}
        return ranking.gates(inputs, model.encoding(inputs))

    of_trunk: list[Arrays] = []
    of_net: list[Arrays] = []
    scenarios: list[np.ndarray] = []
    for x, _, weights in read_examples(split, model.config, batch_size=_BATCH).take(
        _ROWS // _BATCH
    ):
        by_task, by_gate = gates(x)
        of_trunk.append({task: shares.numpy() for task, shares in by_task.items()})
        of_net.append({gate: shares.numpy() for gate, shares in by_gate.items()})
        scenario = x.get(columns.SCENARIO)
        none = np.full(len(weights), -1)
        scenarios.append(none if scenario is None else scenario.numpy() - RESERVED)
    return _joined(of_trunk), _joined(of_net), np.concatenate(scenarios)


def _joined(parts: Sequence[Arrays]) -> Arrays:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _spread(weights: np.ndarray, own: Sequence[str], experts: Sequence[str]) -> np.ndarray:
    """Weights of a task's experts as those of all, `[rows, experts]`."""
    spread = np.zeros((len(weights), len(experts)), np.float32)
    spread[:, [experts.index(name) for name in own]] = weights
    return spread


def _use(weights: np.ndarray, members: Mapping[str, np.ndarray]) -> dict[str, Any]:
    by_scenario = {value: _mean(weights[rows]) for value, rows in members.items() if rows.any()}
    overall = weights.mean(axis=0, dtype=np.float64)
    return {
        "overall": _mean(weights),
        "scenarios": by_scenario,
        "effective": round(_effective(overall), 4),
    }


def _mean(weights: np.ndarray) -> list[float]:
    return [round(float(w), 6) for w in weights.mean(axis=0, dtype=np.float64)]


def _effective(weights: np.ndarray) -> float:
    shares = weights[weights > 0] / max(weights.sum(), 1e-12)
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _similarity(one: np.ndarray, other: np.ndarray) -> float:
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(np.mean((one * other).sum(axis=1) / np.maximum(norms, 1e-12)))


def _named(expert: str, scenarios: Sequence[str]) -> str:
    """The scenario's name for what a net knows by the scenario's number."""
    found = _SCENARIO.fullmatch(expert)
    return scenarios[int(found[1])] if found else expert
