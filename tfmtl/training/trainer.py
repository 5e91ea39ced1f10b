"""Trains a model on Transform's examples."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import pyarrow.dataset as ds
import tensorflow as tf

from tfmtl.config import Config
from tfmtl.heads import BinaryHead, MultiClassHead
from tfmtl.models.known_items import know_catalogue
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.optimizers import build_optimizer
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.training.base_rates import class_counts, starting_bias
from tfmtl.training.calibrating import calibrate, reset
from tfmtl.training.event_rates import event_rates
from tfmtl.training.finite_labels import check_labels
from tfmtl.training.learning_parts import learning_parts
from tfmtl.training.loop import Loop
from tfmtl.training.number_bounds import start_at_quantiles
from tfmtl.training.precision import dtype_policy
from tfmtl.training.rated import Rated
from tfmtl.training.start_at_checkpoints import start_at_checkpoints
from tfmtl.training.strategies import build_strategy, building, check
from tfmtl.training.thresholding import tune_thresholds
from tfmtl.training.watch import OnBatch, Watch, silent


@dataclass(frozen=True)
class Trained:
    """A trained model.

    Attributes:
        model: the model, of the best epoch where training stops early.
        epochs: what every epoch showed.
        best: number of the epoch whose model it is, from 1.
        cosines: of the gradients, as `Cosines` records them, where the configuration wants them.
        budget: what became of it, as `Control` reports it, where there is one.
    """

    model: MultiTaskModel
    epochs: list[dict[str, float]]
    best: int
    cosines: list[dict[str, Any]] = field(default_factory=list)
    budget: dict[str, Any] | None = None


def train(
    config: Config,
    transformed: Path,
    on_batch: OnBatch = silent,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    work: Path | None = None,
    logs: Path | None = None,
) -> Trained:
    """Builds and trains the model of a configuration.

    Args:
        config: the configuration.
        transformed: Transform's artifact: examples by split, vocabularies, moments.
        on_batch: told how far training has come.
        callbacks: Keras callbacks, which follow the training too.
        work: directory for checkpoints; training goes on from the one that a killed process left.
            None are written where it is not given.
        logs: directory of TensorBoard's files, where the configuration wants them; `tensorboard`
            where not given.

    Raises:
        TrainingError: a label is not finite, or a task's loss no longer is.
        ConfigError: the configuration wants several workers and cannot have them.

    Example:
        >>> stop = keras.callbacks.TerminateOnNaN()
        >>> model = train(config, Path("out/shop/artifacts/transformed"), callbacks=[stop]).model
    """
    strategy = build_strategy(config.training)
    keras.utils.set_random_seed(config.seed)
    preprocessor = Preprocessor(config, transformed)
    check_labels(config, transformed / "train")
    rated = Rated(config, transformed / "train")
    with building(strategy):
        model = MultiTaskModel(
            config,
            preprocessor.vocabulary_sizes,
            dtype_policy(config.training),
            preprocessor.encoders,
            rated.counts,
        )
        rated.tell(model)
        start_at_checkpoints(model, transformed)
        start_at_label_means(model, transformed / "train")
        start_at_quantiles(model, transformed / "train")
        steps = steps_of(config, transformed)
        model.compile(optimizer=build_optimizer(config.training.optimizer, steps))
    return fit(model, transformed, on_batch, callbacks, work, logs, strategy)


def fit(
    model: MultiTaskModel,
    transformed: Path,
    on_batch: OnBatch = silent,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    work: Path | None = None,
    logs: Path | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> Trained:
    """Trains a compiled model on the `train` split, watching the `validation` split, of which its
    calibrated tasks then take their scales, and others their thresholds.

    Args:
        model: the model; its configuration says how long.
        transformed: Transform's artifact.
        on_batch: told how far training has come.
        callbacks: Keras callbacks.
        work: directory for checkpoints.
        logs: directory of TensorBoard's files, where the configuration wants them.
        strategy: where the model was built, if on several workers.
    """
    strategy = strategy or tf.distribute.get_strategy()
    spec = model.config.training
    check(strategy, spec)
    know_catalogue(model, transformed)
    watch = Watch(model.config, _rows(transformed / "train"), spec.epochs, on_batch)
    if spec.tensorboard and logs is None:
        logs = Path("tensorboard" if spec.tensorboard is True else spec.tensorboard)
    reset(model)
    with learning_parts(model, strategy):
        loop = Loop(
            model, transformed, watch, callbacks, strategy, work, logs if spec.tensorboard else None
        )
        loop.run()
    calibrate(model, transformed / "validation")
    tune_thresholds(model, transformed / "validation")
    best = loop.stopping.epoch if loop.stopping else len(watch.epochs)
    budget = loop.budget.report() if loop.budget else None
    return Trained(model, watch.epochs, best, loop.cosines.records, budget)


def steps_of(config: Config, transformed: Path) -> int:
    """Steps of a whole training: batches of all epochs."""
    return config.training.epochs * -(-_rows(transformed / "train") // config.training.batch_size)


def start_at_label_means(model: MultiTaskModel, examples: Path) -> None:
    """Sets the heads' biases so that an untrained model predicts the training rows' mean label,
    of classes their shares, and the weights of classes that are balanced.

    Without it the first steps go into learning the base rates, which for rare positives takes
    long and unsettles the shared layers.
    """
    if model.ranking is None:
        return
    rows = ds.dataset(examples, format="parquet")
    funnel = model.ranking.funnel
    rates = event_rates(examples, model.config, funnel is not None and funnel.conditional)
    for name, task in model.config.ranking_tasks.items():
        head = model.ranking.heads[name]
        bias = head.output_layer.bias
        if isinstance(head, BinaryHead):
            if name in rates:
                bias.assign([head.score_of(rates[name])])
            continue
        labels = rows.to_table(columns=[columns.label(name)])[0]
        if isinstance(head, MultiClassHead):
            head.weigh(class_counts(labels, bias.shape[0]))
        start = starting_bias(labels, task, bias.shape[0])
        if start is not None:
            bias.assign(start)


def _rows(split: Path) -> int:
    return ds.dataset(split, format="parquet").count_rows()
