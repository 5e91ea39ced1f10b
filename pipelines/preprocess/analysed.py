"""Which raw columns the analysis looks at, and under which names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.preprocess.examples import Examples
from pipelines.preprocess.layout import Table
from pipelines.preprocess.sides import View
from tfmtl.config import Config, Feature, NumericFeature, TextFeature
from tfmtl.config.inputs import RawKind
from tfmtl.config.tasks import reads_number

Place = tuple[Table, str]
"""Table and name of a raw column."""
_MOST_NUMBERS = 1 << 18
"""Numbers of lists that are looked at in a batch."""


@dataclass(frozen=True)
class AnalysedColumn:
    """One raw column.

    Attributes:
        place: where it is read from.
        kind: what it holds.
        whole: whether its numbers are integers.
    """

    place: Place
    kind: RawKind
    whole: bool = False

    @property
    def is_text(self) -> bool:
        """Whether it holds texts, one or several a row."""
        return self.kind in ("text", "texts")

    @property
    def is_list(self) -> bool:
        """Whether it holds several values a row."""
        return self.kind in ("texts", "numbers")

    def numbers(self, view: View) -> np.ndarray:
        """Its numbers, one a row, NaN where missing: float32 `[n]`, of times float64."""
        if self.kind == "time":
            return pc.fill_null(view.array(*self.place).cast(pa.float64()), np.nan).to_numpy(False)
        return view.number(*self.place)

    def sizes(self, view: View) -> np.ndarray:
        """How many values the lists of its rows have: int64 `[n]`."""
        sizes = pc.fill_null(pc.list_value_length(view.array(*self.place)), 0)
        return sizes.to_numpy(False).astype(np.int64)

    def flat(self, view: View) -> tuple[pa.Array, np.ndarray]:
        """The values of its lists, one after the other, and the row of each, int64 `[values]`.

        Of many numbers, as vectors have, only those of every k-th row.
        """
        lists, sizes = view.array(*self.place), self.sizes(view)
        rows = np.arange(len(sizes))
        step = max(1, int(sizes.sum()) // _MOST_NUMBERS) if self.kind == "numbers" else 1
        if step > 1:
            rows = rows[::step]
            lists = lists.take(pa.array(rows))
        return lists.flatten(), np.repeat(rows, sizes[rows])


@dataclass(frozen=True)
class Analysed:
    """All of them.

    Attributes:
        columns: by the name of their statistics: the column's own, with its table before it where
            another table has one of that name.
        scaled: numeric features on a logarithmic scale -> name of their column's statistics.
        labels: label columns, which are among the columns.
        keys: names of the columns that say who, what and when, which differ from day to day.
        free: names of the columns that are read as free text alone.
    """

    columns: dict[str, AnalysedColumn]
    scaled: dict[str, str]
    labels: list[str]
    keys: list[str]
    free: list[str]

    @classmethod
    def of(cls, examples: Examples) -> "Analysed":
        """Finds the columns of a configuration in the examples."""
        config = examples.config
        columns: dict[str, AnalysedColumn] = {}
        for column in _asked(examples):
            if all(known.place != column.place for known in columns.values()):
                table, name = column.place
                columns[f"{table}.{name}" if name in columns else name] = column
        times = [name for name, column in columns.items() if column.kind == "time"]
        found = cls(columns, {}, list(config.label_columns), times, [])
        for side, feature in config.features.sided:
            if isinstance(feature, NumericFeature) and feature.scale == "log":
                place = examples.table_of(side, feature.raw), feature.raw
                found.scaled[feature.name] = found.name_of(place)
        found.keys.extend(found.name_of(("log", name)) for name in _keys(config))
        found.free.extend(_free(examples, found))
        return found

    def unread(self, raw: Mapping[str, Sequence[str]]) -> list[str]:
        """Columns of the raw tables, given by table, that are none of these: those of other tables
        than the log's with the table before their name, and those whose name another has. A column
        without a name, as the index that pandas writes, cannot be asked for and is left out."""
        known = {column.place for column in self.columns.values()}
        return [
            name if table == "log" and name not in self.columns else f"{table}.{name}"
            for table, names in raw.items()
            for name in names
            if name and (table, name) not in known
        ]

    def name_of(self, place: Place) -> str:
        """Name of a column's statistics."""
        return next(name for name, known in self.columns.items() if known.place == place)

    @property
    def texts(self) -> dict[str, AnalysedColumn]:
        """Columns of texts."""
        return {name: column for name, column in self.columns.items() if column.is_text}

    @property
    def numbers(self) -> dict[str, AnalysedColumn]:
        """Columns of numbers, times and labels among them."""
        return {name: column for name, column in self.columns.items() if not column.is_text}

    @property
    def lists(self) -> dict[str, AnalysedColumn]:
        """Columns of several values a row."""
        return {name: column for name, column in self.columns.items() if column.is_list}


def _asked(examples: Examples) -> Iterator[AnalysedColumn]:
    config, log = examples.config, examples.config.source.log
    for one in config.features.inputs.values():
        for raw in one.reads:
            place = examples.table_of(raw.side, raw.column), raw.column
            yield AnalysedColumn(place, raw.kind, whole=raw.kind == "time")
    for name in _keys(config):
        kind: RawKind = "time" if name == log.time else "text"
        yield AnalysedColumn(("log", name), kind, whole=kind == "time")
    for name in [*([config.scenario.column] if config.scenario else []), *config.class_columns]:
        yield AnalysedColumn(("log", name), "text")
    for name, task in config.label_columns.items():
        yield AnalysedColumn(("log", name), "number", whole=not reads_number(task))


def _keys(config: Config) -> list[str]:
    log = config.source.log
    return [name for name in (log.user, log.item, log.time) if name is not None]


def _free(examples: Examples, found: Analysed) -> Iterator[str]:
    """Columns of features of kind text that no other feature reads."""
    features = examples.config.features
    readers: dict[str, list[Feature]] = {}
    for one in features.inputs.values():
        for raw in one.reads:
            name = found.name_of((examples.table_of(raw.side, raw.column), raw.column))
            readers.setdefault(name, []).append(features.by_name[one.feature])
    for name, own in readers.items():
        if all(isinstance(feature, TextFeature) for feature in own):
            yield name
