"""How tasks and scenarios use experts, against gates read row by row."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tiny

from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.training.artifact import make_model
from tfmtl.training.examples import read_examples
from tfmtl.training.gate_use import gate_use

MMOE = {"kind": "mmoe", "experts": 3, "units": [4]}
PLE = {"kind": "ple", "levels": 1, "shared_experts": 1, "task_experts": 1, "units": [4]}


def all_rows(model: MultiTaskModel, split: Path) -> tuple[dict[str, Any], np.ndarray]:
    """The split's rows as one batch, and their scenarios."""
    (x, _, _) = next(iter(read_examples(split, model.config, batch_size=10_000, shuffle=False)))
    return x, x["scenario"].numpy() - 2


def test_weights_are_means_over_rows_and_scenarios(transformed: Path) -> None:
    model = tiny.make_model({"model.trunk": MMOE})
    x, scenario = all_rows(model, transformed / "validation")
    gates, _ = model.ranking.gates(x, model.encoding(x))
    found = gate_use(model, transformed)
    assert (found["split"], found["rows"]) == ("validation", len(scenario))
    assert found["experts"] == ["expert_0", "expert_1", "expert_2"]
    for task, weights in gates.items():
        use, rows = found["tasks"][task], weights.numpy()
        mean = [np.mean([row[i] for row in rows]) for i in range(3)]
        assert use["overall"] == pytest.approx(mean, abs=1e-5)
        assert sum(use["overall"]) == pytest.approx(1, abs=1e-5)
        for place, value in enumerate(("search", "feed")):
            own = rows[scenario == place]
            assert use["scenarios"][value] == pytest.approx(own.mean(axis=0), abs=1e-5)
        entropy = -sum(p * np.log(p) for p in mean)
        assert use["effective"] == pytest.approx(np.exp(entropy), abs=1e-3)
    one, other = gates["click"].numpy(), gates["stars"].numpy()
    alike = [a @ b / np.sqrt((a @ a) * (b @ b)) for a, b in zip(one, other, strict=True)]
    assert found["similarity"]["click|stars"] == pytest.approx(np.mean(alike), abs=1e-5)


def test_gates_that_know_nothing_use_all_experts_alike(transformed: Path) -> None:
    model = tiny.make_model({"model.trunk": MMOE})
    for gate in model.ranking.trunk.gate_layers:
        gate.kernel.assign(np.zeros(gate.kernel.shape))
    found = gate_use(model, transformed)
    assert found["tasks"]["cart"]["overall"] == pytest.approx([1 / 3] * 3, abs=1e-5)
    assert found["tasks"]["cart"]["effective"] == pytest.approx(3)
    assert found["similarity"]["click|cart"] == pytest.approx(1)


def test_experts_that_a_task_does_not_reach_have_no_weight(transformed: Path) -> None:
    found = gate_use(tiny.make_model({"model.trunk": PLE}), transformed)
    assert found["reaches"]["cart"] == ["expert_0_cart", "expert_0"]
    weights = dict(zip(found["experts"], found["tasks"]["cart"]["overall"], strict=True))
    assert {name for name, weight in weights.items() if weight == 0} == {
        "expert_0_click",
        "expert_0_stars",
    }
    assert sum(weights.values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("net", "gates"),
    [
        ({"kind": "hinet", "units": [4]}, {"shared": 2, "own": 2, "others": 2}),
        ({"kind": "sar_net", "units": [4]}, {"experts": 6}),
    ],
)
def test_scenario_nets_tell_what_they_choose(
    net: Mapping[str, Any], gates: Mapping[str, int], transformed: Path
) -> None:
    found = gate_use(tiny.make_model({"model.scenario_net": net}), transformed)
    assert found["tasks"] == {}
    told = found["scenario_net"]
    assert {name: len(use["experts"]) for name, use in told.items()} == gates
    for name in set(gates) - {"others"}:
        for weights in told[name]["scenarios"].values():
            assert sum(weights) == pytest.approx(1, abs=1e-5)
    if "others" in gates:
        assert told["others"]["experts"] == ["search", "feed"]
        assert told["others"]["scenarios"]["search"][0] == 0, "a scenario does not hear itself"


@pytest.mark.parametrize("net", [None, {"kind": "pepnet"}])
def test_models_without_experts_tell_nothing(net: Any, transformed: Path) -> None:
    assert gate_use(tiny.make_model({"model.scenario_net": net}), transformed) == {}


def test_test_rows_stand_in_where_none_validate(transformed: Path, tmp_path: Path) -> None:
    shutil.copytree(transformed, tmp_path / "t")
    for file in (tmp_path / "t" / "validation").glob("*.parquet"):
        pq.write_table(pq.read_table(file).slice(0, 0), file)
    found = gate_use(tiny.make_model({"model.trunk": MMOE}), tmp_path / "t")
    assert found["split"] == "test"
    assert found["rows"] == len(pq.read_table(transformed / "test"))


def test_a_trained_model_lies_beside_its_gates(transformed: Path, tmp_path: Path) -> None:
    changes = {"tasks": {"click": tiny.RAW["tasks"]["click"]}, "model.trunk": MMOE}
    make_model(tiny.make_config(changes), transformed, tmp_path / "gated")
    assert json.loads((tmp_path / "gated" / "gates.json").read_text())["tasks"].keys() == {"click"}
    assert json.loads((tmp_path / "gated" / "history.json").read_text()).keys() == {"epochs"}
