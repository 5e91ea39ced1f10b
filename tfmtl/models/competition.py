"""Whether tasks, and scenarios, pull what they share the same way: the gradients' cosines."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from tfmtl.balancing import total
from tfmtl.config import Config
from tfmtl.models.ranking import RankingNetwork
from tfmtl.models.replicas import Gradient
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import RESERVED

if TYPE_CHECKING:
    from tfmtl.models.multi_task import MultiTaskModel

Tensors = Mapping[str, tf.Tensor]


def gradient_products(
    model: "MultiTaskModel", x: Tensors, y: Tensors, weights: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Inner products of gradients on a batch that is not learnt from.

    With L_k the mean loss of task k and h the shared representation, tasks i and j have

        sum_rows <dL_i / dh_row, dL_j / dh_row>

    on the representation, of all rows or of one scenario's, and `<dL_i / dE, dL_j / dE>` on the
    embedding tables E, the only thing that a retrieval task shares with the others. Scenarios p and
    q have `<dL^p / dW, dL^q / dW>`, where L^p is the weighted sum of the losses on the rows of p
    and W the dense parameters below the towers: different rows have no representation in common.

    Args:
        model: the model; neither its weights nor its other state change.
        x: inputs.
        y: labels by task, NaN where missing.
        weights: of the rows, `[batch]`.

    Returns:
        float32, each only where there is something to compare: `representation`, `[tasks, tasks]`
        of the ranking tasks; `by_scenario`, `[scenarios, tasks, tasks]`; `tables`, `[all tasks, all
        tasks]`; `scenarios`, `[scenarios, scenarios]`.
    """
    with tf.GradientTape(persistent=True) as tape:
        shared, losses, of_scenarios = _forward(model, x, y, weights)
    found: dict[str, tf.Tensor] = {}
    if len(losses) > 1:
        found |= _of_tasks(model, x, tape, shared, losses)
    if model.ranking and len(of_scenarios) > 1:
        dense = _dense(model.ranking)
        found["scenarios"] = _products([tape.gradient(loss, dense) for loss in of_scenarios])
    return found


