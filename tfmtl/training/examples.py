"""Transformed examples, from Parquet to batches."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from tfmtl.config import Config, RetrievalTask
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.text_vectors import vectors_paths
from tfmtl.training.funnel_labels import check_finite, complete_funnel
from tfmtl.training.groups import gathered_order, group_codes, group_columns
from tfmtl.training.last_rows import last_positives

Batch = tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]
_GROUPS_IN_MEMORY = 16
"""Row groups shuffled together: with 16k rows each, a quarter of a million rows."""
_GROUPS_OF_LISTS = 64
"""Row groups in which the rows of a list are looked for, where there are ranking losses."""


def input_columns(config: Config) -> dict[str, np.dtype]:
    """Model inputs kept in examples, with the type of their values; in place of texts' vectors the
    numbers of the texts."""
    types = {
        made.name: np.dtype(np.int32 if made.encoded else made.dtype)
        for made in config.row_inputs.values()
    }
    for history in config.features.history:
        types |= dict.fromkeys(history.input_names, np.dtype(np.int32))
    types |= {name: np.dtype(one.dtype) for name, one in config.features.past_inputs.items()}
    types |= {window.name: np.dtype(np.float32) for window in config.features.windows}
    if config.scenario:
        types[columns.SCENARIO] = np.dtype(np.int32)
    return types


def read_examples(
    directory: str | Path,
    config: Config,
    *,
    batch_size: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    epoch: int = 0,
    skip: int = 0,
    last_only: bool = False,
) -> tf.data.Dataset:
    """Reads one split's examples for `fit` and `evaluate`.

    With `shuffle`, row groups are read in random order, 16 at a time, and their rows permuted;
    every epoch differently. The rows are already shuffled where Transform wrote them. Where a task
    has a ranking loss, 64 row groups are read at a time and the rows of a list, numbered by the
    input `meta/group`, follow one another in random order.

    Labels of funnels are completed: see `BinaryTask.after`. Where examples have `meta/keep_rate`,
    inputs have it, too. Of texts with a frozen encoder examples hold numbers, and `texts/` beside
    the split their vectors, which are put into the batches one by one.

    Args:
        directory: a split, e.g. `out/shop/artifacts/transformed/train`.
        config: the configuration the examples were made with.
        batch_size: rows a batch; the configuration's where not given.
        shuffle: whether the order is random; otherwise that of the files.
        seed: of the order; the configuration's where not given.
        epoch: number of the first pass over the dataset, of which the order depends, too.
        skip: batches that the first pass leaves out, as when training goes on in mid-epoch; they
            are not read.
        last_only: whether of the retrieval task's positives only every user's latest one counts,
            whose history holds the others, as `positions: all` wants it.

    Returns:
        A dataset of `(inputs, labels, weights)`: inputs by name, labels by task (NaN where
        missing; of multi-label tasks `[batch, labels]`; for the retrieval task 1 where the row is
        a positive).

    Raises:
        FileNotFoundError: there is no Parquet file in the directory, or no vectors of its texts.
        ValueError: while rows are read, a label is infinite or a keep rate is none. TensorFlow
            reports it as one of its own errors, with this one's text.

    Example:
        >>> model.fit(read_examples("out/shop/artifacts/transformed/train", config), epochs=1)
    """
    size = batch_size or config.training.batch_size
    reader = _Reader(Path(directory), config, size, last_only)
    counter = itertools.count(epoch)

    def windows() -> Iterator[Batch]:
        current = next(counter)
        order = (
            np.random.default_rng([config.seed if seed is None else seed, current])
            if shuffle
            else None
        )
        return reader.windows(order, skip if current == epoch else 0)

    dataset = tf.data.Dataset.from_generator(windows, output_signature=reader.signature)
    dataset = dataset.flat_map(_batches)
    paths = vectors_paths(reader.directory.parent, config)
    if paths:
        vectors = {name: _loaded(path, path.stat().st_mtime_ns) for name, path in paths.items()}
        dataset = dataset.map(partial(_with_vectors, vectors=vectors))
    options = tf.data.Options()
    # Closing an iterator waits for the autotuner, up to seconds at the end of every epoch.
    options.autotune.enabled = False
    options.deterministic = True
    dataset = dataset.prefetch(2)
    if not skip:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(reader.batch_count))
    return dataset.with_options(options)


def _batches(*window: Any) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(window)


def _with_vectors(
    inputs: dict[str, tf.Tensor],
    labels: dict[str, tf.Tensor],
    weights: tf.Tensor,
    vectors: Mapping[str, tf.Tensor],
) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor], tf.Tensor]:
    """Vectors in place of the numbers of texts."""
    made = {name: tf.gather(known, inputs[name]) for name, known in vectors.items()}
    return {**inputs, **made}, labels, weights


@lru_cache(maxsize=4)
def _loaded(path: Path, changed: int) -> tf.Tensor:
    """A matrix in memory, once for all datasets that read it."""
    return tf.convert_to_tensor(np.load(path, mmap_mode="r"))


class _Reader:
    """Windows of one directory of Parquet files: some row groups, their rows in order."""

    def __init__(
        self, directory: Path, config: Config, batch_size: int, last_only: bool = False
    ) -> None:
        self.directory = directory
        self._files = sorted(directory.glob("*.parquet"))
        if not self._files:
            raise FileNotFoundError(f"{directory}: there are no examples (*.parquet)")
        self._config = config
        self.batch_size = batch_size
        self._types = input_columns(config)
        self._listed = group_columns(config)
        self._labels = {
            columns.POSITIVE if isinstance(task, RetrievalTask) else columns.label(name): name
            for name, task in config.tasks.items()
        }
        if config.retrieval_task:
            self._types[columns.ITEM] = np.dtype(np.int32)
            self._types[columns.SAMPLING_PROBABILITY] = np.dtype(np.float32)
        # What teachers say of the rows, where they were asked.
        self._taught = _Beside(directory.parent / columns.SOFT_LABELS / directory.name)
        metadata = [pq.read_metadata(file) for file in self._files]
        schema = pq.read_schema(self._files[0])
        if columns.KEEP_RATE in schema.names:
            self._types[columns.KEEP_RATE] = np.dtype(np.float32)
        self.rows = sum(m.num_rows for m in metadata)
        self.batch_count = -(-self.rows // batch_size)
        self._rows_of = {
            (file, group): m.row_group(group).num_rows
            for file, m in zip(self._files, metadata, strict=True)
            for group in range(m.num_row_groups)
        }
        self._groups = list(self._rows_of)
        self._last = last_positives(self._files) if last_only else None
        lengths = {i.name: i.length for i in config.features.inputs.values() if i.length}
        lengths |= {name: h.last for h in config.features.history for name in h.input_names}
        past = config.features.past_inputs
        lengths |= {name: lengths[name] * (one.length or 1) for name, one in past.items()}
        made = [(columns.GROUP, np.dtype(np.int64))] if self._listed else []
        # Of windows, `[batches, rows, ...]`.
        self.signature = (
            {
                name: tf.TensorSpec(
                    [None, None, *([lengths[name]] if name in lengths else [])], tf.as_dtype(dtype)
                )
                for name, dtype in [*self._types.items(), *made]
            }
            | self._taught.signature,
            {
                task: tf.TensorSpec(_shape(schema.field(name).type), tf.float32)
                for name, task in self._labels.items()
            },
            tf.TensorSpec([None, None], tf.float32),
        )

    def windows(self, order: np.random.Generator | None, skip: int = 0) -> Iterator[Batch]:
        """All rows once, without those of the first `skip` batches.

        Yields:
            `[batches, batch_size, ...]` of the rows that fill whole batches, at last
            `[1, rows, ...]` of what is left. TensorFlow takes them apart in a fifth of the time it
            takes to get every batch from Python.
        """
        groups = list(self._groups)
        if order is not None:
            order.shuffle(groups)
        rest: Batch | None = None
        before = skip * self.batch_size
        size = _GROUPS_OF_LISTS if self._listed else _GROUPS_IN_MEMORY
        for start in range(0, len(groups), size):
            chosen = groups[start : start + size]
            rows = sum(self._rows_of[group] for group in chosen)
            # Drawn for a window that is left out, too, so that the later ones have their own.
            places = np.arange(rows) if order is None else order.permutation(rows)
            left_out = min(before, rows)
            before -= left_out
            if left_out == rows:
                continue
            window = self._read(chosen)
            if order is not None and self._listed:
                places = gathered_order(places, window[0][columns.GROUP])
            window = _joined(rest, window, places[left_out:])
            whole = len(window[2]) // self.batch_size * self.batch_size
            rest = _map(np.copy, _map(itemgetter(slice(whole, None)), window))
            if whole:
                yield _map(partial(_divided, size=self.batch_size), window)
        if rest is not None and len(rest[2]):
            yield _map(partial(_divided, size=len(rest[2])), rest)

    def _read(self, groups: list[tuple[Path, int]]) -> Batch:
        names = list(dict.fromkeys([*self._types, *self._labels, columns.WEIGHT, *self._listed]))
        by_file: dict[Path, list[int]] = {}
        for file, group in groups:
            by_file.setdefault(file, []).append(group)
        table = pa.concat_tables(
            pq.ParquetFile(file).read_row_groups(own, columns=names)
            for file, own in by_file.items()
        )
        inputs = {name: _array(table[name], dtype) for name, dtype in self._types.items()}
        inputs |= self._taught.read(by_file)
        float32 = np.dtype(np.float32)
        labels = {task: _array(table[name], float32) for name, task in self._labels.items()}
        if self._last is not None:
            last = np.concatenate([self._last_of(file, own) for file, own in by_file.items()])
            task = self._labels[columns.POSITIVE]
            labels[task] = np.where(last, labels[task], np.float32(0))
        check_finite(labels, self._files[0].parent)
        if columns.KEEP_RATE in inputs:
            inputs[columns.KEEP_RATE] = self._keep_rates(inputs[columns.KEEP_RATE])
        if self._listed:
            inputs[columns.GROUP] = group_codes(table, self._listed)
        labels = complete_funnel(labels, self._config, inputs)
        return inputs, labels, _array(table[columns.WEIGHT], float32)

    def _last_of(self, file: Path, groups: list[int]) -> np.ndarray:
        """Which rows of some row groups are their user's latest positive."""
        assert self._last is not None
        sizes = [rows for (own, _), rows in self._rows_of.items() if own == file]
        by_group = np.split(self._last[file], np.cumsum(sizes)[:-1])
        return np.concatenate([by_group[group] for group in groups])

    def _keep_rates(self, rates: np.ndarray) -> np.ndarray:
        rates = np.nan_to_num(rates, nan=1.0)
        if not ((rates > 0) & (rates <= 1)).all():
            raise ValueError(
                f"{self._files[0].parent}: {columns.KEEP_RATE} should be above 0 and at most 1, "
                f"found {rates.min()} to {rates.max()}"
            )
        return rates


