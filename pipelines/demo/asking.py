"""Asks a served model as an application would: retrieve candidates, then rank them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import serving
from pipelines.demo.visitor import Visitor
from serving.metadata import Signature
from tfmtl.config import Config

_CANDIDATES = 100
"""Items that retrieval hands to ranking, as an application would ask for."""


@dataclass(frozen=True)
class Answer:
    """One item of an answer.

    Attributes:
        key: the item's key.
        score: of the retrieval task; None for a model without one.
        predictions: of the ranking tasks that give an item one number.
    """

    key: str
    score: float | None
    predictions: Mapping[str, float]


def number_tasks(config: Config) -> list[str]:
    """The ranking tasks that give an item one number."""
    return [task for task in config.ranking_tasks if task not in config.class_tasks]


def ask(
    client: serving.Client,
    config: Config,
    visitor: Visitor,
    scenario: str,
    catalogue: Mapping[str, Mapping[str, Any]],
    k: int,
) -> list[Answer]:
    """What to show a user in a scenario.

    Args:
        client: of the served model.
        config: the model's configuration.
        visitor: the user.
        scenario: one of the configuration's; "" where it has none.
        catalogue: items by key.
        k: number of items.

    Returns:
        The items, by falling prediction of the first task that gives an item one number.
    """
    request = {**visitor.features, **visitor.histories, **visitor.queries[scenario]}
    if config.scenario:
        request[config.scenario.column] = scenario
    scores: dict[str, float | None] = dict.fromkeys(list(catalogue)[:_CANDIDATES])
    if config.retrieval_task:
        scores = {**_retrieve(client, request, min(_CANDIDATES, len(catalogue)))}
    keys = list(scores)
    predictions = _rank(client, config, request, [catalogue.get(key, {}) for key in keys])
    answers = [
        Answer(key, scores[key], {task: float(p[row]) for task, p in predictions.items()})
        for row, key in enumerate(keys)
    ]
    first = next(iter(number_tasks(config)), None)
    if first is not None:
        answers.sort(key=lambda answer: -answer.predictions[first])
    return answers[:k]


def _retrieve(client: serving.Client, request: Mapping[str, Any], k: int) -> dict[str, float]:
    signature = client.metadata("retrieve")
    answer = client.predict("retrieve", _inputs(signature, {**request, "k": k}))
    keys = [key.decode() for key in answer["item_id"][0]]
    return dict(zip(keys, answer["score"][0].tolist(), strict=True))


def _rank(
    client: serving.Client,
    config: Config,
    request: Mapping[str, Any],
    items: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """{task: predictions [n]} for the items, each beside the same request."""
    if not number_tasks(config):
        return {}
    signature = client.metadata("rank_rows")
    reads = [raw for made in config.features.inputs.values() for raw in made.reads]
    columns = {raw.column for raw in reads if raw.side == "item"}
    rows = {column: [item.get(column) for item in items] for column in columns}
    answer = client.predict("rank_rows", _inputs(signature, {**request, **rows}))
    return {task: answer[task].reshape(-1) for task in number_tasks(config)}


def _inputs(signature: Signature, values: Mapping[str, Any]) -> dict[str, Any]:
    """The signature's inputs from what is known; the rest, and every null, is missing."""
    inputs = {}
    for name, spec in signature.inputs.items():
        missing: Any = "" if spec.dtype == "string" else math.nan
        value = values.get(name)
        if spec.shape is not None and len(spec.shape) > 1:
            missing = None  # of lists, the client knows what that is
        elif isinstance(value, list):
            value = [missing if item is None else item for item in value]
        inputs[name] = missing if value is None else value
    return inputs