def cosines(products: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """Cosines of inner products: `{"a|b": cosine}`, without pairs of which one has no gradient.

    Example:
        >>> cosines(np.array([[4.0, -1.0], [-1.0, 1.0]]), ["click", "cart"])
        {'click|cart': -0.5}
    """
    norms = np.sqrt(np.maximum(np.diag(products), 0.0))
    return {
        f"{names[i]}|{names[j]}": round(float(products[i, j] / (norms[i] * norms[j])), 6)
        for j in range(len(names))
        for i in range(j)
        if norms[i] * norms[j] > 0
    }


def _forward(
    model: "MultiTaskModel", x: Tensors, y: Tensors, weights: tf.Tensor
) -> tuple[list[tf.Tensor], dict[str, tf.Tensor], list[tf.Tensor]]:
    """The shared representation, the tasks' losses, and the weighted sums of the ranking tasks'
    losses on the rows of each scenario."""
    config, ranking = model.config, model.ranking
    shared: list[tf.Tensor] = []
    losses: dict[str, tf.Tensor] = {}
    of_scenarios: list[tf.Tensor] = []
    if ranking:
        shared, own = ranking.shared(x, model.encoding(x))
        scores = ranking.by_task(x, shared, own)
        losses |= _ranking_losses(ranking, x, y, scores, weights)
        members = tf.unstack(_members(config, x), axis=1) if config.scenario else []
        for member in members:
            parts = _ranking_losses(ranking, x, y, scores, weights * member)
            weighted = [config.tasks[task].weight * loss for task, loss in parts.items()]
            of_scenarios.append(total(weighted))
    if model.retrieval:
        task = model.retrieval.task
        losses[task] = model.retrieval.loss_from(x, y[task], weights)
    return shared, losses, of_scenarios


def _of_tasks(
    model: "MultiTaskModel",
    x: Tensors,
    tape: tf.GradientTape,
    shared: list[tf.Tensor],
    losses: Tensors,
) -> dict[str, tf.Tensor]:
    """Products of the tasks' gradients on the representation and on the tables."""
    config, count = model.config, len(shared)
    tables = model.encoding.embedding.trainable_variables
    every = {task: tape.gradient(losses[task], [*shared, *tables]) for task in config.tasks}
    found: dict[str, tf.Tensor] = {}
    if count and len(config.ranking_tasks) > 1:
        by_row = _products_by_row([every[task][:count] for task in config.ranking_tasks])
        found["representation"] = tf.reduce_sum(by_row, axis=0)
        if config.scenario:
            found["by_scenario"] = tf.einsum("bs,bij->sij", _members(config, x), by_row)
    if tables:
        found["tables"] = _products([gradients[count:] for gradients in every.values()])
    return found


def _ranking_losses(
    ranking: RankingNetwork, x: Tensors, y: Tensors, scores: Tensors, weights: tf.Tensor
) -> dict[str, tf.Tensor]:
    meta = {name: x[name] for name in (columns.KEEP_RATE, columns.GROUP) if name in x}
    return ranking.losses_from(y, scores, dict.fromkeys(y, weights), meta)


def _dense(ranking: RankingNetwork) -> list[keras.Variable]:
    """The dense parameters below the towers."""
    parts = [ranking.interaction, ranking.scenario_net, ranking.trunk]
    return [v for part in parts if part is not None for v in part.trainable_variables]


def _members(config: Config, x: Tensors) -> tf.Tensor:
    """1 where a row is of a scenario, float32 `[batch, scenarios]`; nowhere if unknown."""
    assert config.scenario is not None
    return tf.one_hot(x[columns.SCENARIO] - RESERVED, len(config.scenario.values))


def _products_by_row(of_owners: Sequence[Sequence[Gradient]]) -> tf.Tensor:
    """Inner products of what several owners' gradients give a row, `[batch, owners, owners]`."""
    products = []
    for at_place in zip(*of_owners, strict=True):
        known = [gradient for gradient in at_place if gradient is not None]
        if known:
            filled = [tf.zeros_like(known[0]) if g is None else g for g in at_place]
            stacked = tf.cast(tf.stack(filled, axis=1), tf.float32)
            flat = tf.reshape(stacked, [tf.shape(stacked)[0], len(filled), -1])
            products.append(tf.matmul(flat, flat, transpose_b=True))
    return tf.add_n(products)


def _products(of_owners: Sequence[Sequence[Gradient]]) -> tf.Tensor:
    """Inner products of several owners' gradients of the same variables, `[owners, owners]`."""
    products = [tf.zeros([len(of_owners)] * 2)]
    for at_place in zip(*of_owners, strict=True):
        if any(gradient is not None for gradient in at_place):
            flat = tf.stack(_flat(at_place))
            products.append(tf.matmul(flat, flat, transpose_b=True))
    return tf.add_n(products)


def _flat(gradients: Sequence[Gradient]) -> list[tf.Tensor]:
    """Gradients of one variable as vectors of one length; of a table, the rows that were read."""
    known = [gradient for gradient in gradients if gradient is not None]
    if all(isinstance(gradient, tf.IndexedSlices) for gradient in known):
        rows, places = tf.unique(tf.concat([gradient.indices for gradient in known], axis=0))
        parts = iter(tf.split(places, [tf.size(gradient.indices) for gradient in known]))
        count = tf.size(rows)
        summed = [
            None if g is None else tf.math.unsorted_segment_sum(g.values, next(parts), count)
            for g in gradients
        ]
    else:
        summed = [None if g is None else tf.convert_to_tensor(g) for g in gradients]
    like = next(values for values in summed if values is not None)
    filled = [tf.zeros_like(like) if values is None else values for values in summed]
    return [tf.reshape(tf.cast(values, tf.float32), [-1]) for values in filled]
