"""Signature `rank_rows`: the predictions of flat rows, each with a user and an item."""

import tensorflow as tf

from serving.served_model.optional import batch_of, defaults, repeated, required
from serving.served_model.parts import Parts, Raw, Served
from serving.signatures import CLASSES, THRESHOLDS


def rank_rows(parts: Parts) -> Served:
    """Rows in, `{task: [rows]}` out; of tasks of classes `[rows, classes]` and their names.

    All inputs have one dimension of rows, so that TF Serving may batch requests, and cut answers
    apart again. The keys of user and item must be given.
    """
    spec = parts.ranking_raw

    def function(raw: Raw) -> dict[str, tf.Tensor]:
        return with_classes(parts, parts.predictions(**repeated(raw, batch_of(raw))))

    keys = required(spec, [parts.user_key, parts.item_key])
    return Served(function, spec, defaults(spec, keys))


def with_classes(parts: Parts, answer: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """An answer with the names of the classes beside their probabilities, and thresholds that were
    tuned.

    TF Serving cuts and joins batches by rows, so that every row names the classes.
    """
    named = dict(answer)
    for task, classes in parts.preprocessor.classes.items():
        rows = tf.shape(answer[task])[:-1]
        shape = tf.concat([rows, [len(classes)]], axis=0)
        named[CLASSES(task)] = tf.broadcast_to(tf.constant(classes), shape)
    ranking = parts.model.ranking
    for task, layer in (ranking.thresholds if ranking else {}).items():
        values = tf.convert_to_tensor(layer.thresholds)
        values = values if task in parts.preprocessor.classes else values[0]
        named[THRESHOLDS(task)] = tf.broadcast_to(values, tf.shape(answer[task]))
    return named
