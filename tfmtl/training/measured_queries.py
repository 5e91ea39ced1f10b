"""Retrieval over the whole catalogue, measured as positives come by."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tfmtl.config import Config
from tfmtl.evaluation import Evaluation, ranks, top_items
from tfmtl.models.catalogue import catalogue_inputs, embed_items, in_batches
from tfmtl.models.encoded_texts import encoded_texts
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import CATALOGUE
from tfmtl.preprocessing import columns
from tfmtl.training.measured_rows import Rows
from tfmtl.training.past import Past

Translate = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]
_AT_ONCE = 65_536
"""Queries that are kept until they are ranked, since that begins with a table of all items."""


class MeasuredQueries:
    """Gathers positives and ranks the catalogue for them, some ten thousand at a time.

    Args:
        model: the model.
        config: the configuration the examples were made with.
        transformed: Transform's artifact.
        task: name of the retrieval task.
        past: what the users had in the splits before.
        translate: turns the examples' inputs into the model's.
        evaluation: receives the ranks.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        config: Config,
        transformed: Path,
        task: str,
        past: Past,
        translate: Translate | None,
        evaluation: Evaluation,
    ) -> None:
        items = catalogue_inputs(model, pq.read_table(transformed / CATALOGUE))
        self._vectors = embed_items(model, translate(items) if translate else items)
        self._model, self._task, self._evaluation = model, task, evaluation
        self._seen = past.seen() if config.source.log.user is not None else None
        self._most = max(config.evaluation.top_k, default=0)
        self._parts: list[dict[str, np.ndarray]] = []
        self._kept = 0

    def add(
        self,
        inputs: Mapping[str, np.ndarray],
        positives: np.ndarray,
        items: np.ndarray,
        weights: np.ndarray,
        rows: Rows,
    ) -> None:
        """Takes a batch's positives.

        Args:
            inputs: the model's inputs.
            positives: whether each row is one, `[n]`.
            items: the rows' items, as rows of the catalogue `[n]`.
            weights: the rows' weights `[n]`.
            rows: the rows' users and slices.
        """
        part = {name: inputs[name] for name in self._model.config.query_features}
        part |= {columns.ITEM: items, columns.WEIGHT: weights}
        part |= {columns.slice_(name): values for name, values in rows.slices.items()}
        if rows.users is not None:
            part[columns.USER] = rows.users
        self._parts.append({name: values[positives] for name, values in part.items()})
        self._kept += int(np.count_nonzero(positives))
        if self._kept >= _AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Ranks what was gathered."""
        if not self._parts:
            return
        kept = {n: np.concatenate([part[n] for part in self._parts]) for n in self._parts[0]}
        self._parts, self._kept = [], 0
        asked = {name: kept[name] for name in self._model.config.query_features}
        queries = in_batches(self._model.query_vectors, encoded_texts(self._model, asked))
        wanted, users = kept[columns.ITEM], kept.get(columns.USER)
        unseen = None
        if self._seen is not None and users is not None:
            unseen = ranks(queries, self._vectors, wanted, exclude=self._seen.of(users))
        prefix = columns.slice_("")
        self._evaluation.update_retrieval(
            self._task,
            ranks=ranks(queries, self._vectors, wanted),
            unseen=unseen,
            tops=top_items(queries, self._vectors, self._most) if self._most else None,
            weights=kept[columns.WEIGHT],
            users=users,
            slices={n.removeprefix(prefix): v for n, v in kept.items() if n.startswith(prefix)},
        )
