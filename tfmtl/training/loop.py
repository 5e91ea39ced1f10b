"""The epochs of a training: steps, validation, checkpoints, early stopping."""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.training.budgets.control import Control
from tfmtl.training.budgets.rows import rows_by_scenario
from tfmtl.training.checkpoints import Checkpoint, Due, state_of
from tfmtl.training.cosines import Cosines
from tfmtl.training.early_stopping import EarlyStopping, measure
from tfmtl.training.event_files import EventFiles
from tfmtl.training.examples import read_examples
from tfmtl.training.steps import Batch, Figures, Means, learning, measuring
from tfmtl.training.strategies import is_chief
from tfmtl.training.watch import Watch, balance

_FILE = "checkpoint.zip"


@dataclass(frozen=True)
class Place:
    """A place in a training: batches of an epoch that are done, and their figures."""

    epoch: int
    batch: int
    means: Means


class Loop:
    """Trains a compiled model, from the start or from where an earlier process was killed.

    `keras.Model.fit` cannot begin in the middle of an epoch, nor divide a batch so that its loss
    is that of all workers' rows; callbacks are those of Keras.

    Args:
        model: the compiled model, its optimiser built.
        transformed: Transform's artifact.
        watch: who follows the training.
        callbacks: further Keras callbacks.
        strategy: where the model was built.
        work: directory for the checkpoint, which is read if there is one; none where not given.
        logs: directory of TensorBoard's files; none where not given.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        transformed: Path,
        watch: Watch,
        callbacks: Sequence[keras.callbacks.Callback],
        strategy: tf.distribute.Strategy,
        work: Path | None,
        logs: Path | None,
    ) -> None:
        spec = model.config.training
        self.model, self.epochs, self.watch = model, spec.epochs, watch
        self._transformed = transformed
        self._batches = -(-watch.rows // spec.batch_size)
        self._validation = None
        if any((transformed / "validation").glob("*.parquet")):
            self._validation = read_examples(
                transformed / "validation", model.config, shuffle=False
            )
        self._learn, self._measure = learning(model, strategy), measuring(model)
        self.budget = None
        if spec.budget is not None:
            rows = rows_by_scenario(transformed / "train", model.config)
            self.budget = Control(model, transformed, rows)
        self.cosines = Cosines(model, transformed / "train", self._batches)
        self._callbacks = keras.callbacks.CallbackList(
            [watch, *callbacks],
            model=model,
            epochs=spec.epochs,
            steps=self._batches,
            verbose=0,
        )
        state = state_of(model)
        self.stopping = EarlyStopping(spec.early_stopping, state) if spec.early_stopping else None
        self._checkpoint: Checkpoint | None = None
        if work is not None:
            work.mkdir(parents=True, exist_ok=True)
            self._checkpoint = Checkpoint(work / _FILE, state, self._identity())
        writes = is_chief(strategy)
        self._due = Due(spec.checkpoints, writes and work is not None)
        self._logs = logs if writes else None

    def run(self) -> None:
        """Trains, and leaves the model as of the last epoch, or of the best one."""
        place = self._resume()
        begun = place.epoch > 0 or place.batch > 0
        files = EventFiles(self._logs, keep=begun) if self._logs else None
        logs: Figures = {}
        self.model.stop_training = False
        if self.budget is not None:
            self.budget.start()
        self._callbacks.on_train_begin()
        examples = read_examples(
            self._transformed / "train",
            self.model.config,
            epoch=place.epoch,
            skip=place.batch,
            last_only=self.model.config.whole_sequences,
        )
        for epoch in range(place.epoch, self.epochs):
            self._callbacks.on_epoch_begin(epoch)
            self._pass(place, iter(examples))
            logs = self._end(epoch, place.means)
            if files:
                files.write((epoch + 1) * self._batches, logs)
            if self.model.stop_training:
                break
            place = Place(epoch + 1, 0, Means())
        if self.stopping:
            self.stopping.restore_best()
        self._callbacks.on_train_end(logs)
        if files:
            files.close()

    def _pass(self, place: Place, iterator: Iterator[Any]) -> None:
        """Learns from the batches of an epoch, or from those that are left of it."""
        for batch in range(place.batch, self._batches):
            self._callbacks.on_train_batch_begin(batch)
            seen = self._step(iterator)
            self.watch.check(batch, seen.figures)
            place.means.add(seen)
            self.cosines.after(place.epoch, batch)
            self._callbacks.on_train_batch_end(batch, place.means.result())
            if self.budget is not None and self.budget.over:
                self.model.stop_training = True
            if self.model.stop_training:
                return
            if self._due.step():
                self._write(Place(place.epoch, batch + 1, place.means))

    def _step(self, iterator: Iterator[Any]) -> Batch:
        if self.budget is None:
            return self._learn(iterator, None)
        part = self.budget.next()
        began = time.monotonic()
        seen = self._learn(iterator, part)
        self.budget.took(part, time.monotonic() - began)
        return seen

    def _end(self, epoch: int, means: Means) -> Figures:
        """Measures what an epoch has brought, and decides whether it was the last."""
        logs = means.result()
        if self._validation is not None:
            logs |= {f"val_{n}": value for n, value in self._measure(self._validation).items()}
        logs |= balance(self.model)
        self.model.balancer.end_epoch()
        if self.stopping:
            logs |= measure(self.stopping.spec, self.model, self._transformed)
            if self.stopping.update(epoch + 1, logs):
                self.model.stop_training = True
        self._callbacks.on_epoch_end(epoch, logs)
        return logs

    def _write(self, place: Place) -> None:
        assert self._checkpoint is not None
        began = time.monotonic()
        progress = {
            "epoch": place.epoch,
            "batch": place.batch,
            "sums": place.means.sums,
            "weights": place.means.weights,
            "seconds": self.watch.elapsed,
            "epochs": self.watch.epochs,
            "cosines": self.cosines.records,
            "stopping": self.stopping.state() if self.stopping else None,
            "budget": self.budget.state() if self.budget else None,
        }
        self._checkpoint.write(progress, self.stopping.kept if self.stopping else ())
        self._due.written(time.monotonic() - began)

    def _resume(self) -> Place:
        found = self._checkpoint.read() if self._checkpoint else None
        if found is None:
            return Place(0, 0, Means())
        progress, kept = found
        means = Means(progress["sums"], progress["weights"])
        self.watch.epochs, self.watch.seconds = progress["epochs"], progress["seconds"]
        self.cosines.records = progress["cosines"]
        if self.budget:
            self.budget.resume(progress["budget"])
        if self.stopping:
            self.stopping.resume(progress["stopping"], kept)
        return Place(progress["epoch"], progress["batch"], means)

    def _identity(self) -> str:
        """Of the configuration and the rows, so that no other training is gone on with."""
        config = self.model.config.model_dump(
            mode="json", exclude={"training": {"checkpoints", "tensorboard"}}
        )
        about = [config, self.model.policy, self._batches]
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
