"""Embedding tables, fused by dimension, and the features that read them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from tfmtl.layers.rows import rows_at


@dataclass(frozen=True)
class Table:
    """One embedding table.

    Attributes:
        rows: number of rows, those of reserved ids included.
        dim: width of a row.
        hashed_from: ids from here on share the rows from here on, by their remainder: of a
            vocabulary ordered by frequency, the most frequent values still meet no other of them.
            Where not given, every id has a row of its own.
    """

    rows: int
    dim: int
    hashed_from: int | None = None

    def __post_init__(self) -> None:
        first = self.hashed_from
        if self.rows < 1 or self.dim < 1 or (first is not None and not 0 <= first < self.rows):
            raise ValueError(
                "a table needs rows and a dimension above 0, and `hashed_from` below the rows. "
                f"Received: {self}"
            )


class EmbeddingCollection(keras.layers.Layer):
    """Looks the inputs' ids up in shared tables.

    Tables of one dimension lie one below the other in one variable, so that a batch takes one
    gather and one sparse update for each dimension, however many tables there are. Their
    gradients stay sparse, and a variable carries the attribute `is_table`, by which
    `SplitOptimizer` knows it.

    A table takes low-rank adapters as dense layers do (`tfmtl.layers.lora`): its rows are then
    those of `W + alpha / rank * A B`, with `A` `[rows, rank]` sparse like the table. Other than in
    dense layers `A` starts at zero and `B` at random: so a row that no batch has stays as it is.

    Args:
        tables: tables by name.
        reads: table by input.

    Call arguments:
        inputs: int32 ids by input, `[batch]` or `[batch, length]`; other keys are left alone. An
            id outside its table is an error.
        names: the inputs to embed; all that read a table where not given.

    Returns:
        Rows by input, `[batch, dim]` or `[batch, length, dim]`.

    Example:
        >>> collection = EmbeddingCollection({"item": Table(10, 4)}, {"clicked": "item"})
        >>> collection({"clicked": tf.constant([[2, 3, 0]])})["clicked"].shape
        TensorShape([1, 3, 4])
    """

    def __init__(
        self, tables: Mapping[str, Table], reads: Mapping[str, str], name: str = "embedding"
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self.tables = dict(tables)
        self.reads = dict(reads)
        self._starts: dict[str, int] = {}
        heights: dict[int, int] = {}
        for table_name, table in self.tables.items():
            self._starts[table_name] = heights.get(table.dim, 0)
            heights[table.dim] = self._starts[table_name] + table.rows
        self._fused: dict[int, keras.Variable] = {}
        for dim, rows in heights.items():
            variable = self.add_weight(
                shape=(rows, dim),
                initializer=keras.initializers.RandomUniform(-0.05, 0.05),
                name=f"dim_{dim}",
            )
            variable.is_table = True
            self._fused[dim] = variable
        self.adapted: list[str] = []
        self._adapter_scale = 1.0
        self.built = True

    @property
    def adaptable(self) -> dict[str, tuple[int, int]]:
        """Rows and columns of the tables."""
        return {name: (table.rows, table.dim) for name, table in self.tables.items()}

    def enable_lora(self, names: Sequence[str], rank: int, lora_alpha: float) -> None:
        """Gives tables adapters; they themselves stay as they are until `merge_lora`."""
        if self.adapted:
            raise ValueError(f"the tables {', '.join(self.adapted)} have adapters already")
        for name in names:
            table = self.tables[name]
            rows = self.add_weight(
                shape=(table.rows, rank), initializer="zeros", name=f"{name}_lora_a"
            )
            rows.is_table = True
            unit = keras.initializers.RandomNormal(stddev=table.dim**-0.5)
            columns = self.add_weight(
                shape=(rank, table.dim), initializer=unit, name=f"{name}_lora_b"
            )
            setattr(self, _adapter(name, "a"), rows)
            setattr(self, _adapter(name, "b"), columns)
        self.adapted, self._adapter_scale = list(names), lora_alpha / rank
        for dim, variable in self._fused.items():
            others = [n for n, t in self.tables.items() if t.dim == dim and n not in names]
            variable.trainable = bool(others)

    def merge_lora(self) -> None:
        """Takes the adapters' changes into the tables, and the adapters away."""
        changed = {name: self.rows_of(name) for name in self.adapted}
        for name in self.adapted:
            rows, columns = (getattr(self, _adapter(name, part)) for part in "ab")
            changed[name] += self._adapter_scale * (rows.numpy() @ columns.numpy())
            delattr(self, _adapter(name, "a"))
            delattr(self, _adapter(name, "b"))
        self.adapted = []
        self.assign_rows(changed)
        for variable in self._fused.values():
            variable.trainable = True

    def rows_of(self, table: str) -> np.ndarray:
        """The rows of one table, float32 `[rows, dim]`."""
        start, spec = self._starts[table], self.tables[table]
        return self._fused[spec.dim].value[start : start + spec.rows].numpy()

    def assign_rows(self, rows: Mapping[str, np.ndarray]) -> None:
        """Overwrites the first rows of tables: `{table: [any up to its rows, dim]}`."""
        for dim, variable in self._fused.items():
            chosen = [name for name in rows if self.tables[name].dim == dim]
            if not chosen:
                continue
            values = np.array(variable)
            for name in chosen:
                start, spec, new = self._starts[name], self.tables[name], rows[name]
                if new.ndim != 2 or new.shape[1] != dim or len(new) > spec.rows:
                    raise ValueError(
                        f"table '{name}' has {spec.rows} rows of {dim}. Received: {new.shape}"
                    )
                values[start : start + len(new)] = new
            variable.assign(values)

    def call(
        self, inputs: Mapping[str, tf.Tensor], names: Collection[str] | None = None
    ) -> dict[str, tf.Tensor]:
        names = list(self.reads if names is None else names)
        found: dict[str, tf.Tensor] = {}
        for dim in self._fused:
            chosen = [name for name in names if self.tables[self.reads[name]].dim == dim]
            if chosen:
                found |= self._look_up(dim, {name: inputs[name] for name in chosen})
        return {name: self._adapt(name, inputs[name], found[name]) for name in names}

    def _adapt(self, name: str, ids: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
        """Rows of an input as its table's adapter changes them."""
        table = self.reads[name]
        if table not in self.adapted:
            return found
        rows, columns = (getattr(self, _adapter(table, part)) for part in "ab")
        change = tf.matmul(
            rows_at(rows, _hashed(ids, self.tables[table])), tf.convert_to_tensor(columns)
        )
        return tf.stop_gradient(found) + self._adapter_scale * change

    def _look_up(self, dim: int, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Rows of the inputs that read tables of one dimension, by one gather."""
        table = self._fused[dim]
        groups: dict[tuple[int | None, ...], list[str]] = {}
        for name, ids in inputs.items():
            groups.setdefault(tuple(ids.shape[1:]), []).append(name)
        ids = [self._positions(inputs, group) for group in groups.values()]
        if len(ids) == 1:
            rows = [rows_at(table, ids[0])]
        else:
            flat = rows_at(table, tf.concat([tf.reshape(i, [-1]) for i in ids], axis=0))
            parts = tf.split(flat, [tf.size(i) for i in ids])
            rows = [
                tf.reshape(part, tf.concat([tf.shape(i), [dim]], axis=0))
                for part, i in zip(parts, ids, strict=True)
            ]
        return {
            name: row
            for group, stacked in zip(groups.values(), rows, strict=True)
            for name, row in zip(group, tf.unstack(stacked, num=len(group)), strict=True)
        }

    def _positions(self, inputs: Mapping[str, tf.Tensor], names: list[str]) -> tf.Tensor:
        """Where the rows of some inputs' ids are in the fused variable, `[names, batch, ...]`."""
        tables = [self.tables[self.reads[name]] for name in names]
        ids = tf.stack([_hashed(inputs[n], t) for n, t in zip(names, tables, strict=True)])
        shape = [len(names), *[1] * (ids.shape.rank - 1)]
        rows = tf.reshape(tf.constant([t.rows for t in tables], tf.int32), shape)
        starts = tf.reshape(tf.constant([self._starts[self.reads[n]] for n in names]), shape)
        # An id outside its table would read a neighbour's row; this way the gather refuses it.
        return tf.where((ids >= 0) & (ids < rows), ids + starts, -1)


def _adapter(table: str, part: str) -> str:
    """The attribute that holds a part of a table's adapter."""
    return f"lora_{part}_of_{table}"


def _hashed(ids: tf.Tensor, table: Table) -> tf.Tensor:
    ids = tf.cast(ids, tf.int32)
    first = table.hashed_from
    if first is None:
        return ids
    return tf.where(ids < first, ids, first + tf.math.floormod(ids - first, table.rows - first))
