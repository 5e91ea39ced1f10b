"""A transformer over tokens, against attention written as loops."""

import numpy as np
import pytest
import tensorflow as tf

from tfmtl.layers.text_transformer import TextTransformer

DIM, HEADS = 4, 2


@pytest.fixture(scope="module")
def texts() -> tuple[np.ndarray, np.ndarray]:
    rows = np.random.default_rng(1).normal(size=(3, 5, DIM)).astype(np.float32)
    return rows, np.arange(5) < np.array([5, 2, 0])[:, None]


def made(blocks: int, dtype: str = "float32") -> TextTransformer:
    layer = TextTransformer(DIM, length=7, blocks=blocks, heads=HEADS, dtype=dtype)
    layer(tf.zeros([1, 5, DIM]), tf.ones([1, 5], tf.bool))
    random = np.random.default_rng(blocks)
    for variable in layer.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.5)
    return layer


def normed(x: np.ndarray, norm) -> np.ndarray:
    scale, shift = (weight.numpy() for weight in norm.weights)
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-3) * scale + shift


def slowly(tokens: np.ndarray, layer: TextTransformer) -> np.ndarray:
    """The vector of one text, whose tokens are all there."""
    x = tokens + layer.positions.numpy()[: len(tokens)]
    width = DIM // HEADS
    for block in layer.blocks:
        before = normed(x, block.norms[0])
        query, key, value = (
            before @ part.kernel.numpy() for part in (block.query, block.key, block.value)
        )
        seen = np.zeros_like(x)
        for head in range(HEADS):
            own = slice(head * width, (head + 1) * width)
            for at in range(len(x)):
                likeness = np.array([query[at, own] @ key[to, own] for to in range(len(x))])
                shares = np.exp(likeness / width**0.5)
                seen[at, own] = (shares / shares.sum()) @ value[:, own]
        x = x + seen
        hidden = normed(x, block.norms[1]) @ block.inner.kernel.numpy() + block.inner.bias.numpy()
        x = x + np.maximum(hidden, 0) @ block.outer.kernel.numpy() + block.outer.bias.numpy()
    return normed(x, layer.norm).mean(axis=0)


@pytest.mark.parametrize("blocks", [1, 2])
def test_every_token_looks_at_all_that_are_there(texts, blocks: int) -> None:
    rows, present = texts
    layer = made(blocks)
    found = layer(rows, present).numpy()
    np.testing.assert_allclose(found[0], slowly(rows[0], layer), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found[1], slowly(rows[1, :2], layer), rtol=1e-3, atol=1e-4)
    assert (found[2] == 0).all()


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_padding_is_not_read(texts, dtype: str) -> None:
    rows, present = texts
    layer = made(2, dtype)
    other = np.where(present[:, :, None], rows, 7.0)
    found = layer(rows, present)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, layer(other, present), atol=1e-6)


def test_order_counts(texts) -> None:
    rows, present = texts
    layer = made(1)
    forward, backward = layer(rows, present)[0], layer(rows[:, ::-1], present)[0]
    assert np.abs(forward - backward).max() > 1e-3
    layer.positions.assign(np.zeros(layer.positions.shape))
    forward, backward = layer(rows, present)[0], layer(rows[:, ::-1], present)[0]
    np.testing.assert_allclose(forward, backward, atol=1e-5)


@pytest.mark.parametrize(("blocks", "heads"), [(0, 1), (1, 0), (1, 3)])
def test_heads_divide_the_width(blocks: int, heads: int) -> None:
    with pytest.raises(ValueError, match=f"Received: blocks={blocks}, heads={heads}, dim=4"):
        TextTransformer(DIM, 5, blocks, heads)
