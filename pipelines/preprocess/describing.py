"""Puts together what the analysis found: the statistics of every split, and of its scenarios.

statistics.pb               the splits side by side: `train`, `validation`, `test`
Split-NAME/FeatureStats.pb  one split as TFX lays it out: `All Examples`, then a slice a scenario,
                            e.g. `scenario_search`, with the labels alone
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.preprocess.analysed import Analysed
from pipelines.preprocess.analysis import LABELS, counts_path, sizes_name, sums_path
from pipelines.preprocess.label_rates import LabelRates, scenarios_of
from pipelines.preprocess.moments import NumberStatistics
from pipelines.preprocess.quantiles import QuantileSketch, read_sketches
from pipelines.preprocess.spilled_counts import read_counts
from pipelines.preprocess.splits import TRAIN
from pipelines.preprocess.statistics_proto import Statistics, add_number, write_statistics
from pipelines.preprocess.text_statistics import add_text, text_statistics
from pipelines.preprocess.writing import read_json
from tfmtl.config import Config
from tfmtl.config.tasks import reads_number
from tfmtl.preprocessing.columns import SPLITS

WHOLE = "All Examples"
"""Name that TensorFlow Data Validation gives to the statistics that are of no slice."""


def read_rates(work: Path, analysed: Analysed, config: Config) -> LabelRates:
    """What a finished analysis found of the labels."""
    sums = np.array(read_json(sums_path(work, LABELS)))
    return LabelRates(sums, analysed.labels, scenarios_of(config))


def describe(work: Path, analysed: Analysed, rows: dict[str, int]) -> list[Statistics]:
    """Statistics of every split.

    Args:
        work: where a finished analysis left its results.
        analysed: the columns.
        rows: rows by split.
    """
    datasets = [Statistics(name=split, num_examples=rows[split]) for split in SPLITS]
    numbers = read_json(work / "numbers.json")
    sketches = read_sketches(work / "sketches.parquet")
    for name, column in analysed.columns.items():
        sizes: Sequence[np.ndarray | None] = [None] * len(SPLITS)
        if column.is_list:
            sizes = list(np.array(read_json(sums_path(work, sizes_name(name))), np.int64))
        if column.is_text:
            texts = text_statistics(read_counts(counts_path(work, name)))
            for number, (dataset, known) in enumerate(zip(datasets, texts, strict=True)):
                add_text(dataset, name, known, number == TRAIN, sizes[number])
        else:
            for number, dataset in enumerate(datasets):
                key = f"{dataset.name}/{name}"
                moments = NumberStatistics(**numbers[key])
                add_number(dataset, name, moments, sketches[key], column.whole, sizes[number])
    return datasets


def scenario_slices(split: str, rates: LabelRates, config: Config) -> list[Statistics]:
    """Statistics of the labels of a split in each scenario, none where there are no scenarios."""
    if config.scenario is None:
        return []
    slices = []
    for scenario in config.scenario.values:
        rows = rates.scenario_rows[split][scenario]
        dataset = Statistics(name=f"{config.scenario.column}_{scenario}", num_examples=rows)
        for label, known in rates.of(split, scenario).items():
            whole = not reads_number(config.label_columns[label])
            column = add_number(dataset, label, known, QuantileSketch(), whole)
            if math.isnan(known.minimum):
                column.num_stats.ClearField("min")
                column.num_stats.ClearField("max")
        slices.append(dataset)
    return slices


def write_described(
    output: Path, datasets: list[Statistics], rates: LabelRates, config: Config
) -> None:
    """Writes the statistics in both forms that the module names."""
    write_statistics(datasets, output / "statistics.pb")
    for dataset in datasets:
        whole = Statistics()
        whole.CopyFrom(dataset)
        whole.name = WHOLE
        slices = scenario_slices(dataset.name, rates, config)
        write_statistics([whole, *slices], output / f"Split-{dataset.name}" / "FeatureStats.pb")
