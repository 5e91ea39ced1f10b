"""Further training of a trained model, also with tasks or scenarios it did not have."""

from collections.abc import Sequence
from pathlib import Path

import keras

from tfmtl.config import Config
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import load_model
from tfmtl.optimizers import build_optimizer
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.training.carried_optimizer import transfer_optimizer
from tfmtl.training.extending import begin
from tfmtl.training.finite_labels import check_labels
from tfmtl.training.precision import dtype_policy
from tfmtl.training.rated import Rated
from tfmtl.training.strategies import build_strategy, building
from tfmtl.training.trainer import Trained, fit, steps_of
from tfmtl.training.watch import OnBatch, silent


def finetune(
    config: Config,
    transformed: Path,
    base: Path,
    on_batch: OnBatch = silent,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    work: Path | None = None,
    logs: Path | None = None,
) -> tuple[Trained, list[str]]:
    """Trains a model on from another one's weights.

    Args:
        config: what the tuned model shall be; it may have tasks and scenarios that the base lacks.
        transformed: Transform's artifact, made with the base's vocabularies, which may have grown.
        base: directory of the trained model.
        on_batch: told how far training has come.
        callbacks: Keras callbacks, which follow the training too.
        work: directory for checkpoints, as of `train`.
        logs: directory of TensorBoard's files, as of `train`.

    Returns:
        The tuned model, and the names of the variables that started anew.
    """
    strategy = build_strategy(config.training)
    keras.utils.set_random_seed(config.seed)
    preprocessor = Preprocessor(config, transformed)
    sizes = preprocessor.vocabulary_sizes
    check_labels(config, transformed / "train")
    rated = Rated(config, transformed / "train")
    with building(strategy):
        policy = dtype_policy(config.training)
        model = MultiTaskModel(config, sizes, policy, preprocessor.encoders, rated.counts)
        source = load_model(base)
        anew = begin(model, source, transformed)
        rated.tell(model)
        steps = steps_of(config, transformed)
        model.compile(optimizer=build_optimizer(config.training.optimizer, steps))
        if config.training.keep_optimizer:
            model.optimizer.build(model.trainable_variables)
            transfer_optimizer(source, model)
    return fit(model, transformed, on_batch, callbacks, work, logs, strategy), anew
