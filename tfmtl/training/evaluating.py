"""Every task's metrics on a split: predictions of the model, ranks over the whole catalogue."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import tensorflow as tf

from tfmtl.config import (
    TUNED,
    BinaryTask,
    Config,
    MultiClassTask,
    MultiLabelTask,
    RegressionTask,
    Task,
)
from tfmtl.evaluation import (
    Binary,
    Evaluation,
    Kind,
    MultiClass,
    MultiLabel,
    Regression,
    Result,
    Retrieval,
)
from tfmtl.heads.thresholds import START
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import CATALOGUE
from tfmtl.models.traced import traced
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import label_vocabulary, read_vocabulary
from tfmtl.training.examples import Batch, read_examples
from tfmtl.training.measured_queries import MeasuredQueries, Translate
from tfmtl.training.measured_rows import MeasuredRows
from tfmtl.training.past import Past
from tfmtl.training.stream_weights import stream_weights
from tfmtl.training.translation import in_classes_of

_BATCH = 8192
OnBatch = Callable[[int, int, str], None]
InOrder = Callable[[np.ndarray], np.ndarray]
"""Puts probabilities of classes, `[n, classes]`, in another order."""


def evaluate_model(
    model: MultiTaskModel,
    config: Config,
    transformed: Path,
    split: str = "test",
    translate: Translate | None = None,
    on_batch: OnBatch | None = None,
) -> dict[str, Any]:
    """Measures a model on transformed examples, as `measure` does.

    Returns:
        `{task: {"overall": {metric: x}, "slices": {column: {value: {metric: x}}}, "intervals": ...,
        "curves": ...}}` for the tasks that both the model and the configuration have.

    Example:
        >>> evaluate_model(model, config, Path("out/shop/artifacts/transformed"))
    """
    return measure(model, config, transformed, split, translate, on_batch).tasks


def measure(
    model: MultiTaskModel,
    config: Config,
    transformed: Path,
    split: str = "test",
    translate: Translate | None = None,
    on_batch: OnBatch | None = None,
    only: Collection[str] | None = None,
    in_full: bool = True,
) -> Result:
    """Measures a model on transformed examples, a batch at a time.

    Binary tasks: AUC, log loss, calibration and more; regression: RMSE and MAE; retrieval: recall
    and NDCG over the whole catalogue, also with the items left out that the user is known to have
    had in the splits before; classes: accuracy, F1, log loss. Each overall and by scenario,
    declared slice, what is new and length of history, with intervals.

    Args:
        model: the model.
        config: the configuration the examples were made with.
        transformed: Transform's artifact.
        split: which examples.
        translate: turns the examples' inputs into the model's, where they were made for another.
        on_batch: told how many of all examples are done.
        only: names of the tasks to measure; all where not given.
        in_full: whether there are slices and intervals, which take most of the time.

    Returns:
        What was found of the tasks that both the model and the configuration have. Two models'
        results of the same examples can be compared.
    """
    shared = shared_tasks(config, model.config)
    tasks = {name: config.tasks[name] for name in shared if only is None or name in only}
    past = Past(transformed, split)
    rows = MeasuredRows(transformed / split, config, past, sliced=in_full)
    in_order: dict[str, InOrder] = {}
    if translate and model.home:
        classed = [n for n, t in tasks.items() if isinstance(t, MultiClassTask | MultiLabelTask)]
        in_order = {name: in_classes_of(transformed, model.home, name) for name in classed}
    thresholds = {
        name: _thresholds(name, task, model, in_order.get(name))
        for name, task in tasks.items()
        if isinstance(task, BinaryTask | MultiLabelTask)
    }
    evaluation = Evaluation(
        {
            name: _kind(name, task, config, transformed, thresholds.get(name))
            for name, task in tasks.items()
        },
        slices=rows.slices,
        seed=config.seed,
        intervals=in_full,
    )
    queries, retrieval = None, config.retrieval_task
    if retrieval and retrieval[0] in tasks:
        queries = MeasuredQueries(
            model, config, transformed, retrieval[0], past, translate, evaluation
        )
    rank = traced(model.rank, model.inputs_spec)
    total = ds.dataset(transformed / split, format="parquet").count_rows()
    done = 0
    for x, y, w in _batches(transformed / split, config, total):
        own = translate(x) if translate else x
        own = {name: own[name] for name in model.inputs_spec}
        scores = {name: found.numpy() for name, found in rank(own).items() if name in tasks}
        scores |= {name: put(scores[name]) for name, put in in_order.items()}
        weights = stream_weights(config, x, y, w)
        beside = rows.take(x, len(w))
        grouped = [n for n in scores if isinstance(tasks[n], BinaryTask | RegressionTask)]
        evaluation.update(
            labels={name: y[name] for name in scores},
            predictions=scores,
            weights=weights,
            users=beside.users,
            slices=beside.slices,
            queries=None if beside.queries is None else dict.fromkeys(grouped, beside.queries),
        )
        if queries and retrieval:
            queries.add(own, y[retrieval[0]] > 0, x[columns.ITEM], weights, beside)
        done += len(w)
        if on_batch:
            on_batch(done, total, "")
    if queries:
        queries.finish()
    return evaluation.result()


def _batches(directory: Path, config: Config, rows: int) -> Iterator[Batch]:
    """The examples in the order of the files; one batch without a row where there is none."""
    dataset = read_examples(directory, config, batch_size=_BATCH, shuffle=False)
    if rows:
        yield from dataset.as_numpy_iterator()
    else:
        yield tf.nest.map_structure(
            lambda spec: np.zeros([0, *spec.shape[1:]], spec.dtype.as_numpy_dtype),
            dataset.element_spec,
        )


def shared_tasks(config: Config, other: Config) -> list[str]:
    """Names of the tasks that both configurations have, of one kind."""
    known = {name: task.kind for name, task in other.tasks.items()}
    return [name for name, task in config.tasks.items() if known.get(name) == task.kind]


def _thresholds(
    name: str, task: BinaryTask | MultiLabelTask, model: MultiTaskModel, in_order: InOrder | None
) -> float | list[float] | None:
    """From which probability on the model predicts; of several labels each one's, where tuned."""
    if task.threshold != TUNED:
        return task.threshold
    layers = model.ranking.thresholds if model.ranking else {}
    if name not in layers:
        return START
    found = layers[name].values
    if isinstance(task, BinaryTask):
        return float(found[0])
    if in_order is None:
        return found.tolist()
    # A label that the model lacks has the probability 0, which no threshold may be.
    return [one or START for one in in_order(found[None])[0].tolist()]


def _kind(
    name: str,
    task: Task,
    config: Config,
    transformed: Path,
    thresholds: float | list[float] | None,
) -> Kind:
    """What is measured of a task."""
    by_query = config.evaluation.top_k if config.query_group else ()
    if isinstance(task, BinaryTask):
        assert not isinstance(thresholds, list)
        return Binary(by_query, thresholds)
    if isinstance(task, RegressionTask):
        return Regression(by_query)
    if isinstance(task, MultiClassTask | MultiLabelTask):
        names = read_vocabulary(transformed, label_vocabulary(name))
        if isinstance(task, MultiClassTask):
            return MultiClass(len(names), names)
        return MultiLabel(len(names), START if thresholds is None else thresholds, names)
    items = pq.read_metadata(transformed / CATALOGUE).num_rows
    return Retrieval(items, config.evaluation.top_k)
