"""Cross-entropy over the catalogue's items, whole and estimated from some that are drawn."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmtl.config import ConfigError, parse
from tfmtl.config.retrieval_losses import AllItems, Sampled
from tfmtl.heads.catalogue_softmax import CatalogueSoftmax
from tfmtl.models.known_items import know_catalogue
from tfmtl.training.examples import read_examples
from tfmtl.training.trainer import train

ITEMS = np.random.default_rng(1).normal(size=(7, 3)).astype("f")
QUERIES = np.random.default_rng(2).normal(size=(4, 3)).astype("f")
PLACES = np.array([0, 3, 3, 6])
FREQUENCIES = np.array([0.5, 0.25, 0.0, 0.125, 0.125, 0.0, 0.0])
EXACT = [
    np.log(np.exp(q @ ITEMS.T / 0.5).sum()) - q @ ITEMS[p] / 0.5
    for q, p in zip(QUERIES.astype("d"), PLACES, strict=True)
]


def losses(spec, training=True, temperature=0.5, frequencies=FREQUENCIES):
    softmax = CatalogueSoftmax(spec, temperature, seed=3, dtype="float32", name="softmax")
    softmax.know(frequencies)
    return softmax.losses(
        tf.constant(QUERIES),
        tf.constant(PLACES, tf.int32),
        lambda at: tf.gather(tf.constant(ITEMS), at),
        training,
    ).numpy()


def test_all_items():
    np.testing.assert_allclose(losses(AllItems()), EXACT, rtol=1e-5)


@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
def test_many_drawn_items_come_to_all_items(power):
    found = losses(Sampled(negatives=400_000, power=power))
    np.testing.assert_allclose(found, EXACT, rtol=5e-3)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.floats(0, 1))
def test_drawn_items_worked_out(count, power):
    """The items that were drawn are read off the vectors that were asked for."""
    softmax = CatalogueSoftmax(Sampled(negatives=count, power=power), 1.0, 3, "float32", "softmax")
    softmax.know(FREQUENCIES)
    asked = []

    def vectors(at):
        asked.append(at.numpy())
        return tf.gather(tf.constant(ITEMS), at)

    found = softmax.losses(
        tf.constant(QUERIES), tf.constant(PLACES, tf.int32), vectors, training=True
    ).numpy()
    places, drawn = np.split(asked[0], [4])
    assert places.tolist() == PLACES.tolist()
    chances = (FREQUENCIES + 0.125) ** power
    chances /= chances.sum()
    for query, own, loss in zip(QUERIES.astype("d"), PLACES, found, strict=True):
        whole = np.exp(query @ ITEMS[own])
        for j in drawn:
            if j != own:
                whole += np.exp(query @ ITEMS[j]) / (count * chances[j])
        assert loss == pytest.approx(np.log(whole) - query @ ITEMS[own], abs=1e-4)


def test_draws_differ_in_training_and_do_not_in_validation():
    softmax = CatalogueSoftmax(Sampled(negatives=50), 1.0, 3, "float32", "softmax")
    softmax.know(np.full(1000, 1e-3))
    seen = []

    def vectors(at):
        seen.append(at.numpy()[4:].tolist())
        return tf.zeros([len(at), 3])

    for training in (True, True, False, False):
        softmax.losses(tf.constant(QUERIES), tf.constant(PLACES, tf.int32), vectors, training)
    assert seen[0] != seen[1]
    assert seen[2] == seen[3]


def test_items_are_drawn_as_often_as_their_frequency_says():
    softmax = CatalogueSoftmax(Sampled(negatives=100_000, power=1.0), 1.0, 3, "float32", "softmax")
    softmax.know(FREQUENCIES)
    counts = np.zeros(7)

    def vectors(at):
        counts[:] = np.bincount(at.numpy()[4:], minlength=7)
        return tf.zeros([len(at), 3])

    softmax.losses(tf.constant(QUERIES), tf.constant(PLACES, tf.int32), vectors, True)
    wanted = (FREQUENCIES + 0.125) / (1 + 7 * 0.125)
    np.testing.assert_allclose(counts / 100_000, wanted, atol=5e-3)


@pytest.mark.parametrize(
    "loss",
    ["all_items", pytest.param({"kind": "sampled", "negatives": 5}, marks=pytest.mark.slow)],
)
def test_a_model_learns_by_it(transformed: Path, loss):
    changes = {
        "tasks": {"retrieve": {**tiny.RAW["tasks"]["retrieve"], "loss": loss}},
        "training.epochs": 6,
        "training.optimizer": {"dense": {"kind": "adam", "learning_rate": 0.05}},
    }
    config = tiny.make_config(changes)
    trained = train(config, transformed)
    first, *_, last = (epoch["loss/retrieve"] for epoch in trained.epochs)
    assert last < first
    model = trained.model
    x, y, weights = next(iter(read_examples(transformed / "train", config, shuffle=False)))
    found = model.losses_by_task(x, y, weights)["retrieve"]
    if loss == "all_items":
        rows = np.flatnonzero(y["retrieve"].numpy() > 0)
        queries = model.query_vectors(x).numpy()[rows]
        assert model.retrieval is not None
        items = model.item_vectors(model.retrieval._catalogue).numpy()
        scores = queries @ items.T
        own = scores[np.arange(len(rows)), x["meta/item"].numpy()[rows]]
        wanted = np.log(np.exp(scores).sum(axis=1)) - own
        assert float(found) == pytest.approx(
            np.average(wanted, weights=weights.numpy()[rows]), rel=1e-4
        )


def test_a_model_that_knows_no_catalogue_says_so(transformed: Path):
    model = tiny.make_model({"tasks.retrieve.loss": "all_items"})
    batch = next(iter(read_examples(transformed / "train", model.config)))
    with pytest.raises(
        ValueError, match=r"task 'retrieve': its loss goes over the catalogue; tell"
    ):
        model.losses_by_task(*batch)
    know_catalogue(model, transformed)
    assert np.isfinite(float(model.losses_by_task(*batch)["retrieve"]))


def test_hard_negatives_are_a_batchs():
    changes = {"tasks.retrieve.loss": "sampled", "tasks.retrieve.hard_negatives": 3}
    with pytest.raises(ConfigError, match=r"hard_negatives: they are chosen among a batch's items"):
        parse(tiny.make_raw(changes))
