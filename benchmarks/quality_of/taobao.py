"""Taobao: what a user does next, beside how often users do what, and what they do after what.

The last day is the test and the one before it validation. Both baselines go event by event and know
all of a user's events before, those of validation and test too, as the models' inputs do; what they
are smoothed by is chosen on validation.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.figures import Bar
from benchmarks.quality_of.experiments import Metrics, Table, changed, measure, only, transform
from pipelines.commands.common import SHIPPED
from tfmtl.evaluation.multi_class import log_loss, macro_auc
from tfmtl.preprocessing.columns import SPLITS, TIME, USER, label

TASK = "behaviour"
ENCODERS: dict[str, dict[str, Any]] = {
    "lstm": {"kind": "lstm", "units": 4, "dropout": 0.5},
    "gru": {"kind": "gru", "units": 4, "dropout": 0.5},
    "transformer": {"kind": "sasrec", "blocks": 1, "dropout": 0.7},
}
STRENGTHS = (1, 3, 10, 30, 100)
"""Events at the rates of all users with which each count begins."""
TRAIN, VALIDATION, TEST = range(3)


class Behaviours:
    """The events of all splits, user by user in the order of their times.

    Args:
        transformed: Transform's artifact.

    Attributes:
        labels: number of each event's behaviour, `[n]`.
        splits: place of its split among `SPLITS`, `[n]`.
        last: the two behaviours before it, the latest first, -1 for none, `[n, 2]`.
        counts: how often the user did what before, `[n, behaviours]`.
    """

    def __init__(self, transformed: Path) -> None:
        names = [label(TASK), USER, TIME]
        tables = [pq.read_table(transformed / split, columns=names) for split in SPLITS]
        rows = pa.concat_tables(tables)
        users = rows[USER].combine_chunks().dictionary_encode().indices.to_numpy()
        times, labels = rows[TIME].to_numpy(), rows[label(TASK)].to_numpy().astype(np.int64)
        order = np.lexsort((times, users))
        users, times, self.labels = users[order], times[order], labels[order]
        self.splits = np.repeat(np.arange(len(tables)), [len(table) for table in tables])[order]
        # Events of one second have the same past: that of the first of them.
        first = np.flatnonzero(np.r_[True, (np.diff(users) != 0) | (np.diff(times) != 0)])
        own = np.repeat(first, np.diff(np.r_[first, len(users)]))
        start = np.searchsorted(users, users)
        done = np.eye(self.behaviours)[self.labels]
        before = np.cumsum(done, axis=0) - done
        self.counts = before[own] - before[start]
        places = own[:, None] - np.array([1, 2])
        self.last = np.where(places >= start[:, None], self.labels[places], -1)

    @property
    def behaviours(self) -> int:
        return int(self.labels.max()) + 1

    @property
    def rates(self) -> np.ndarray:
        """Share of each behaviour in training, `[behaviours]`."""
        return np.bincount(self._known(self.labels), minlength=self.behaviours) / len(
            self._known(self.labels)
        )

    def frequency(self, strength: float) -> np.ndarray:
        """`(n_ub + a r_b) / (n_u + a)`: `[n, behaviours]`."""
        return _smoothed(self.counts, self.rates, strength)

    def markov(self, order: int, strength: float) -> np.ndarray:
        """Frequencies after the last behaviours in training, smoothed by those of one order less:
        `[n, behaviours]`."""
        prior = self.rates
        for length in range(1, order + 1):
            states = (self.last[:, :length] + 1) @ (self.behaviours + 1) ** np.arange(length)
            counts = np.zeros((states.max() + 1, self.behaviours))
            np.add.at(counts, (self._known(states), self._known(self.labels)), 1)
            prior = _smoothed(counts[states], prior, strength)
        return prior

    def measured(self, chances: np.ndarray, split: int) -> Metrics:
        """The figures of some probabilities in a split."""
        rows = self.splits == split
        return {
            f"{TASK} macro_auc": macro_auc(self.labels[rows], chances[rows]),
            f"{TASK} log_loss": log_loss(self.labels[rows], chances[rows]),
        }

    def best(self, candidates: Iterable[Callable[[], np.ndarray]]) -> Metrics:
        """The test figures of the candidate with the least log loss on validation."""
        chances = [candidate() for candidate in candidates]
        losses = [self.measured(one, VALIDATION)[f"{TASK} log_loss"] for one in chances]
        return self.measured(chances[int(np.argmin(losses))], TEST)

    def _known(self, values: np.ndarray) -> np.ndarray:
        return values[self.splits == TRAIN]


def _smoothed(counts: np.ndarray, prior: np.ndarray, strength: float) -> np.ndarray:
    return (counts + strength * prior) / (counts.sum(axis=1, keepdims=True) + strength)


def baselines(transformed: Path) -> dict[str, Metrics]:
    """Figures of the baselines on the test split, by name."""
    events = Behaviours(transformed)
    orders = [(order, strength) for order in (1, 2) for strength in STRENGTHS]
    return {
        "markov": events.best((lambda o=o, s=s: events.markov(o, s)) for o, s in orders),
        "frequency": events.best((lambda s=s: events.frequency(s)) for s in STRENGTHS),
    }


def _pick(found: Mapping[str, Any]) -> Metrics:
    figures = found[TASK]["overall"]
    return {f"{TASK} {metric}": figures[metric] for metric in ("macro_auc", "log_loss")}


def measured(data: Path, work: Path, seeds: Sequence[int]) -> tuple[Table, list[Bar]]:
    """LSTM, GRU and causal Transformer beside both baselines."""
    config = yaml.safe_load((SHIPPED / "taobao.yaml").read_text(encoding="utf-8"))
    transformed = transform(config, data / "taobao-userbehavior", work / "run")
    table = Table("Taobao, the next behaviour, on the last day")
    known = baselines(transformed)
    for name, metrics in known.items():
        table.add(name, [metrics])
    acts, *others = config["features"]["history"]
    bars = []
    for name, encoder in ENCODERS.items():
        histories = [{**acts, "encoder": encoder}, *others]
        own = changed(only(config, TASK), {"features.history": histories})
        table.add(name, measure(own, transformed, seeds, _pick))
        for baseline, metrics in known.items():
            for metric, at_most in (("macro_auc", False), ("log_loss", True)):
                limit = metrics[f"{TASK} {metric}"]
                value = table.means[name][f"{TASK} {metric}"]
                bars.append(Bar(f"taobao {name} {metric} over {baseline}", limit, value, at_most))
    return table, bars
