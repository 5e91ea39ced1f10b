"""The pass that learns from the log what the model must know beforehand: counts and moments.

log + side tables -> values by split    -> counts/NAME.parquet
                  -> numbers by split   -> numbers.json, sketches.parquet
                  -> labels, list sizes -> sums/NAME.json
Vocabularies and moments are then made from the training rows alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from pipelines.preprocess.analysed import Analysed
from pipelines.preprocess.coded import Coded
from pipelines.preprocess.counting import count_values
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.label_rates import label_sums
from pipelines.preprocess.labels import in_scenarios, positives, sampled
from pipelines.preprocess.log_reading import Batch
from pipelines.preprocess.moments import NumberStatistics
from pipelines.preprocess.priors import prior_sums, rate_labels
from pipelines.preprocess.quantiles import QuantileSketch, write_sketches
from pipelines.preprocess.running import RowCounter, counters
from pipelines.preprocess.sides import View
from pipelines.preprocess.spilled_counts import Piece, merge_counts, spill_counts
from pipelines.preprocess.splits import TRAIN
from pipelines.preprocess.writing import write_json
from tfmtl.config import Config
from tfmtl.preprocessing.columns import SPLITS

Numbers = tuple[NumberStatistics, QuantileSketch]
"""What is known of the numbers of a column in a split."""

POSITIVES = "meta/positives"
"""Name under which the items of the retrieval task's positives are counted."""
LABELS = "labels"
"""Name of the labels' sums, as `label_sums` has them."""
PRIORS = "meta/priors"
"""Name of the sums of labels of which there are rates, as `prior_sums` has them."""


def classes_name(task: str) -> str:
    """Name under which the texts of a task's labels are counted, in the task's scenarios."""
    return f"meta/classes/{task}"


def sizes_name(column: str) -> str:
    """Name of the counts of the sizes of a column's lists: `[splits, longest + 1]`."""
    return f"sizes/{column}"


def counts_path(work: Path, name: str) -> Path:
    """File of the counts of one column's values."""
    return work / "counts" / f"{name.replace('/', '.')}.parquet"


def sums_path(work: Path, name: str) -> Path:
    """File of sums, by their name."""
    return work / "sums" / f"{name.replace('/', '.')}.json"


def build(pipeline: beam.Pipeline, examples: Examples, work: Path) -> None:
    """Adds the pass to a pipeline; its results lie in `work` as the module says."""
    analysed = (
        pipeline
        | "Batches" >> beam.Create(list(enumerate(examples.batches)))
        | "Spread" >> beam.Reshuffle()
        | "Analyse"
        >> beam.ParDo(AnalyseBatch(examples.config, examples.directory, work))
        .with_output_types(
            tuple[str, Piece],
            numbers=tuple[str, tuple[int, NumberStatistics, QuantileSketch]],
            sums=tuple[str, tuple[int, np.ndarray]],
        )
        .with_outputs("numbers", "sums", main="counts")
    )
    _ = (
        analysed["counts"]
        | "Group counts" >> beam.GroupByKey()
        | "Merge counts" >> beam.MapTuple(partial(_merge_counts, work=work))
    )
    _ = (
        analysed["numbers"]
        | "Group numbers" >> beam.GroupByKey()
        | "Merge numbers" >> beam.MapTuple(_merge_numbers)
        | "All numbers" >> beam.combiners.ToDict()
        | "Write numbers" >> beam.Map(_write_numbers, work=work)
    )
    _ = (
        analysed["sums"]
        | "Group sums" >> beam.GroupByKey()
        | "Merge sums" >> beam.MapTuple(partial(_merge_sums, work=work))
    )


