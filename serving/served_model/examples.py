"""Signatures `classify`, `regress` and `predict_examples`: rows as serialized tf.Examples.

The features of an Example bear the names of the raw columns: texts in `bytes_list`, numbers in
`float_list`, times in whole seconds and int64 ids in `int64_list`. What it lacks is missing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from serving.served_model.parts import Parts, Raw, Served
from serving.served_model.rank_rows import with_classes
from serving.signatures import (
    CLASSIFY,
    CLASSIFY_CLASSES,
    CLASSIFY_SCORES,
    INPUTS,
    METHODS,
    PREDICT_METHOD,
    REGRESS,
    REGRESS_OUTPUTS,
)
from tfmtl.config import BinaryTask, Config, RegressionTask

_NO_TIME = np.iinfo(np.int64).min


def predict_examples(parts: Parts) -> Served:
    """Examples in; what `rank_rows` gives out."""
    return _served(parts, lambda answer: with_classes(parts, answer))


def classify(parts: Parts) -> Served:
    """Examples in; `classes` and `scores`, `[rows, classes]`, out.

    A binary task is a class of its name, whose score is its probability. A task of classes has
    those, named `TASK=CLASS`, or as they are where the model predicts nothing else that can be a
    class.
    """
    tasks = class_tasks(parts.config)
    classes = parts.preprocessor.classes
    names = [
        name
        for task in tasks
        for name in ([f"{task}={one}" for one in classes[task]] if task in classes else [task])
    ]
    if len(tasks) == 1 and tasks[0] in classes:
        names = classes[tasks[0]]

    def answered(answer: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        scores = [answer[t] if t in classes else answer[t][:, None] for t in tasks]
        joined = tf.concat(scores, axis=1)
        named = tf.broadcast_to(tf.constant([names]), tf.shape(joined))
        return {CLASSIFY_CLASSES: named, CLASSIFY_SCORES: joined}

    return _served(parts, answered, METHODS[CLASSIFY])


def regress(parts: Parts) -> Served:
    """Examples in; `outputs`, `[rows]`, out: of the first regression task, or where there is none,
    the probability of the first binary one."""
    task = number_task(parts.config)
    return _served(parts, lambda answer: {REGRESS_OUTPUTS: answer[task]}, METHODS[REGRESS])


def class_tasks(config: Config) -> list[str]:
    """The tasks of which `classify` tells."""
    tasks = config.ranking_tasks.items()
    return [n for n, task in tasks if isinstance(task, BinaryTask) or n in config.class_tasks]


def number_task(config: Config) -> str:
    """The task of which `regress` tells; "" where none predicts one number."""
    numbers = {n: t for n, t in config.ranking_tasks.items() if n not in config.class_tasks}
    regression = [n for n, task in numbers.items() if isinstance(task, RegressionTask)]
    return next(iter([*regression, *numbers]), "")


def _served(
    parts: Parts,
    answered: Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]],
    method: str = PREDICT_METHOD,
) -> Served:
    def function(raw: Raw) -> dict[str, tf.Tensor]:
        return answered(parts.predictions(**_parsed(raw[INPUTS], parts.ranking_raw)))

    return Served(function, {INPUTS: tf.TensorSpec([None], tf.string, INPUTS)}, {}, method)


def _parsed(examples: tf.Tensor, spec: Mapping[str, tf.TensorSpec]) -> dict[str, tf.Tensor]:
    """Raw columns of serialized Examples, as requests give them."""
    found = tf.io.parse_example(examples, {name: _feature(one) for name, one in spec.items()})
    return {name: _column(found[name], one) for name, one in spec.items()}


def _feature(spec: tf.TensorSpec) -> Any:
    if spec.shape.rank == 2 and spec.shape[1] is None:
        return tf.io.RaggedFeature(spec.dtype, row_splits_dtype=tf.int64)
    if spec.dtype == tf.float64:
        return tf.io.FixedLenFeature([], tf.int64, _NO_TIME)
    shape = list(spec.shape[1:])
    return tf.io.FixedLenFeature(shape, spec.dtype, np.full(shape, _missing(spec.dtype)))


def _column(found: Any, spec: tf.TensorSpec) -> tf.Tensor:
    if isinstance(found, tf.RaggedTensor):
        return found.to_tensor(_missing(spec.dtype))
    if spec.dtype == tf.float64:
        times = tf.cast(found, tf.float64)
        return tf.where(found == _NO_TIME, tf.constant(np.nan, tf.float64), times)
    return found


def _missing(dtype: tf.DType) -> Any:
    if dtype == tf.string:
        return ""
    return float("nan") if dtype.is_floating else -1
