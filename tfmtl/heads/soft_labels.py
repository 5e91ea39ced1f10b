"""Losses against what a teacher predicts, in place of labels.

With temperature T the teacher's probabilities are `softmax(t / T)` and the student's `softmax(s /
T)`; the loss is their cross-entropy times T^2, so that gradients are of one size whatever T. Of
numbers it is the squared difference.

Reference: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015.
"""

import tensorflow as tf


def of_events(teacher: tf.Tensor, student: tf.Tensor, temperature: float) -> tf.Tensor:
    """Cross-entropy of events, of the shape of both, from their logits.

    Example:
        >>> of_events(tf.constant([0.0]), tf.constant([0.0]), 1.0).numpy().round(4)
        array([0.6931], dtype=float32)
    """
    wanted = tf.sigmoid(teacher / temperature)
    found = tf.nn.sigmoid_cross_entropy_with_logits(wanted, student / temperature)
    return temperature**2 * found


def of_classes(teacher: tf.Tensor, student: tf.Tensor, temperature: float) -> tf.Tensor:
    """Cross-entropy of classes `[rows]`, from logits `[rows, classes]`."""
    wanted = tf.nn.softmax(teacher / temperature)
    found = tf.nn.softmax_cross_entropy_with_logits(wanted, student / temperature)
    return temperature**2 * found


def of_numbers(teacher: tf.Tensor, student: tf.Tensor) -> tf.Tensor:
    """Squared difference of numbers, of the shape of both."""
    return tf.square(student - teacher)


def weighted_mean(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Mean of the values with these weights; 0 where there is none."""
    return tf.math.divide_no_nan(tf.reduce_sum(weights * values), tf.reduce_sum(weights))
