"""The parts of a model by name, to freeze them, to slow them down, to give them adapters."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import keras

from tfmtl.layers.lora import Target, targets_of
from tfmtl.layers.patterns import chosen

if TYPE_CHECKING:
    from tfmtl.models.multi_task import MultiTaskModel


def variables_by_name(model: "MultiTaskModel") -> dict[str, keras.Variable]:
    """Every variable of a model's network by the part it belongs to.

    `tables/...`: embedding tables, one variable a dimension. `encoders/...`: encoders of texts,
    histories and numbers. `interaction/...`, `scenario_net/...`, `trunk/...`, `funnel/...`.
    `towers/TASK/...`: a task's tower and head; of the retrieval task both towers.

    Returns:
        `{part/path in the part: variable}`. Balancers and random states are left out.
    """
    names = {id(v): name for name, v in _owned(model)}
    return {names[id(v)]: v for v in model.variables if id(v) in names}


def targets_by_name(model: "MultiTaskModel") -> dict[str, Target]:
    """The weights that can have adapters by name: as variables, tables by `tables/TABLE`."""
    found: dict[str, Target] = {}
    seen: set[int] = set()
    for part, layer in _parts(model):
        for name, target in targets_of(layer, part).items():
            if id(target.layer) not in seen:
                found[name] = target
        seen |= {id(one) for one in layer._flatten_layers()}
    return found


def set_rates(model: "MultiTaskModel", factors: Mapping[str, float]) -> None:
    """Multiplies the learning rates of parts; those not named have a factor of 1.

    The optimisers of `build_optimizer` go by it, others do not.

    Args:
        model: the model.
        factors: factor by pattern; of several that match a variable the last one counts.

    Example:
        >>> set_rates(model, {"encoders": 0.1, "trunk": 0.3})
    """
    variables = variables_by_name(model)
    for variable in variables.values():
        variable.rate_factor = 1.0
    for pattern, factor in factors.items():
        for name in chosen(variables, [pattern], "training.optimizer.rates"):
            variables[name].rate_factor = factor


def _parts(model: "MultiTaskModel") -> Iterator[tuple[str, keras.layers.Layer]]:
    """Layers by the part they are; what an earlier one holds is no later one's."""
    yield "tables", model.encoding.embedding
    ranking = model.ranking
    for task, layer in (ranking.factorised if ranking else {}).items():
        yield f"tables/factorised/{task}", layer
    yield "encoders", model.encoding
    if ranking:
        for part in ("interaction", "scenario_net", "trunk", "funnel"):
            if getattr(ranking, part) is not None:
                yield part, getattr(ranking, part)
        for task in ranking.tasks:
            yield f"towers/{task}", ranking.towers[task]
            yield f"towers/{task}", ranking.heads[task]
            if task in ranking.calibrations:
                yield f"towers/{task}/calibration", ranking.calibrations[task]
            if task in ranking.thresholds:
                yield f"towers/{task}/thresholds", ranking.thresholds[task]
    if isinstance(model.retrieval, keras.layers.Layer):  # a factorised one has no weights
        yield f"towers/{model.retrieval.task}", model.retrieval


def _owned(model: "MultiTaskModel") -> Iterator[tuple[str, keras.Variable]]:
    seen: set[int] = set()
    for part, layer in _parts(model):
        for variable in layer.weights:
            if id(variable) not in seen:
                seen.add(id(variable))
                yield f"{part}/{_below(model, layer, variable.path)}", variable


def _below(model: "MultiTaskModel", layer: keras.layers.Layer, path: str) -> str:
    """A variable's path as seen from the layer that holds it."""
    parts = path.split("/")
    for name in (model.name, layer.name):
        if name in parts:
            parts = parts[parts.index(name) + 1 :]
    return "/".join(parts)
