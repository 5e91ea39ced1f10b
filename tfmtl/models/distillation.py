"""The losses of a model that learns from teachers beside the labels.

Of every task that has teachers, with their predictions among the inputs of training rows:

    L = (1 - weight) * L_labels + weight * L_soft + hint * L_hint

Rows count as for the labels: with their weights, in the scenarios that have the task, and where the
label is missing only if so configured. A task in a funnel is taught its probability over all
impressions, as its labels are.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import tensorflow as tf

from tfmtl.config import Config, Distillation
from tfmtl.heads import BinaryHead, MultiClassHead, MultiLabelHead, hints, soft_labels
from tfmtl.models.replicas import gathered
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import RESERVED

if TYPE_CHECKING:
    from tfmtl.models.multi_task import MultiTaskModel
    from tfmtl.models.ranking import Head

Tensors = Mapping[str, tf.Tensor]


def soften(
    model: "MultiTaskModel",
    losses: Tensors,
    x: Tensors,
    y: Tensors,
    weights: Tensors,
    scores: Tensors,
    representations: Tensors,
) -> dict[str, tf.Tensor]:
    """Mixes the teachers' losses into those of the labels.

    Args:
        model: the student; its configuration has a distillation.
        losses: `{task: scalar}`, those of the labels.
        x: inputs, with the columns of `soft_labels/` for tasks that are taught.
        y: `{task: [batch]}`, as `losses_by_task` takes them.
        weights: `{task: [batch]}`.
        scores: of the ranking tasks, before the link, `{task: [batch]}` or `[batch, classes]`.
        representations: of the ranking tasks, `{task: [batch, width]}`.

    Returns:
        `{task: scalar}` of all of `losses`.
    """
    spec = model.config.distillation
    if spec is None:
        raise ValueError("expected a configuration with `distillation`. Received: none")
    mixed = dict(losses)
    for task in losses.keys() & scores.keys():
        teacher = x.get(columns.soft_label(task))
        if teacher is None or model.ranking is None:
            continue
        own = _taught(model.config, spec, task, x, y[task], weights[task])
        beside = x.get(columns.hint(task))
        rows = (teacher, scores[task], own, representations[task] if beside is not None else ())
        teacher, score, own, represented = gathered(rows)
        soft = _soft(model.ranking.heads[task], teacher, score, own, spec.temperature_of(task))
        mixed[task] = _mix(losses[task], soft, spec.weight_of(task))
        if beside is not None:
            present = tf.reduce_max(own, axis=1) if own.shape.rank == 2 else own
            hinted = hints.unexplained(represented, gathered(beside), present)
            mixed[task] += spec.hint_of(task) * hinted
    retrieval = model.retrieval
    if retrieval and retrieval.task in losses and columns.soft_query(retrieval.task) in x:
        task = retrieval.task
        soft = _soft_retrieval(model, x, y[task], weights[task], spec.temperature_of(task))
        mixed[task] = _mix(losses[task], soft, spec.weight_of(task))
    return mixed


def _mix(hard: tf.Tensor, soft: tf.Tensor, weight: float) -> tf.Tensor:
    return (1 - weight) * hard + weight * soft


def _taught(
    config: Config,
    spec: Distillation,
    task: str,
    x: Tensors,
    labels: tf.Tensor,
    weights: tf.Tensor,
) -> tf.Tensor:
    """How much each row counts, `[batch]`, of multi-label tasks each label, `[batch, labels]`."""
    if not spec.teaches_unlabelled(task):
        known = ~tf.math.is_nan(labels)
        weights = weights[:, None] if labels.shape.rank == 2 else weights
        return tf.where(known, weights, 0.0)
    scenarios = getattr(config.tasks[task], "scenarios", None)
    if config.scenario and scenarios is not None:
        ids = [RESERVED + config.scenario.values.index(name) for name in scenarios]
        inside = tf.reduce_any(x[columns.SCENARIO][:, None] == tf.constant([ids]), axis=1)
        weights = tf.where(inside, weights, 0.0)
    return tf.tile(weights[:, None], [1, labels.shape[1]]) if labels.shape.rank == 2 else weights


def _soft(
    head: "Head", teacher: tf.Tensor, scores: tf.Tensor, weights: tf.Tensor, temperature: float
) -> tf.Tensor:
    if isinstance(head, MultiClassHead):
        values = soft_labels.of_classes(teacher, scores, temperature)
    elif isinstance(head, MultiLabelHead):
        values = soft_labels.of_events(teacher, scores, temperature)
    elif isinstance(head, BinaryHead):
        values = soft_labels.of_events(teacher, head.logit_of(scores), temperature)
    else:
        values = soft_labels.of_numbers(teacher, scores)
    return soft_labels.weighted_mean(values, weights)


def _soft_retrieval(
    model: "MultiTaskModel", x: Tensors, labels: tf.Tensor, weights: tf.Tensor, temperature: float
) -> tf.Tensor:
    """Cross-entropy of the positives' distributions over the items of the batch."""
    retrieval = model.retrieval
    assert retrieval is not None
    rows = tf.where(labels > 0)[:, 0]
    names = {*retrieval.query_features, *retrieval.item_features}
    positives = {name: tf.gather(x[name], rows) for name in names}
    query, item, its_query, its_item, own = gathered(
        (
            retrieval.query_vectors(positives, training=True),
            retrieval.item_vectors(positives, training=True),
            tf.gather(x[columns.soft_query(retrieval.task)], rows),
            tf.gather(x[columns.soft_item(retrieval.task)], rows),
            tf.gather(weights, rows),
        )
    )
    scores = tf.matmul(query, item, transpose_b=True) / retrieval.head.spec.temperature
    teacher = tf.matmul(its_query, its_item, transpose_b=True)
    return soft_labels.weighted_mean(
        soft_labels.of_classes(teacher, tf.cast(scores, tf.float32), temperature), own
    )