class _Beside:
    """Further inputs of the same rows, from a directory with the same files and row groups; none
    where it is not there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        files = sorted(directory.glob("*.parquet"))
        schema = pq.read_schema(files[0]) if files else pa.schema([])
        self.signature = {
            field.name: tf.TensorSpec(_shape(field.type), tf.float32) for field in schema
        }

    def read(self, by_file: Mapping[Path, list[int]]) -> dict[str, np.ndarray]:
        """The row groups of these files, in their order."""
        if not self.signature:
            return {}
        table = pa.concat_tables(
            pq.ParquetFile(self._directory / file.name).read_row_groups(groups)
            for file, groups in by_file.items()
        )
        return {name: _array(table[name], np.dtype(np.float32)) for name in self.signature}


def _shape(type_: pa.DataType) -> list[int | None]:
    """Shape of batches of a column, whose values are numbers or lists of one size."""
    return [None, None, *([type_.list_size] if pa.types.is_fixed_size_list(type_) else [])]


def _array(column: pa.ChunkedArray, dtype: np.dtype) -> np.ndarray:
    array = column.combine_chunks()
    if pa.types.is_fixed_size_list(array.type):
        values = array.flatten().to_numpy(zero_copy_only=False)
        return values.astype(dtype, copy=False).reshape(len(array), array.type.list_size)
    if array.null_count:
        array = array.fill_null(float("nan"))
    return array.to_numpy(zero_copy_only=False).astype(dtype, copy=False)


def _joined(first: Batch | None, second: Batch, places: np.ndarray) -> Batch:
    """The rows of the first, then some of the second, in an order of their own."""

    def joined(values: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
        start = 0 if before is None else len(before)
        result = np.empty((start + len(places), *values.shape[1:]), values.dtype)
        if before is not None:
            result[:start] = before
        # Written where it belongs at once; with another mode NumPy makes a copy first.
        np.take(values, places, axis=0, out=result[start:], mode="clip")
        return result

    return _map(joined, second) if first is None else _map(joined, second, first)


def _divided(values: np.ndarray, size: int) -> np.ndarray:
    """Rows `[n, ...]` as `[batches, size, ...]`, without those that fill no batch."""
    whole = len(values) // size
    return values[: whole * size].reshape(whole, size, *values.shape[1:])


def _map(function: Callable[..., np.ndarray], batch: Batch, *others: Batch) -> Batch:
    """Applies a function to each column."""
    inputs, labels, weights = batch
    return (
        {name: function(v, *(o[0][name] for o in others)) for name, v in inputs.items()},
        {name: function(v, *(o[1][name] for o in others)) for name, v in labels.items()},
        function(weights, *(o[2] for o in others)),
    )
