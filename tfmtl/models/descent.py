"""From a batch to the gradients of one step."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import tensorflow as tf

from tfmtl.balancing import GradientBalancer, total
from tfmtl.models.ranking import RankingNetwork
from tfmtl.models.replicas import Gradient, scaled

if TYPE_CHECKING:
    from tfmtl.models.multi_task import MultiTaskModel

Tensors = Mapping[str, tf.Tensor]


class Step(NamedTuple):
    """What a batch says.

    Attributes:
        objective: scalar that is minimised; with gradient balancers the fixed weighted sum.
        losses: `{task: scalar}`.
        gradients: one a trainable variable, None where nothing flows.
        figures: what a gradient balancer saw: weight and norm by task, cosine by pair.
    """

    objective: tf.Tensor
    losses: Tensors
    gradients: list[Gradient]
    figures: Tensors


def descend(
    model: "MultiTaskModel",
    x: Tensors,
    y: Tensors,
    weights: Any,
    tasks: Collection[str] | None = None,
) -> Step:
    """Losses and gradients of a batch, as the model's balancer wants them.

    Args:
        model: the model.
        x: inputs.
        y: labels by task.
        weights: of the rows.
        tasks: those that take part, with balancers of losses; all where not given.
    """
    if isinstance(model.balancer, GradientBalancer) and model.ranking:
        return _by_gradients(model, model.ranking, model.balancer, x, y, weights)
    return _by_loss(model, x, y, weights, tasks)


def _by_loss(
    model: "MultiTaskModel",
    x: Tensors,
    y: Tensors,
    weights: Any,
    tasks: Collection[str] | None,
) -> Step:
    with tf.GradientTape() as tape:
        losses = model.losses_by_task(x, y, weights, training=True, tasks=tasks)
        objective = total([model.weigh(losses, training=True), *model.losses])
    return Step(objective, losses, tape.gradient(objective, model.trainable_variables), {})


def _by_gradients(
    model: "MultiTaskModel",
    ranking: RankingNetwork,
    balancer: GradientBalancer,
    x: Tensors,
    y: Tensors,
    weights: Any,
) -> Step:
    """The tasks' gradients go backward one by one as far as the tasks compete, then together.

    On the representation they pass through towers and gates only. The balancer weighs what the
    shared representation gets, and the sum goes on through experts, encoders and tables: one pass,
    whatever the number of tasks.

    On parameters they pass through the trunk as well. The balancer weighs what those dense
    parameters of the trunk get on which the shared representation depends; all below the trunk,
    tables among it, gets the sum with the tasks' fixed weights, or with the balancer's where it
    scales the whole.
    """
    variables = model.trainable_variables
    deep = balancer.on == "parameters"
    with tf.GradientTape() as below:
        encoded = model.encoding(x, training=True)
        passed = encoded if deep else ranking.shared(x, encoded, training=True)
    cut = tf.nest.map_structure(lambda t: t if t is None else tf.stop_gradient(t), passed)
    sources = _differentiable(cut)
    with tf.GradientTape(persistent=True) as above:
        above.watch(sources)
        shared, own = ranking.shared(x, cut, training=True) if deep else cut
        losses = model.losses_from(x, y, weights, shared, own, training=True)
        weighted = {task: model.config.tasks[task].weight * losses[task] for task in losses}
        others = [loss for task, loss in weighted.items() if task not in ranking.tasks]
        others += model.losses
        rest = total(others) if others else None
    tasks, at = ranking.tasks, [*sources, *variables]
    by_task = [above.gradient(weighted[task], at) for task in tasks]
    if deep:
        contested = _places(_parameters_of(shared, ranking, above), at)
    else:
        contested = list(range(len(shared)))
    gram = _gram([[gradients[i] for i in contested] for gradients in by_task], of_rows=not deep)
    chosen = balancer(gram, tf.stack([weighted[task] for task in tasks]), training=True)
    flowing = _combine(by_task, chosen, range(len(at)) if balancer.scales_whole else contested)
    if rest is not None:
        flowing = [_add(pair) for pair in zip(flowing, above.gradient(rest, at), strict=True)]
    upstream, direct = flowing[: len(sources)], flowing[len(sources) :]
    through = [
        (target, gradient)
        for target, gradient in zip(_differentiable(passed), upstream, strict=True)
        if gradient is not None
    ]
    lower = below.gradient(
        [target for target, _ in through], variables, output_gradients=[g for _, g in through]
    )
    gradients = [_add(pair) for pair in zip(lower, direct, strict=True)]
    objective = total([*weighted.values(), *model.losses])
    return Step(objective, losses, gradients, _figures(tasks, gram, chosen))


def _differentiable(structure: Any) -> list[tf.Tensor]:
    leaves = tf.nest.flatten(structure)
    return [leaf for leaf in leaves if leaf is not None and leaf.dtype.is_floating]


def _parameters_of(
    shared: list[tf.Tensor], ranking: RankingNetwork, tape: tf.GradientTape
) -> list[keras.Variable]:
    """The trunk's variables on which the shared representation depends."""
    if not shared:
        return []
    variables = ranking.trunk.trainable_variables
    flows = tape.gradient(shared, variables)
    return [v for v, flow in zip(variables, flows, strict=True) if flow is not None]


