"""Learning rates that differ from part to part of a network."""

import keras
import tensorflow as tf


def own_rate(
    optimizer: keras.optimizers.Optimizer, index: int, learning_rate: tf.Tensor
) -> tf.Tensor:
    """The learning rate of one of an optimiser's variables: its own factor times that of all.

    Discriminative fine-tuning of Howard and Ruder, "Universal language model fine-tuning for text
    classification" (2018), section 3.2. A variable without the attribute `rate_factor` has 1.

    Args:
        optimizer: the optimiser.
        index: of the variable.
        learning_rate: of this step.
    """
    variable = optimizer._trainable_variables[index]
    return learning_rate * getattr(variable, "rate_factor", 1.0)
