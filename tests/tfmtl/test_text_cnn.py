"""Convolution over tokens, against loops over positions and filters."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmtl.layers.text_cnn import TextCnn

LENGTHS = [6, 2, 1, 0]


@pytest.fixture(scope="module")
def texts() -> tuple[np.ndarray, np.ndarray]:
    rows = np.random.default_rng(1).normal(size=(4, 6, 3)).astype(np.float32)
    return rows, np.arange(6) < np.array(LENGTHS)[:, None]


def slowly(rows, present, kernel, bias, width):
    """Each filter at each token, one number at a time."""
    found = np.zeros((len(rows), bias.size))
    for text in range(len(rows)):
        for f in range(bias.size):
            answers = [0.0]
            for at in range(rows.shape[1]):
                if not present[text, at]:
                    continue
                total = float(bias[f])
                for step in range(width):
                    token = at + step - (width - 1) // 2
                    if 0 <= token < rows.shape[1] and present[text, token]:
                        for d in range(rows.shape[2]):
                            total += kernel[step * rows.shape[2] + d, f] * rows[text, token, d]
                answers.append(max(total, 0.0))
            found[text, f] = max(answers)
    return found


@pytest.mark.parametrize("width", [1, 2, 5, 9])
def test_the_largest_answer_of_each_filter(texts, width: int) -> None:
    rows, present = texts
    layer = TextCnn(filters=4, width=width)
    layer(rows, present)
    random = np.random.default_rng(width)
    weights = [random.normal(size=w.shape).astype(np.float32) for w in layer.get_weights()]
    layer.set_weights(weights)
    expected = slowly(rows, present, *weights, width)
    np.testing.assert_allclose(layer(rows, present), expected, rtol=1e-4, atol=1e-5)
    assert (expected[3] == 0).all()  # a text without tokens


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_padding_is_not_read(texts, dtype: str) -> None:
    rows, present = texts
    layer = TextCnn(filters=4, width=3, dtype=dtype)
    other = np.where(present[:, :, None], rows, 7.0)
    found, again = (tf.cast(layer(one, present), tf.float32).numpy() for one in (rows, other))
    np.testing.assert_array_equal(found, again)


def test_dropout_is_of_training_alone(texts) -> None:
    rows, present = texts
    keras.utils.set_random_seed(3)
    layer = TextCnn(filters=64, width=3, dropout=0.5)
    still = layer(rows, present).numpy()
    learning = layer(rows, present, training=True).numpy()
    np.testing.assert_allclose(learning[learning > 0], 2 * still[learning > 0], rtol=1e-5)
    assert (learning[0] == 0).sum() > (still[0] == 0).sum()


@pytest.mark.parametrize(("filters", "width"), [(0, 3), (3, 0)])
def test_sizes_are_positive(filters: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1. Received: {filters} and {width}"):
        TextCnn(filters, width)
