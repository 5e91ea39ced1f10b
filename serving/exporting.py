"""From a trained Keras model to a SavedModel that stock TF Serving loads.

TF Serving loads a SavedModel in C++ and runs it by tensor name. Variables are found only when the
exported module holds them itself, and a Keras 3 model must not be one of its attributes; lookup
tables and their vocabulary files it must hold as well.
"""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from serving import signatures
from serving.pushing import versions
from serving.validation.examples import example_requests
from serving.warmup_records import WARMUP_FILE, write_warmup
from tfmtl.models.catalogue import catalogue_inputs, embed_items
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import CATALOGUE, NETWORK, load_preprocessor, save_model
from tfmtl.preprocessing.preprocessor import Preprocessor


def export(model: MultiTaskModel, base_path: str | Path, home: str | Path | None = None) -> int:
    """Pushes a model as the next version.

    Args:
        model: the model; loaded with `tfmtl.load_model` it knows its own directory.
        base_path: directory of the served model's versions, e.g. `out/shop/serving/shop`.
        home: directory with the model's vocabularies, moments and catalogue; where it was loaded
            from when not given.

    Returns:
        The number of the new version.

    Raises:
        ValueError: the model was not loaded from a directory and `home` is not given.

    Example:
        >>> model = tfmtl.load_model("out/shop/model")
        >>> serving.export(model, "out/shop/serving/shop")
        2
    """
    home = home or model.home
    if home is None:
        raise ValueError("expected home=DIRECTORY with the model's vocabularies and catalogue")
    base_path = Path(base_path)
    base_path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base_path.parent, prefix=".export-") as scratch:
        staged, saved_model = Path(scratch) / "keras_model", Path(scratch) / "saved_model"
        save_model(model, staged, Path(home))
        write_saved_model(model, staged, saved_model)
        return versions.push(saved_model, base_path, model.config.serving.keep_versions)


_WARMUP_BATCHES = (1, 8, 32)


def write_saved_model(
    model: MultiTaskModel,
    home: Path,
    directory: Path,
    rows: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Writes the SavedModel of a model, and requests to warm it up with.

    Args:
        model: the trained model.
        home: the model's directory, as `tfmtl.save_model` writes it; a copy goes into the
            SavedModel's extra assets, so that a version can be evaluated and trained further.
        directory: where to. Warm-up requests that lie there already stay.
        rows: rows of the log by raw column, which the warm-up requests are made of.

    Raises:
        FileNotFoundError: the directory holds no model.
        ValueError: its vocabularies are not those the model was trained with.
    """
    if not (home / NETWORK).is_file():
        raise FileNotFoundError(f"{home}: expected a saved model with {NETWORK}")
    preprocessor = load_preprocessor(home)
    for name, size in model.vocabulary_sizes.items():
        found = preprocessor.vocabulary_sizes.get(name)
        if found != size:
            raise ValueError(
                f"{home}: vocabulary '{name}' should have the {size} values the model was trained "
                f"with, found {found}; give the directory that belongs to the model"
            )
    module = ServedModel(model, preprocessor, pq.read_table(home / CATALOGUE))
    tf.saved_model.save(module, str(directory), signatures=module.signatures())
    shutil.copytree(home, directory / versions.KERAS_MODEL, dirs_exist_ok=True)
    if not (directory / WARMUP_FILE).is_file():
        batches = (example_requests(model, home, size, rows) for size in _WARMUP_BATCHES)
        requests = (request for batch in batches for request in batch.items())
        write_warmup(directory, model.config.served_name, requests)


def parameters(model: MultiTaskModel, home: Path) -> int:
    """Numbers and strings that the SavedModel of a model should store.

    Args:
        model: the trained model.
        home: the model's directory, with the catalogue.

    Returns:
        Those of its variables and, where it retrieves, of the items' vectors and keys.
    """
    count = sum(int(np.prod(variable.shape)) for variable in model.variables)
    if not model.retrieval:
        return count
    catalogue = pq.read_table(home / CATALOGUE)
    vector = embed_items(model, catalogue_inputs(model, catalogue.slice(0, 1)))
    return count + len(catalogue) * (vector.shape[1] + 1)


class ServedModel(tf.Module):
    """What a SavedModel holds: variables, vocabularies, and the functions of its signatures."""

    def __init__(
        self, model: MultiTaskModel, preprocessor: Preprocessor, catalogue: pa.Table
    ) -> None:
        super().__init__(name="served_model")
        self.variables_ = [variable.value for variable in model.variables]
        self.tables_ = preprocessor.tables
        self._functions: dict[str, Any] = {}
        if model.config.ranking_tasks:
            self._functions[signatures.RANK] = _rank(model, preprocessor)
        if model.retrieval:
            self.item_vectors = tf.Variable(
                embed_items(model, catalogue_inputs(model, catalogue)),
                trainable=False,
                name="item_vectors",
            )
            self.item_keys = tf.Variable(
                np.array(catalogue["key"].to_pylist(), dtype=object),
                trainable=False,
                dtype=tf.string,
                name="item_keys",
            )
            self._functions[signatures.RETRIEVE] = _retrieve(
                model, preprocessor, self.item_vectors, self.item_keys
            )

    def signatures(self) -> dict[str, Any]:
        """The functions by signature name, traced."""
        default = next(iter(self._functions.values()))
        return {**self._functions, signatures.DEFAULT: default}


def _traced(
    function: Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]],
    spec: Mapping[str, tf.TensorSpec],
) -> Any:
    """A function of named arguments, as a signature's inputs need to be."""
    return tf.function(lambda **inputs: function(inputs)).get_concrete_function(**spec)


def _rank(model: MultiTaskModel, preprocessor: Preprocessor) -> Any:
    names = list(model.inputs_spec)

    def rank(raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        answer = model.rank(preprocessor(raw, names))
        for task, classes in preprocessor.classes.items():
            # TF Serving cuts and joins batches by rows, so that every row names the classes.
            rows = tf.shape(answer[task])[0]
            answer[signatures.CLASSES(task)] = tf.tile(tf.constant([classes]), [rows, 1])
        return answer

    return _traced(rank, preprocessor.raw_spec(names))


def _retrieve(
    model: MultiTaskModel, preprocessor: Preprocessor, vectors: tf.Variable, keys: tf.Variable
) -> Any:
    names = model.config.query_features

    def retrieve(raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        raw = dict(raw)
        given = raw.pop(signatures.K)
        wanted = tf.reduce_max(tf.concat([given, [1]], axis=0))
        # Where constants stand in for all inputs, only K knows the batch.
        queries = model.query_vectors(preprocessor(raw or {signatures.K: given}, names))
        scores = tf.matmul(queries, vectors, transpose_b=True)
        best = tf.math.top_k(scores, k=tf.minimum(wanted, tf.shape(vectors)[0]))
        return {
            signatures.ITEM_ID: tf.gather(keys, best.indices),
            signatures.SCORE: best.values,
        }

    spec = preprocessor.raw_spec(names)
    spec[signatures.K] = tf.TensorSpec([None], tf.int32, signatures.K)
    return _traced(retrieve, spec)
