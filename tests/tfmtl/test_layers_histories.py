"""Encoders of histories against their papers' equations, worked out by hand or in numpy."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmtl.layers.history import HistoryEncoder
from tfmtl.layers.pooling import mean_pooling
from tfmtl.layers.recurrent import Recurrent
from tfmtl.layers.self_attention import SelfAttention
from tfmtl.layers.target_attention import TargetAttention

DIM, LENGTH = 4, 5


def make(kind: str, dtype: str = "float32") -> HistoryEncoder:
    """An encoder with weights that are not at their start values."""
    encoder = {
        "din": lambda: TargetAttention(DIM, units=[3, 2], dtype=dtype),
        "gru": lambda: Recurrent(DIM, "gru", dtype=dtype),
        "gru of 3": lambda: Recurrent(DIM, "gru", units=3, dtype=dtype),
        "lstm": lambda: Recurrent(DIM, "lstm", dtype=dtype),
        "sasrec": lambda: SelfAttention(DIM, LENGTH, blocks=2, dtype=dtype),
        "sasrec of 2 heads": lambda: SelfAttention(DIM, LENGTH, heads=2, dtype=dtype),
    }[kind]()
    encoder(tf.zeros([1, LENGTH, DIM]), tf.ones([1, LENGTH], tf.bool), tf.zeros([1, DIM]))
    random = np.random.default_rng(1)
    for variable in encoder.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.7)
    return encoder


KINDS = ["din", "gru", "gru of 3", "lstm", "sasrec", "sasrec of 2 heads"]
ENCODERS = {kind: make(kind) for kind in KINDS}


def batch(lengths: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Items, where they are, candidates; what is padded is noise."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(len(lengths), LENGTH, DIM)).astype("f")
    present = np.arange(LENGTH)[None, :] < np.array(lengths)[:, None]
    return rows, present, random.normal(size=(len(lengths), DIM)).astype("f")


def encode(encoder: HistoryEncoder, *inputs: np.ndarray) -> np.ndarray:
    return encoder(*(tf.constant(values) for values in inputs)).numpy()


def weights(encoder: HistoryEncoder) -> dict[str, np.ndarray]:
    return {variable.path.split("/", 1)[-1]: np.array(variable) for variable in encoder.variables}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_the_activation_unit_by_hand() -> None:
    """Zhou et al. 2018, equation 3: a sum of weighted items, the weights not normalised."""
    layer = TargetAttention(1, units=[1])
    rows, present = tf.constant([[[1.0], [-1.0], [9.0]]]), tf.constant([[True, True, False]])
    candidate = tf.constant([[1.0]])
    layer(rows, present, candidate)
    layer.kernel.assign([[1.0], [2.0], [3.0]])  # e + 2 v + 3 e v is 6 and -2
    layer.output_layer.kernel.assign([[2.0]])  # twice PReLU of 6 and -2, 12 and -1, plus 0.5
    layer.output_layer.bias.assign([0.5])
    assert layer.weights_of(rows, present, candidate).numpy().tolist() == [[12.5, -0.5, 0.0]]
    assert layer(rows, present, candidate).numpy().tolist() == [[13.0]]


def test_target_attention_by_numpy() -> None:
    """The same with the items, the candidate and their products written out."""
    rows, present, candidate = batch([5, 2, 0])
    layer = ENCODERS["din"]
    expected = np.zeros([3, DIM])
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    first, second = (np.array(activation.alpha) for activation in layer.activations)
    dense, last = layer.hidden[0], layer.output_layer
    for i, j in zip(*np.nonzero(present), strict=True):
        e, v = rows[i, j], candidate[i]
        s = np.concatenate([e, v, e * v]) @ kernel + bias
        s = np.where(s > 0, s, first * s) @ dense.kernel.numpy() + dense.bias.numpy()
        a = np.where(s > 0, s, second * s) @ last.kernel.numpy() + last.bias.numpy()
        expected[i] += a * e
    np.testing.assert_allclose(encode(layer, rows, present, candidate), expected, rtol=1e-4)


def test_a_gated_recurrent_unit_by_numpy() -> None:
    """Cho et al. 2014, equations 5 to 8, from the oldest item to the latest."""
    rows, present, candidate = batch([5, 3, 1])
    layer = ENCODERS["gru of 3"]
    w, u, b = (np.array(v) for v in layer.network.trainable_variables)
    (w_z, w_r, w_h), (u_z, u_r, u_h), (b_z, b_r, b_h) = (np.split(m, 3, -1) for m in (w, u, b))
    states = np.zeros([3, 3])
    for i, length in enumerate([5, 3, 1]):
        for x in rows[i, :length][::-1]:
            h = states[i]
            z, r = sigmoid(x @ w_z + h @ u_z + b_z), sigmoid(x @ w_r + h @ u_r + b_r)
            states[i] = z * h + (1 - z) * np.tanh(x @ w_h + (r * h) @ u_h + b_h)
    expected = states @ layer.projection.kernel.numpy()
    np.testing.assert_allclose(encode(layer, rows, present, candidate), expected, rtol=1e-4)


def test_a_long_short_term_memory_by_numpy() -> None:
    """Hochreiter and Schmidhuber 1997 with forget gates, from the oldest item to the latest."""
    rows, present, candidate = batch([4, 1, 5])
    layer = ENCODERS["lstm"]
    w, u, b = (np.array(v) for v in layer.network.trainable_variables)
    expected = np.zeros([3, DIM])
    for row, length in enumerate([4, 1, 5]):
        h, c = np.zeros(DIM), np.zeros(DIM)
        for x in rows[row, :length][::-1]:
            i, f, g, o = np.split(x @ w + h @ u + b, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        expected[row] = h
    np.testing.assert_allclose(encode(layer, rows, present, candidate), expected, rtol=1e-4)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_dropout_takes_numbers_of_items_in_training_only(cell: str) -> None:
    rows, present, candidate = batch([4, 1, 5])
    plain, dropping = Recurrent(DIM, cell), Recurrent(DIM, cell, dropout=0.5)
    encode(plain, rows, present, candidate)
    encode(dropping, rows, present, candidate)
    for own, variable in zip(dropping.trainable_variables, plain.trainable_variables, strict=True):
        own.assign(variable)
    given = (tf.constant(rows), tf.constant(present), tf.constant(candidate))
    np.testing.assert_array_equal(dropping(*given), plain(*given))
    # Each of a row's four numbers is doubled or 0, in all items alike: sixteen results.
    masks = [[2.0 * (n >> i & 1) for i in range(DIM)] for n in range(2**DIM)]
    expected = [encode(plain, rows * np.float32(m), present, candidate) for m in masks]
    for _ in range(3):
        for row, found in enumerate(dropping(*given, training=True).numpy()):
            assert min(np.abs(found - one[row]).max() for one in expected) < 1e-5


def normalised(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-3) * gamma + beta


@pytest.mark.parametrize(("kind", "heads"), [("sasrec", 1), ("sasrec of 2 heads", 2)])
def test_self_attention_by_numpy(kind: str, heads: int) -> None:
    """Kang and McAuley 2018, equations 1 to 5, on the real items from the oldest to the latest."""
    rows, present, candidate = batch([5, 2, 1])
    layer = ENCODERS[kind]
    positions = layer.positions.numpy()
    expected = np.zeros([3, DIM])
    for row, length in enumerate([5, 2, 1]):
        x = (rows[row, :length] + positions[:length])[::-1].astype("d")
        for block in layer.blocks:
            (gamma_a, beta_a), (gamma_f, beta_f) = (
                (n.gamma.numpy(), n.beta.numpy()) for n in block.norms
            )
            normed = normalised(x, gamma_a, beta_a)
            q, k, v = (
                normed @ part.kernel.numpy() for part in (block.query, block.key, block.value)
            )
            seen = np.zeros_like(x)
            for head in np.split(np.arange(DIM), heads):
                for i in range(length):
                    logits = k[: i + 1, head] @ q[i, head] / np.sqrt(len(head))
                    shares = np.exp(logits) / np.exp(logits).sum()
                    seen[i, head] = shares @ v[: i + 1, head]
            x = x + seen
            inner = normalised(x, gamma_f, beta_f) @ block.inner.kernel.numpy()
            inner = np.maximum(inner + block.inner.bias.numpy(), 0)
            x = x + inner @ block.outer.kernel.numpy() + block.outer.bias.numpy()
        expected[row] = x[-1]
    found = encode(layer, rows, present, candidate)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=6, deadline=None)
@given(
    lengths=st.lists(st.integers(0, LENGTH), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    longer=st.integers(0, LENGTH),
)
def test_padding_never_counts(kind: str, lengths: list[int], seed: int, longer: int) -> None:
    rows, present, candidate = batch(lengths, seed)
    found = encode(ENCODERS[kind], rows, present, candidate)
    other = np.where(present[:, :, None], rows, 7.0).astype("f")
    np.testing.assert_allclose(
        encode(ENCODERS[kind], other, present, candidate), found, rtol=1e-5, atol=1e-6
    )
    cut = max(*lengths, longer, 1)
    shorter = encode(ENCODERS[kind], rows[:, :cut], present[:, :cut], candidate)
    np.testing.assert_allclose(shorter, found, rtol=1e-4, atol=1e-5)
    assert not found[np.array(lengths) == 0].any()


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(LENGTH)), seed=st.integers(0, 1000))
def test_no_order_for_mean_and_target_attention(order: list[int], seed: int) -> None:
    rows, present, candidate = batch([LENGTH, 3], seed)
    moved = rows[:, order], present[:, order], candidate
    found = encode(ENCODERS["din"], rows, present, candidate)
    np.testing.assert_allclose(encode(ENCODERS["din"], *moved), found, rtol=1e-3, atol=1e-5)
    mean = mean_pooling(tf.constant(rows), tf.constant(present.astype("i")))
    again = mean_pooling(tf.constant(moved[0]), tf.constant(moved[1].astype("i")))
    np.testing.assert_allclose(again, mean, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["gru", "lstm", "sasrec"])
def test_order_matters_to_the_others(kind: str) -> None:
    rows, present, candidate = batch([LENGTH])
    found = encode(ENCODERS[kind], rows, present, candidate)
    assert np.abs(encode(ENCODERS[kind], rows[:, ::-1], present, candidate) - found).max() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_empty_histories_and_batches(kind: str) -> None:
    rows, present, candidate = batch([0, 2])
    with tf.GradientTape() as tape:
        found = ENCODERS[kind](tf.constant(rows), tf.constant(present), tf.constant(candidate))
        loss = tf.reduce_sum(found**2)
    gradients = tape.gradient(loss, ENCODERS[kind].trainable_variables)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert any(np.any(gradient) for gradient in gradients)
    assert found[0].numpy().tolist() == [0.0] * DIM
    nobody = encode(ENCODERS[kind], rows[:0], present[:0], candidate[:0])
    assert nobody.shape == (0, DIM)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_comes_close(kind: str) -> None:
    rows, present, candidate = batch([5, 3, 0])
    rough = make(kind, "mixed_bfloat16")
    found = rough(tf.constant(rows), tf.constant(present), tf.constant(candidate))
    exact = encode(ENCODERS[kind], rows, present, candidate)
    scale = np.abs(exact).max()
    np.testing.assert_allclose(tf.cast(found, tf.float32), exact, atol=0.05 * scale)
    assert np.abs(tf.cast(found, tf.float32) - exact).max() > 0


def test_weights_of_items_are_float32() -> None:
    rows, present, candidate = (tf.constant(values) for values in batch([5, 3]))
    layer = make("din", "mixed_bfloat16")
    inputs = tf.cast(rows, tf.bfloat16), present, tf.cast(candidate, tf.bfloat16)
    assert layer.weights_of(*inputs).dtype == tf.float32


def test_dropout_is_on_in_training_only() -> None:
    layer = SelfAttention(DIM, LENGTH, dropout=0.5)
    rows, present, _ = (tf.constant(values) for values in batch([5, 3]))
    assert np.array_equal(layer(rows, present, None), layer(rows, present, None))
    first = layer(rows, present, None, training=True)
    assert not np.array_equal(layer(rows, present, None, training=True), first)


def test_what_encoders_refuse() -> None:
    with pytest.raises(ValueError, match=r"needs a hidden layer. Received: units=\[\]"):
        TargetAttention(4, units=[])
    with pytest.raises(
        ValueError, match=r"heads that divide the width. Received: blocks=2, heads=3"
    ):
        SelfAttention(4, 5, heads=3)
    with pytest.raises(ValueError, match=r"at least one block, .* Received: blocks=0"):
        SelfAttention(4, 5, blocks=0)
