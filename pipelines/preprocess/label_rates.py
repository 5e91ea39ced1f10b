"""What the labels are like in each split and scenario, as sums over batches.

Sums of the labels and of their squares give mean and deviation: labels are of the size of 1, so
that no digits are lost.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.preprocess.coded import Coded
from pipelines.preprocess.labels import label_values, sampled
from pipelines.preprocess.moments import NumberStatistics
from tfmtl.config import Config
from tfmtl.config.tasks import reads_number
from tfmtl.preprocessing.columns import SPLITS

EVERYWHERE = "all"
"""Stands for the scenario where there is none."""
_ROWS, _SAMPLED = 0, 1
_COUNT, _SUM, _SQUARES, _ZEROS = range(4)
_FIRST_LABEL, _A_LABEL = 2, 4


def scenarios_of(config: Config) -> list[str]:
    """Names of the scenarios, one that stands for all where there is none."""
    return config.scenario.values if config.scenario else [EVERYWHERE]


def label_sums(
    rows: pa.RecordBatch, splits: np.ndarray, labels: list[str], config: Config
) -> np.ndarray:
    """Counts rows and labels by split and scenario.

    Returns:
        `[splits, scenarios, 2 + 4 * labels]`: rows, sampled rows, then each label's count, sum, sum
        of squares and zeros.
    """
    names = scenarios_of(config)
    groups = splits.astype(np.int64) * len(names)
    if config.scenario:
        coded = Coded.of(rows.column(config.scenario.column))
        places = {name: place for place, name in enumerate(names)}
        own = np.array([places.get(value, 0) for value in coded.values.to_pylist()], np.int64)
        groups += own[coded.codes]
    size = len(SPLITS) * len(names)
    drawn = sampled(rows)
    parts = [np.bincount(groups, minlength=size)]
    parts.append(np.bincount(groups[drawn], minlength=size))
    for label in labels:
        values, task = label_values(rows, label), config.label_columns[label]
        parts += (_numbers if reads_number(task) else _binary)(values, groups, size)
    return np.stack(parts, axis=1).reshape(len(SPLITS), len(names), -1).astype(np.float64)


def _binary(values: np.ndarray, groups: np.ndarray, size: int) -> list[np.ndarray]:
    """Count, sum, sum of squares and zeros of labels that are 0, 1 or NaN, by group."""
    codes = np.nan_to_num(values, nan=2.0).astype(np.int64)
    zeros, ones, _ = np.bincount(3 * groups + codes, minlength=3 * size).reshape(size, 3).T
    return [zeros + ones, ones, ones, zeros]


def _numbers(values: np.ndarray, groups: np.ndarray, size: int) -> list[np.ndarray]:
    """The same of any numbers."""
    known = ~np.isnan(values)
    inside, given = groups[known], values[known].astype(np.float64)
    weights = (None, given, np.square(given), given == 0)
    return [np.bincount(inside, weight, size) for weight in weights]


@dataclass(frozen=True)
class LabelRates:
    """The sums of all batches, read.

    Attributes:
        sums: as `label_sums` has them.
        labels: label columns, in their order.
        scenarios: names of the scenarios.
    """

    sums: np.ndarray
    labels: list[str]
    scenarios: list[str]

    @property
    def rows(self) -> dict[str, int]:
        """Rows by split."""
        return self._by_split(_ROWS)

    @property
    def sampled(self) -> dict[str, int]:
        """Sampled rows by split."""
        return self._by_split(_SAMPLED)

    @property
    def scenario_rows(self) -> dict[str, dict[str, int]]:
        """Rows by split and scenario."""
        return {
            split: dict(zip(self.scenarios, own[:, _ROWS].astype(int).tolist(), strict=True))
            for split, own in zip(SPLITS, self.sums, strict=True)
        }

    @property
    def means(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """Mean by split, scenario and label; None where all labels are missing."""
        return {
            split: {
                scenario: {
                    label: known.mean if known.count else None
                    for label, known in self.of(split, scenario).items()
                }
                for scenario in self.scenarios
            }
            for split in SPLITS
        }

    def of(self, split: str, scenario: str) -> dict[str, NumberStatistics]:
        """What the labels of a split and scenario are like; smallest and largest are known of
        labels that are 0 and 1 alone and else NaN."""
        own = self.sums[SPLITS.index(split), self.scenarios.index(scenario)]
        rows = int(own[_ROWS])
        known = own[_FIRST_LABEL:].reshape(-1, _A_LABEL)
        return {
            label: _statistics(part, rows) for label, part in zip(self.labels, known, strict=True)
        }

    def _by_split(self, place: int) -> dict[str, int]:
        totals = self.sums[:, :, place].sum(axis=1).astype(int).tolist()
        return dict(zip(SPLITS, totals, strict=True))


def _statistics(part: np.ndarray, rows: int) -> NumberStatistics:
    count, zeros = int(part[_COUNT]), int(part[_ZEROS])
    if not count:
        return NumberStatistics(missing=rows)
    mean = float(part[_SUM] / count)
    m2 = max(float(part[_SQUARES] - mean * part[_SUM]), 0.0)
    binary = part[_SUM] == part[_SQUARES] == count - zeros
    low, high = (float(not zeros), float(zeros < count)) if binary else (np.nan, np.nan)
    return NumberStatistics(count, rows - count, zeros, mean, m2, low, high)