class AnalyseBatch(beam.DoFn):
    """Counts a batch's values (main output), its numbers' moments and order, its labels' sums.

    The values of sampled rows are not counted: how often an item was drawn says nothing of how well
    it is known.

    Numbers and sums go with the batch's place in the log, for sums of floats depend on their order
    and bundles come in any.
    """

    def __init__(self, config: Config, directory: Path, work: Path) -> None:
        self._config = config
        self._directory = directory
        self._work = work

    def setup(self) -> None:
        self._examples = Examples(self._config, self._directory)
        self._analysed = Analysed.of(self._examples)
        self._counter = RowCounter(counters(self._work))

    def process(self, numbered: tuple[int, Batch]) -> Iterator[tuple[str, Piece]]:
        place, batch = numbered
        view = self._examples.read(batch)
        splits = self._examples.boundaries.assign(view.rows)
        counts = self._counts(view, splits)
        yield from spill_counts(counts, self._work / "spilled" / f"{place}.arrows")
        inside = [splits == number for number in range(len(SPLITS))]
        for name, known in self._numbers(view, inside):
            yield beam.pvalue.TaggedOutput("numbers", (name, (place, *known)))
        for name, sums in self._sums(view, splits, inside):
            yield beam.pvalue.TaggedOutput("sums", (name, (place, sums)))
        self._counter.add(view.rows.num_rows)

    def _counts(self, view: View, splits: np.ndarray) -> dict[str, pa.RecordBatch]:
        real = ~sampled(view.rows)
        counts = {}
        for name, column in self._analysed.texts.items():
            if column.is_list:
                values, rows = column.flat(view)
                counts[name] = count_values(Coded.of(values), splits[rows], real[rows])
            else:
                counts[name] = count_values(view.text(*column.place), splits, real)
        chosen = positives(view.rows, self._config)
        items = Coded.of(view.rows.column(self._config.source.log.item))
        counts[POSITIVES] = count_values(items, splits, chosen)
        for name, task in self._config.class_tasks.items():
            if task.label is not None:
                texts = Coded.of(view.rows.column(task.label))
                inside = in_scenarios(view.rows, task.scenarios, self._config)
                counts[classes_name(name)] = count_values(texts, splits, inside)
        return counts

    def _numbers(self, view: View, inside: list[np.ndarray]) -> Iterator[tuple[str, Numbers]]:
        for name, column in self._analysed.numbers.items():
            own = inside
            if column.is_list:
                flat, rows = column.flat(view)
                values, own = flat.to_numpy(False), [chosen[rows] for chosen in inside]
            else:
                values = column.numbers(view)
            for split, chosen in zip(SPLITS, own, strict=True):
                part = values[chosen]
                # Nobody asks for the quantiles of times, and sorting takes long.
                sketch = QuantileSketch() if column.kind == "time" else QuantileSketch.of(part)
                yield f"{split}/{name}", (NumberStatistics.of(part), sketch)
        for feature, name in self._analysed.scaled.items():
            values = self._analysed.columns[name].numbers(view)[inside[TRAIN]]
            logs = np.log1p(values[values >= 0].astype(np.float64))
            yield f"log/{feature}", (NumberStatistics.of(logs), QuantileSketch())

    def _sums(
        self, view: View, splits: np.ndarray, inside: list[np.ndarray]
    ) -> Iterator[tuple[str, np.ndarray]]:
        yield LABELS, label_sums(view.rows, splits, self._analysed.labels, self._config)
        if rate_labels(self._config):
            yield PRIORS, prior_sums(view.rows, splits, self._config)
        for name, column in self._analysed.lists.items():
            sizes = column.sizes(view)
            longest = int(sizes.max(initial=0))
            counted = [np.bincount(sizes[chosen], minlength=longest + 1) for chosen in inside]
            yield sizes_name(name), np.stack(counted)


def _merge_counts(name: str, pieces: Iterable[Piece], work: Path) -> None:
    merge_counts(pieces, counts_path(work, name))


def _merge_numbers(
    name: str, parts: Iterable[tuple[int, NumberStatistics, QuantileSketch]]
) -> tuple[str, Numbers]:
    _, moments, sketches = zip(*sorted(parts, key=_place), strict=True)
    return name, (NumberStatistics.merge(moments), QuantileSketch.merge(sketches))


def _write_numbers(numbers: dict[str, Numbers], work: Path) -> None:
    write_json({name: asdict(known) for name, (known, _) in numbers.items()}, work / "numbers.json")
    sketches = {name: sketch for name, (_, sketch) in numbers.items()}
    write_sketches(sketches, work / "sketches.parquet")


def _merge_sums(name: str, parts: Iterable[tuple[int, np.ndarray]], work: Path) -> None:
    """Adds arrays up that differ at most in the length of the last axis."""
    ordered = [part for _, part in sorted(parts, key=_place)]
    total = np.zeros((*ordered[0].shape[:-1], max(part.shape[-1] for part in ordered)))
    for part in ordered:
        total[..., : part.shape[-1]] += part
    write_json(total.tolist(), sums_path(work, name))


def _place(part: tuple[Any, ...]) -> int:
    return part[0]
