"""Formulas, filters and columns of `serving` that fit the tasks, the scenarios and the items."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tfmtl.config.formulas import FUNCTIONS, parse_formula, variables
from tfmtl.config.scored import (
    RETRIEVAL_SCORE,
    default_formula,
    item_columns,
    number_outputs,
)

if TYPE_CHECKING:
    from tfmtl.config.config import Config

_OUTPUTS = ("item_id", "score", RETRIEVAL_SCORE, "count")
"""Outputs of the signatures that also answer the tasks' predictions."""
_OF_RANKING = ("rank_rows", "rank", "classify", "regress", "predict_examples")
"""Signatures that predict the ranking tasks."""


def check_serving(config: "Config") -> None:
    for name in config.ranking_tasks:
        if name in _OUTPUTS:
            raise ValueError(f"tasks.{name}: a served model names another output so; rename it")
    _check_signatures(config)
    _check_variants(config)
    _check_columns(config)
    _check_filters(config)
    _check_returns(config)
    _check_parameters(config)
    _check_formulas(config)


def _check_signatures(config: "Config") -> None:
    wanted = config.serving.signatures or []
    key = "serving.signatures"
    for name in wanted:
        if wanted.count(name) > 1:
            raise ValueError(f"{key}: '{name}' stands there twice; leave one of them out")
        if name in ("retrieve", "embed_user", "embed_item") and config.retrieval_task is None:
            raise ValueError(f"{key}: '{name}' needs a task of kind retrieval; leave it out")
        if name in _OF_RANKING and not config.ranking_tasks:
            raise ValueError(f"{key}: '{name}' needs a ranking task; leave it out")
        if name == "regress" and not number_outputs(config):
            raise ValueError(f"{key}: 'regress' needs a task that predicts a number; leave it out")
        if name == "recommend" and default_formula(config) is None:
            raise ValueError(
                f"{key}: 'recommend' needs a task that gives items a number; leave it out"
            )


def _check_variants(config: "Config") -> None:
    for name, variant in config.serving.variants.items():
        if variant.prune is None and variant.stored_as(name) == "float32":
            raise ValueError(
                f"serving.variants.{name}: it would be the model as it is; give storage, "
                "'bfloat16' or 'int8', or prune"
            )


def _check_columns(config: "Config") -> None:
    features = {raw.column for made in config.features.inputs.values() for raw in made.reads}
    for name in config.serving.columns:
        key = f"serving.columns.{name}"
        if config.source.items is None:
            raise ValueError(f"{key}: it is a column of source.items; add that table")
        if name in features or name == config.source.log.item:
            raise ValueError(f"{key}: a feature or the item's key is of it already; leave it out")
        if not name.isidentifier():
            raise ValueError(
                f"{key}: a name should be a letter, then letters, digits and _; rename the column"
            )


def _check_filters(config: "Config") -> None:
    known, spec = item_columns(config), config.serving.recommend
    asked = [(f"filters[{place}]", name) for place, name in enumerate(spec.filters)]
    asked += [("available", spec.available)] if spec.available is not None else []
    for key, name in asked:
        if name not in known:
            raise ValueError(
                f"serving.recommend.{key}: '{name}' is no column of items that holds single texts "
                f"or numbers; known are {_listed(known)}; name others of source.items in "
                "serving.columns"
            )


def _check_returns(config: "Config") -> None:
    known = [name for name, kind in item_columns(config).items() if kind == "number"]
    taken = {*config.tasks, *number_outputs(config), *_OUTPUTS}
    for place, name in enumerate(config.serving.recommend.returns):
        key = f"serving.recommend.returns[{place}]"
        if name not in known:
            raise ValueError(
                f"{key}: '{name}' is no column of items that holds single numbers; known are "
                f"{_listed(known)}; name others of source.items in serving.columns"
            )
        if name in taken:
            raise ValueError(f"{key}: '{name}' is an answer of the model already; rename one")


def _check_parameters(config: "Config") -> None:
    fuse, columns = config.serving.fuse, item_columns(config)
    scenarios = config.scenario.values if config.scenario else []
    taken = {*config.tasks, *number_outputs(config), RETRIEVAL_SCORE, *FUNCTIONS, *columns}
    for name in fuse.parameters:
        if name in taken:
            raise ValueError(
                f"serving.fuse.parameters.{name}: in formulas '{name}' is something else; rename it"
            )
    for scenario, own in fuse.scenarios.items():
        key = f"serving.fuse.scenarios.{scenario}"
        if scenario not in scenarios:
            raise ValueError(f"{key}: '{scenario}' is not in scenario.values {scenarios}")
        for name in own.parameters:
            if name not in fuse.parameters:
                raise ValueError(
                    f"{key}.parameters.{name}: it has no value for other scenarios; add "
                    f"serving.fuse.parameters.{name}"
                )


def _check_formulas(config: "Config") -> None:
    fuse = config.serving.fuse
    numbers = [name for name, kind in item_columns(config).items() if kind == "number"]
    scores = [RETRIEVAL_SCORE] if config.retrieval_task else []
    known = [*number_outputs(config), *scores, *numbers, *fuse.parameters]
    used: dict[str | None, set[str]] = {}
    for key, scenario, text in _formulas(config):
        used[scenario] = set(variables(parse_formula(text)))
        for name in variables(parse_formula(text)):
            if name not in known:
                raise ValueError(
                    f"serving.fuse.{key}: '{name}' is no prediction of one number, column of "
                    f"numbers of items or parameter; known are {_listed(known)}"
                )
            if known.count(name) > 1:
                raise ValueError(
                    f"serving.fuse.{key}: '{name}' is a prediction and a column of items; rename "
                    "one of them"
                )
    everywhere: set[str] = set().union(*used.values())
    for name in fuse.parameters:
        if name not in everywhere:
            raise ValueError(
                f"serving.fuse.parameters.{name}: no formula has it; use it or leave it out"
            )
    for scenario, own in fuse.scenarios.items():
        for name in own.parameters:
            if name not in used.get(scenario, used.get(None, set())):
                raise ValueError(
                    f"serving.fuse.scenarios.{scenario}.parameters.{name}: the scenario's formula "
                    "does not have it; leave it out"
                )


def _formulas(config: "Config") -> Iterator[tuple[str, str | None, str]]:
    """Key, scenario and text of the formulas that are written; the scenario is None for the one of
    all others."""
    fuse = config.serving.fuse
    if fuse.formula is not None:
        yield "formula", None, fuse.formula
    for scenario, own in fuse.scenarios.items():
        if own.formula is not None:
            yield f"scenarios.{scenario}.formula", scenario, own.formula


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
