"""Platt scaling: a task's logits brought to what the validation rows say, scenario by scenario."""

import keras
import numpy as np
import tensorflow as tf

_STEPS, _ENOUGH = 50, 1e-10


class PlattScaling(keras.layers.Layer):
    """A scale and a shift of a binary task's logits, by scenario.

        p = sigmoid(a_s * logit + b_s)

    Until it is fitted it leaves logits as they are. The scales are positive, so that the order of a
    scenario's rows stays; nothing of it is learnt by gradients.

    Args:
        scenarios: how many there are; rows of an unknown one have a scale and shift of their own.

    Call arguments:
        logits: `[batch]`.
        scenario: int32 `[batch]`, from 0; `scenarios` where unknown.

    Returns:
        `[batch]`.

    Reference:
        Platt, "Probabilistic outputs for support vector machines and comparisons to regularized
        likelihood methods", 1999. Its smoothed targets stand here as a penalty towards the
        pooled fit.

    Example:
        >>> layer = PlattScaling(scenarios=1)
        >>> layer.assign(np.array([[2.0, -1.0], [1.0, 0.0]]))
        >>> layer(tf.constant([3.0, 3.0]), tf.constant([0, 1])).numpy().tolist()
        [5.0, 3.0]
    """

    def __init__(self, scenarios: int, name: str = "calibration") -> None:
        super().__init__(name=name, dtype="float32", trainable=False)
        self.scenarios = scenarios
        self.scales = self.add_weight(
            shape=(scenarios + 1, 2),
            initializer=lambda shape, dtype: keras.ops.convert_to_tensor([[1.0, 0.0]] * shape[0]),
            trainable=False,
            name="scales",
        )
        self.built = True

    def call(self, logits: tf.Tensor, scenario: tf.Tensor) -> tf.Tensor:
        own = tf.gather(tf.convert_to_tensor(self.scales), scenario)
        return own[:, 0] * logits + own[:, 1]

    def assign(self, scales: np.ndarray) -> None:
        """Sets scale and shift of every scenario, `[scenarios + 1, 2]`."""
        self.scales.assign(scales)


def fit_platt(
    logits: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    prior: tuple[float, float] = (1.0, 0.0),
    strength: float = 1.0,
) -> tuple[float, float]:
    """Scale and shift with the smallest cross-entropy, held near a prior.

    Minimises `sum_i w_i CE(y_i, a z_i + b) + strength / 2 ((a - a0)^2 + (b - b0)^2)` by Newton's
    method, which is convex; a scale that would not be positive stays at the prior's, and only the
    shift is fitted.

    Args:
        logits: `[rows]`.
        labels: 0 or 1, `[rows]`.
        weights: of the rows, `[rows]`.
        prior: scale and shift where the rows say nothing.
        strength: how many rows the prior weighs against, roughly four for each unit.

    Returns:
        Scale and shift.

    Example:
        >>> fit_platt(np.zeros(0), np.zeros(0), np.zeros(0))
        (1.0, 0.0)
    """
    fitted = _newton(logits, labels, weights, np.array(prior, np.float64), strength, (0, 1))
    if fitted[0] <= 0:
        fitted = _newton(logits, labels, weights, np.array(prior, np.float64), strength, (1,))
    return float(fitted[0]), float(fitted[1])


def _newton(
    logits: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    prior: np.ndarray,
    strength: float,
    free: tuple[int, ...],
) -> np.ndarray:
    """The minimum over the free ones of scale and shift; steps that do not gain are halved."""
    design = np.stack([logits, np.ones_like(logits)], axis=1).astype(np.float64)
    at = prior.copy()
    value = _objective(design, labels, weights, at, prior, strength)
    for _ in range(_STEPS):
        chances = 1 / (1 + np.exp(-np.clip(design @ at, -500, 500)))
        gradient = design.T @ (weights * (chances - labels)) + strength * (at - prior)
        curvature = (design.T * (weights * chances * (1 - chances))) @ design
        curvature += strength * np.eye(2)
        step = np.zeros(2)
        step[list(free)] = np.linalg.solve(curvature[np.ix_(free, free)], gradient[list(free)])
        size = 1.0
        while size > _ENOUGH:
            moved = at - size * step
            found = _objective(design, labels, weights, moved, prior, strength)
            if found < value:
                break
            size /= 2
        else:
            return at
        gained, at, value = value - found, moved, found
        if gained <= _ENOUGH * max(1.0, abs(value)):
            return at
    return at


def _objective(
    design: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    at: np.ndarray,
    prior: np.ndarray,
    strength: float,
) -> float:
    scores = design @ at
    losses = np.logaddexp(0, scores) - labels * scores
    return float(weights @ losses + strength / 2 * np.sum((at - prior) ** 2))
