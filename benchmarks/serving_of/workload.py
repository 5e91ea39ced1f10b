"""The model that every server serves, and the requests that every server is sent.

Twenty features, as a recommender has them: eleven strings through vocabularies in text files (three
ids of 10,000 values, eight categories of 100; embeddings of 16 and 8) and nine numbers (logarithms,
standardised), then an MLP of 256-128-64 and two probabilities. A tenth of the ids is unknown.
"""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

MODEL = "work"
SIGNATURE = "rank_rows"
BATCHES = (1, 100)
"""Rows of a request: one, and the candidates of one user."""

_IDS = dict.fromkeys(("user_id", "item_id", "seller_id"), (10_000, 16))
_CATEGORIES = dict.fromkeys(
    ("category", "brand", "city", "age_band", "device", "channel", "weekday", "scenario"), (100, 8)
)
_STRINGS = _IDS | _CATEGORIES
_NUMBERS = (
    "price", "discount", "rating", "reviews", "stock", "age_days", "clicks_7d", "orders_30d",
    "position",
)  # fmt: skip
_LAYERS = (256, 128, 64)
_TASKS = ("click", "purchase")


class Ranker(tf.Module):
    """The model, of stock operations alone."""

    def __init__(self, assets: Path, seed: int):
        super().__init__()
        random = np.random.default_rng(seed)
        self.tables, self.embeddings, width = {}, {}, len(_NUMBERS)
        for name, (values, size) in _STRINGS.items():
            path = assets / f"{name}.txt"
            path.write_text("".join(f"{name}_{n}\n" for n in range(values)), encoding="utf-8")
            self.tables[name] = tf.lookup.StaticHashTable(
                tf.lookup.TextFileInitializer(
                    str(path),
                    tf.string,
                    tf.lookup.TextFileIndex.WHOLE_LINE,
                    tf.int64,
                    tf.lookup.TextFileIndex.LINE_NUMBER,
                ),
                values,
            )
            self.embeddings[name] = _variable(random, values + 1, size)
            width += size
        self.kernels, self.biases = [], []
        for units in (*_LAYERS, len(_TASKS)):
            self.kernels.append(_variable(random, width, units))
            self.biases.append(tf.Variable(tf.zeros([units])))
            width = units

    def rank_rows(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Inputs `[rows]` -> the probability of every task `[rows]`."""
        numbers = tf.stack([inputs[name] for name in _NUMBERS], axis=1)
        x = [(tf.math.log1p(numbers) - 3.0) / 2.0]
        x += [
            tf.gather(self.embeddings[name], self.tables[name].lookup(inputs[name]))
            for name in _STRINGS
        ]
        hidden = tf.concat(x, axis=1)
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            hidden = tf.nn.relu(hidden @ kernel + bias)
        answers = tf.sigmoid(hidden @ self.kernels[-1] + self.biases[-1])
        return {task: answers[:, place] for place, task in enumerate(_TASKS)}


def export(directory: Path, seed: int) -> None:
    """Writes a SavedModel; another seed gives other weights."""
    assets = directory.with_suffix(".assets")
    assets.mkdir(parents=True)
    ranker = Ranker(assets, seed)
    spec = {name: tf.TensorSpec([None], tf.string, name) for name in _STRINGS}
    spec |= {name: tf.TensorSpec([None], tf.float32, name) for name in _NUMBERS}
    function = tf.function(lambda **inputs: ranker.rank_rows(inputs))
    signature = function.get_concrete_function(**spec)
    tf.saved_model.save(ranker, str(directory), {SIGNATURE: signature})


def requests(rows: int, count: int) -> list[bytes]:
    """Serialized Predict requests of `rows` rows each, made as most clients make them."""
    random = np.random.default_rng(rows)
    made = []
    for _ in range(count):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = MODEL
        request.model_spec.signature_name = SIGNATURE
        for name, (values, _) in _STRINGS.items():
            drawn = random.integers(0, values + values // 10, rows)
            column = np.array([f"{name}_{n}" for n in drawn])
            request.inputs[name].CopyFrom(tf.make_tensor_proto(column))
        for name in _NUMBERS:
            column = random.exponential(30, rows).astype(np.float32)
            request.inputs[name].CopyFrom(tf.make_tensor_proto(column))
        made.append(request.SerializeToString())
    return made


def _variable(random: np.random.Generator, rows: int, columns: int) -> tf.Variable:
    values = random.standard_normal((rows, columns)) / np.sqrt(rows if rows < 1000 else columns)
    return tf.Variable(values.astype(np.float32))
