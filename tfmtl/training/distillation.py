"""What teachers say of the training rows, written once and read every epoch.

Scores are kept at temperature 1: logits of events, logarithms of the probabilities of classes,
numbers; of retrieval both vectors of every positive, of which training takes the distribution over
whatever batch a positive comes in.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from tfmtl.config import Config, MultiClassTask, RegressionTask, RetrievalTask
from tfmtl.models.saved import load_model
from tfmtl.models.traced import traced
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import label_vocabulary, read_vocabulary
from tfmtl.training.errors import TrainingError
from tfmtl.training.evaluating import measure
from tfmtl.training.examples import read_examples
from tfmtl.training.translation import Translation, in_classes_of
from tfmtl.training.watch import OnBatch, silent

_BATCH = 8192
_LEAST = 1e-7
"""Probabilities are kept at least this far from 0 and 1."""


@dataclass(frozen=True)
class Teaching:
    """A teacher, and what it may teach.

    Attributes:
        name: what it is called in messages.
        home: the model's directory.
        tasks: the tasks it shall teach; all that it has where None.
        translated: whether it was trained on other examples, with an analysis of its own.
    """

    name: str
    home: Path
    tasks: Collection[str] | None = None
    translated: bool = True


def write_soft_labels(
    config: Config,
    transformed: Path,
    teachings: Sequence[Teaching],
    output: Path,
    on_batch: OnBatch = silent,
) -> dict[str, Any]:
    """Asks the teachers about all training rows, and measures them on the test rows.

    Args:
        config: the student's configuration.
        transformed: Transform's artifact.
        teachings: the teachers.
        output: where `train/` goes, with files, row groups and rows as of the examples.
        on_batch: told how many rows are done.

    Returns:
        Who teaches what, and how good they are on the test rows: `{"teachers": [{"name", "tasks",
        "parameters", "metrics": {task: {metric: x}}}], "tasks": {task: [names]}}`.

    Raises:
        TrainingError: a teacher cannot teach what it shall, or nothing at all.
    """
    asked = [_Teacher(one, config, transformed) for one in teachings]
    told = []
    for one in asked:
        translate = one.translate
        found = measure(one.model, config, transformed, "test", translate, None, one.tasks, False)
        metrics = {task: found.tasks[task]["overall"] for task in one.tasks}
        told.append(
            {
                "name": one.name,
                "tasks": one.tasks,
                "parameters": one.model.count_params(),
                "metrics": metrics,
            }
        )
    _write_rows(config, transformed / "train", asked, output / "train", on_batch)
    by_task = {task: [one.name for one in asked if task in one.tasks] for task in config.tasks}
    return {"teachers": told, "tasks": {task: names for task, names in by_task.items() if names}}


class _Teacher:
    """A loaded teacher, which answers in the order of the student's classes."""

    def __init__(self, teaching: Teaching, config: Config, transformed: Path) -> None:
        self.name = teaching.name
        self.model = load_model(teaching.home)
        self.tasks = _teachable(teaching, config, self.model.config)
        self.translate: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]] | None = None
        if teaching.translated:
            try:
                self.translate = Translation(config, transformed, teaching.home)
            except ValueError as error:
                raise TrainingError(f"teacher {self.name}: {error}") from None
        self._ordered = {
            task: in_classes_of(transformed, teaching.home, task)
            for task in self.tasks
            if task in config.class_tasks
        }
        for task in self._ordered:
            _check_classes(self.name, task, transformed, teaching.home)
        self._config = config
        self._hinted = [
            task
            for task in self.tasks
            if config.distillation
            and config.distillation.hint_of(task)
            and not isinstance(config.tasks[task], RetrievalTask)
        ]
        self._answer = traced(self._answered, self.model.inputs_spec)

    def __call__(self, x: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Probabilities, numbers, vectors and representations of rows, by column."""
        own = self.translate(x) if self.translate else x
        answer = self._answer(own)
        found = {column: values.numpy() for column, values in answer.items()}
        for task, ordered in self._ordered.items():
            found[columns.soft_label(task)] = ordered(found[columns.soft_label(task)])
        return found

    def _answered(self, x: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        found: dict[str, tf.Tensor] = {}
        ranking, retrieval = self.model.ranking, self.model.retrieval
        if ranking:
            shared, own = ranking.shared(x, self.model.encoding(x))
            representations = ranking.represent(shared, own)
            predictions = ranking.predict_from(ranking.score(x, representations, own), x)
            for task in self.tasks:
                if task in predictions:
                    found[columns.soft_label(task)] = predictions[task]
            for task in self._hinted:
                found[columns.hint(task)] = tf.cast(representations[task], tf.float32)
        if retrieval and retrieval.task in self.tasks:
            query = tf.cast(self.model.query_vectors(x), tf.float32)
            found[columns.soft_query(retrieval.task)] = query / retrieval.head.spec.temperature
            found[columns.soft_item(retrieval.task)] = tf.cast(
                self.model.item_vectors(x), tf.float32
            )
        return found


def _teachable(teaching: Teaching, config: Config, other: Config) -> list[str]:
    """The tasks that a teacher teaches, in the student's order."""
    for task in teaching.tasks or ():
        if task not in other.tasks:
            raise TrainingError(
                f"teacher {teaching.name}: it has no task '{task}', only {', '.join(other.tasks)}; "
                "leave it out of its tasks"
            )
        kind, its = config.tasks[task].kind, other.tasks[task].kind
        if kind != its:
            raise TrainingError(
                f"teacher {teaching.name}: its task '{task}' is of kind {its}, here it is of "
                f"{kind}; leave it out of its tasks"
            )
    tasks = [
        task
        for task, spec in config.tasks.items()
        if (teaching.tasks is None or task in teaching.tasks)
        and task in other.tasks
        and other.tasks[task].kind == spec.kind
    ]
    if not tasks:
        raise TrainingError(
            f"teacher {teaching.name}: expected a task of the same name and kind, got "
            f"{', '.join(other.tasks)} where the student has {', '.join(config.tasks)}"
        )
    return tasks


def _check_classes(name: str, task: str, transformed: Path, home: Path) -> None:
    own, its = (
        read_vocabulary(directory, label_vocabulary(task)) for directory in (transformed, home)
    )
    if set(own) == set(its):
        return
    here, there = sorted({*own} - {*its}), sorted({*its} - {*own})
    parts = [f"only here {_some(here)}"] * bool(here) + [f"only there {_some(there)}"] * bool(there)
    raise TrainingError(
        f"teacher {name}: its task '{task}' has other classes: {'; '.join(parts)}; give it tasks "
        f"without '{task}'"
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(repr(name) for name in names[:3]) + more


def _write_rows(
    config: Config, split: Path, teachers: Sequence[_Teacher], output: Path, on_batch: OnBatch
) -> None:
    """Writes what the teachers say of a split, row group by row group."""
    files = sorted(split.glob("*.parquet"))
    output.mkdir(parents=True)
    total = sum(pq.read_metadata(file).num_rows for file in files)
    answers = _Answers(config, split, teachers)
    done = 0
    for file in files:
        metadata, writer = pq.read_metadata(file), None
        for group in range(metadata.num_row_groups):
            table = answers.take(metadata.row_group(group).num_rows)
            writer = writer or pq.ParquetWriter(output / file.name, table.schema)
            writer.write_table(table, row_group_size=max(table.num_rows, 1))
            done += table.num_rows
            on_batch(done, total, "teachers")
        if writer:
            writer.close()


class _Answers:
    """The teachers' common answers in the order of the rows, any number at a time."""

    def __init__(self, config: Config, split: Path, teachers: Sequence[_Teacher]) -> None:
        self._config, self._teachers = config, teachers
        self._batches = self._asked(split)
        self._rest: list[dict[str, np.ndarray]] = []

    def take(self, count: int) -> pa.Table:
        """The next rows."""
        while sum(map(_rows, self._rest)) < count:
            self._rest.append(next(self._batches))
        joined = {name: np.concatenate([one[name] for one in self._rest]) for name in self._rest[0]}
        self._rest = [{name: values[count:] for name, values in joined.items()}]
        return pa.table({name: _array(name, values[:count]) for name, values in joined.items()})

    def _asked(self, split: Path) -> Iterator[dict[str, np.ndarray]]:
        examples = read_examples(split, self._config, batch_size=_BATCH, shuffle=False)
        for x, y, _ in examples.as_numpy_iterator():
            found = [(teacher, teacher(x)) for teacher in self._teachers]
            answers: dict[str, np.ndarray] = {}
            for task in self._config.tasks:
                own = [answer for teacher, answer in found if task in teacher.tasks]
                if own:
                    answers |= _common(self._config, task, own, y[task])
            yield answers


def _common(
    config: Config, task: str, answers: Sequence[Mapping[str, np.ndarray]], labels: np.ndarray
) -> dict[str, np.ndarray]:
    """What the teachers of a task say together: the mean of their predictions, and their vectors
    side by side, so that inner products are means of theirs."""
    spec = config.tasks[task]
    if isinstance(spec, RetrievalTask):
        query, item = (
            np.concatenate([answer[name] for answer in answers], axis=1)
            for name in (columns.soft_query(task), columns.soft_item(task))
        )
        positive = (labels > 0)[:, None]
        return {
            columns.soft_query(task): np.where(positive, query / len(answers), np.float32(0)),
            columns.soft_item(task): np.where(positive, item, np.float32(0)),
        }
    mean = np.mean([answer[columns.soft_label(task)] for answer in answers], axis=0)
    if not np.isfinite(mean).all():
        raise TrainingError(f"teachers of '{task}': a prediction is not finite; train them anew")
    if isinstance(spec, MultiClassTask):
        scores = np.log(np.maximum(mean, _LEAST))
    elif isinstance(spec, RegressionTask):
        scores = mean
    else:
        chances = np.clip(mean.astype(np.float64), _LEAST, 1 - _LEAST)
        scores = np.log(chances) - np.log1p(-chances)
    found = {columns.soft_label(task): scores.astype(np.float32)}
    hints = [answer[columns.hint(task)] for answer in answers if columns.hint(task) in answer]
    if hints:
        found[columns.hint(task)] = np.concatenate(hints, axis=1).astype(np.float16)
    return found


def _array(name: str, values: np.ndarray) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def _rows(columns_: Mapping[str, np.ndarray]) -> int:
    return len(next(iter(columns_.values())))