def _places(chosen: Sequence[keras.Variable], among: Sequence[Any]) -> list[int]:
    wanted = {id(variable) for variable in chosen}
    return [place for place, one in enumerate(among) if id(one) in wanted]


def _gram(by_task: Sequence[Sequence[Gradient]], of_rows: bool) -> tf.Tensor:
    """Inner products of the tasks' gradients, `[tasks, tasks]`; those of the whole batch where its
    rows are divided among replicas.

    Args:
        by_task: the tasks' gradients.
        of_rows: whether they are those of rows, of which a replica has its own, rather than those
            of parameters.
    """
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync if context is not None else 1
    products = tf.zeros([len(by_task), len(by_task)])
    for of_tasks in zip(*by_task, strict=True):
        known = [g for g in of_tasks if g is not None]
        if not known:
            continue
        rows = [tf.zeros_like(known[0]) if g is None else g for g in of_tasks]
        flat = tf.stack([tf.reshape(tf.cast(g, tf.float32), [-1]) for g in rows])
        if replicas > 1 and not of_rows:
            flat = context.all_reduce(tf.distribute.ReduceOp.MEAN, flat)
        products += tf.matmul(flat, flat, transpose_b=True)
    if replicas > 1 and of_rows:
        products = context.all_reduce(tf.distribute.ReduceOp.SUM, products) / replicas**2
    return products


def _combine(
    by_task: Sequence[Sequence[Gradient]], factors: tf.Tensor, weighed: Collection[int]
) -> list[Gradient]:
    """The sum of the tasks' gradients, multiplied by the tasks' factors at the places weighed."""
    by_place = list(zip(*by_task, strict=True))
    return [
        _add([scaled(g, f) for g, f in zip(of_tasks, tf.unstack(factors), strict=True)])
        if place in weighed
        else _add(of_tasks)
        for place, of_tasks in enumerate(by_place)
    ]


def _figures(tasks: Sequence[str], gram: tf.Tensor, weights: tf.Tensor) -> dict[str, tf.Tensor]:
    norms = tf.sqrt(tf.linalg.diag_part(gram))
    figures = {f"weight/{task}": weights[i] for i, task in enumerate(tasks)}
    figures |= {f"norm/{task}": norms[i] for i, task in enumerate(tasks)}
    for i, one in enumerate(tasks):
        for j, other in enumerate(tasks[:i]):
            cosine = tf.math.divide_no_nan(gram[i, j], norms[i] * norms[j])
            figures[f"cosine/{other}/{one}"] = cosine
    return figures


def _add(gradients: Sequence[Gradient]) -> Gradient:
    known = [gradient for gradient in gradients if gradient is not None]
    if len(known) < 2:
        return known[0] if known else None
    if all(isinstance(gradient, tf.IndexedSlices) for gradient in known):
        return tf.IndexedSlices(
            tf.concat([gradient.values for gradient in known], axis=0),
            tf.concat([gradient.indices for gradient in known], axis=0),
            known[0].dense_shape,
        )
    return tf.add_n([tf.convert_to_tensor(gradient) for gradient in known])
