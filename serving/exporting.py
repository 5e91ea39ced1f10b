"""From a trained Keras model to a SavedModel that stock TF Serving loads.

TF Serving loads a SavedModel in C++ and runs it by tensor name. Variables are found only when the
exported module holds them itself, and a Keras 3 model must not be one of its attributes; lookup
tables and their vocabulary files it must hold as well.
"""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf

from serving.index.building import build_index
from serving.index.describing import write_index
from serving.pushing import versions
from serving.served_model.amending import amend
from serving.served_model.filters import filters_of
from serving.served_model.items import hold
from serving.served_model.module import ServedModel
from serving.served_model.parts import Parts, key_dtype
from serving.validation.examples import example_requests
from serving.warmup_records import WARMUP_FILE, write_warmup
from tfmtl.config import dump
from tfmtl.models.catalogue import catalogue_inputs, embed_items
from tfmtl.models.compression import Compression
from tfmtl.models.encoded_texts import encoded_texts
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.queries import held_out_queries
from tfmtl.models.saved import CATALOGUE, CONFIG, NETWORK, load_preprocessor, save_model
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


_WARMUP_BATCHES = (1, 32)


def write_saved_model(
    model: MultiTaskModel,
    home: Path,
    directory: Path,
    rows: Mapping[str, np.ndarray] | None = None,
    compression: Compression | None = None,
) -> int:
    """Writes the SavedModel of a model, and requests to warm it up with.

    Args:
        model: the trained model.
        home: the model's directory, as `tfmtl.save_model` writes it; a copy goes into the
            SavedModel's extra assets, so that a version can be evaluated and trained further.
        directory: where to. Warm-up requests that lie there already stay.
        rows: rows of the log by raw column, which the warm-up requests are made of.
        compression: the model's weights as they shall be stored, of which the items' vectors are
            made, too. Such a variant holds no copy of the model's directory.

    Returns:
        How many numbers and strings its variables hold.

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
    with tempfile.TemporaryDirectory() as scratch:
        parts = _parts(model, preprocessor, home, Path(scratch), compression)
        module = ServedModel(parts)
        tf.saved_model.save(module, str(directory), signatures=module.functions())
    amend(directory, module.served)
    if parts.index is not None:
        write_index(parts.index.about(), directory)
    if compression is None:
        kept = directory / versions.KERAS_MODEL
        shutil.copytree(home, kept, dirs_exist_ok=True)
        (kept / CONFIG).write_text(dump(model.config), encoding="utf-8")
    if not (directory / WARMUP_FILE).is_file():
        batches = (example_requests(model, home, size, rows) for size in _WARMUP_BATCHES)
        requests = (request for batch in batches for request in batch.items())
        write_warmup(directory, model.config.served_name, requests)
    return module.parameters


def _parts(
    model: MultiTaskModel,
    preprocessor: Preprocessor,
    home: Path,
    scratch: Path,
    compression: Compression | None,
) -> Parts:
    embedding = compression.unpacked() if compression else model
    items = hold(
        model.config,
        model.inputs_spec,
        preprocessor,
        home,
        scratch,
        lambda inputs: encoded_texts(embedding, inputs),
    )
    catalogue = pq.read_table(home / CATALOGUE)
    filters = filters_of(model.config, catalogue, items, key_dtype(model.config), scratch)
    if not model.retrieval:
        return Parts(model, preprocessor, items, filters, compression=compression)
    vectors = embed_items(embedding, catalogue_inputs(model, catalogue))
    queries = held_out_queries(embedding, home)
    spec = model.config.serving.index
    if compression and spec.storage == "float32":
        spec = spec.model_copy(update={"storage": compression.kind})
    index = build_index(spec, vectors, queries, model.config.seed)
    return Parts(model, preprocessor, items, filters, index, compression)
