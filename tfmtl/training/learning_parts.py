"""What of a model a training changes, and how fast."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from tfmtl.models.adapters import adapt, learns_by_adapters, merge
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.parts import set_rates
from tfmtl.training.strategies import building


@contextmanager
def learning_parts(model: MultiTaskModel, strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Freezes, slows down and adapts parts of a compiled model while it lasts, as its
    configuration says, and builds its optimiser.

    What is frozen learns by its adapters still, if it has some. When training ends these are taken
    into the weights, and the model has no optimiser any more. A model without adapters keeps one
    that knows every variable, the frozen ones among them, so that a later training can go on with
    its state.

    Raises:
        ConfigError: a pattern that matches no part, or a rank above a weight's.
    """
    spec = model.config.training
    with building(strategy):
        adapted = learns_by_adapters(model)
        if not adapted:
            model.optimizer.build(model.trainable_variables)
        model.freeze(*spec.freeze)
        if adapted:
            adapt(model, spec.lora)
            model.optimizer.build(model.trainable_variables)
    # Adapters have rates too.
    set_rates(model, spec.optimizer.rates)
    yield
    merge(model)
    model.freeze()
