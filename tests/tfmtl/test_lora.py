"""Low-rank adapters: what they add, what learns, and that merging changes nothing."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfmtl.config import ConfigError
from tfmtl.config.lora import Lora
from tfmtl.layers.embedding import EmbeddingCollection, Table
from tfmtl.layers.lora import adapt, has_adapters, merge, targets_of
from tfmtl.models import adapters
from tfmtl.models.parts import targets_by_name
from tfmtl.models.saved import load_model, save_model
from tfmtl.training.learning_parts import learning_parts
from tfmtl.training.trainer import train

SMALL = {"tasks": {"click": tiny.RAW["tasks"]["click"]}, "training.batch_size": 32}


def randomize(variables: list[keras.Variable]) -> None:
    random = np.random.default_rng(3)
    for variable in variables:
        variable.assign(random.normal(size=variable.shape))


def dense() -> keras.Sequential:
    layers = [keras.layers.Dense(3, name="first"), keras.layers.Dense(2, name="second")]
    network = keras.Sequential(layers, name="network")
    network.build((None, 4))
    randomize(network.variables)
    return network


def test_a_dense_layer_gains_the_product_of_two_factors() -> None:
    """Equation 3 of Hu et al., by hand: W x + alpha / rank * B A x."""
    network, x = dense(), np.arange(8, dtype=np.float32).reshape(2, 4)
    kernel, bias = (v.numpy() for v in network.layers[0].weights)
    before = network(x).numpy()
    assert adapt(network, rank=2, alpha=6, targets=["first"]) == ["first"]
    assert np.array_equal(network(x), before), "nothing changes at first"
    a, b = network.layers[0].lora_kernel_a, network.layers[0].lora_kernel_b
    assert (a.shape, b.shape) == ((4, 2), (2, 3))
    randomize([a, b])
    expected = x @ (kernel + 3.0 * a.numpy() @ b.numpy()) + bias
    np.testing.assert_allclose(network.layers[0](x), expected, rtol=1e-5)


def test_merging_keeps_the_outputs_and_takes_the_adapters_away() -> None:
    network, x = dense(), np.ones((2, 4), np.float32)
    names = [v.path for v in network.variables]
    adapt(network, rank=1, targets=["*"])
    assert has_adapters(network)
    randomize(network.trainable_variables)
    adapted = network(x).numpy()
    assert merge(network)
    np.testing.assert_allclose(network(x), adapted, atol=1e-6)
    assert [v.path for v in network.variables] == names
    assert len(network.trainable_variables) == 4
    assert not has_adapters(network)
    assert not merge(network)
    adapt(network, rank=1, targets=["*"])


def test_an_einsum_kernel_counts_as_a_matrix() -> None:
    layer = keras.layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 3), name="query")
    layer.build((None, 5, 4))
    assert targets_of(layer)[""].shape == (8, 3)
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
    adapt(layer, rank=2)
    randomize([layer.lora_kernel_a, layer.lora_kernel_b])
    adapted = layer(x).numpy()
    merge(layer)
    np.testing.assert_allclose(layer(x), adapted, rtol=1e-5, atol=1e-6)


def test_a_table_moves_only_where_a_batch_has_its_rows() -> None:
    tables = {"item": Table(6, 4), "user": Table(5, 4)}
    collection = EmbeddingCollection(tables, {"clicked": "item", "who": "user"})
    inputs = {"clicked": tf.constant([[2, 3, 3]]), "who": tf.constant([4])}
    before = {name: collection.rows_of(name) for name in tables}
    adapt(collection, rank=2, alpha=4, targets=["item"])
    with tf.GradientTape(persistent=True) as tape:
        found = collection(inputs)
        loss = tf.reduce_sum(found["clicked"]) + tf.reduce_sum(found["who"])
    assert np.array_equal(found["clicked"][0], before["item"][[2, 3, 3]])
    rows, columns = collection.lora_a_of_item, collection.lora_b_of_item
    gradient = tape.gradient(loss, rows.value)
    assert isinstance(gradient, tf.IndexedSlices), "the adapter's update is as sparse as a table's"
    # d loss / d A[r] = alpha / rank * (sum of B's columns), once for every time a row is read
    dense_gradient = tf.convert_to_tensor(gradient).numpy()
    once = 2.0 * columns.numpy().sum(axis=1)
    np.testing.assert_allclose(dense_gradient[[2, 3]], [once, 2 * once], rtol=1e-5)
    assert not dense_gradient[[0, 1, 4, 5]].any()
    rows.assign(rows.numpy() - 0.1 * dense_gradient)
    adapted = collection(inputs)["clicked"].numpy()
    merge(collection)
    np.testing.assert_allclose(collection(inputs)["clicked"], adapted, atol=1e-6)
    after = collection.rows_of("item")
    assert np.array_equal(after[[0, 1, 4, 5]], before["item"][[0, 1, 4, 5]])
    assert np.array_equal(collection.rows_of("user"), before["user"])
    assert [v.name for v in collection.variables] == ["dim_4"]


def test_a_table_of_its_own_dimension_has_no_slot() -> None:
    collection = EmbeddingCollection({"item": Table(6, 4)}, {"clicked": "item"})
    adapt(collection, rank=2)
    assert [v.name for v in collection.trainable_variables] == ["item_lora_a", "item_lora_b"]
    merge(collection)
    assert [v.name for v in collection.trainable_variables] == ["dim_4"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            Lora(rank=2, targets=["trunc"]),
            "targets: nothing is called 'trunc'; choose among tables/",
        ),
        (Lora(rank=5, targets=["trunk"]), ""),
        (
            Lora(rank=9, targets=["trunk"]),
            "training.lora.rank: expected at most 8, as 'trunk/bottom/dense_0' has 42 rows and",
        ),
    ],
)
def test_bad_targets_and_ranks(spec: Lora, message: str) -> None:
    model = tiny.make_model()
    if not message:
        assert adapters.adapt(model, spec) == ["trunk/bottom/dense_0"]
        return
    with pytest.raises(ConfigError, match=message):
        adapters.adapt(model, spec)


def test_names_of_targets() -> None:
    names = targets_by_name(tiny.make_model())
    assert "tables/item_id" in names
    assert "towers/click/hidden/dense_0" in names
    assert "towers/retrieve/query_tower/vector" in names
    assert not any("output" in name for name in names), "a head of one unit has rank 1 already"


@pytest.mark.slow
def test_training_learns_the_adapters_alone_and_saves_a_plain_model(
    transformed: Path, tmp_path: Path
) -> None:
    lora = {"rank": 2, "targets": ["trunk", "tables/user_id"]}
    changes = {**SMALL, "training.lora": lora, "training.freeze": ["trunk", "tables"]}
    config = tiny.make_config(changes)
    slots: list[str] = []

    class Slots(keras.callbacks.Callback):
        def on_train_begin(self, logs: object = None) -> None:
            slots.extend(v.path for v in self.model.optimizer._trainable_variables)

    model = train(config, transformed, callbacks=[Slots()]).model
    assert any("lora_kernel_a" in path for path in slots)
    assert not any("trunk" in path for path in slots if "lora" not in path and "kernel" in path)
    plain = tiny.make_model(SMALL)
    assert [v.shape for v in model.variables] == [v.shape for v in plain.variables]
    save_model(model, tmp_path, transformed)
    loaded = load_model(tmp_path)
    assert not loaded.compiled
    inputs = {n: tf.ones([2, *s.shape[1:]], s.dtype) for n, s in model.inputs_spec.items()}
    np.testing.assert_array_equal(loaded.rank(inputs)["click"], model.rank(inputs)["click"])


def test_frozen_weights_with_adapters_go_free_after_a_training() -> None:
    config = {**SMALL, "training.lora": {"rank": 2, "targets": ["trunk"]}}
    model = tiny.make_model({**config, "training.freeze": ["trunk"]})
    everything = len(model.trainable_variables)
    model.compile(optimizer="adam")
    with learning_parts(model, tf.distribute.get_strategy()):
        assert len(model.trainable_variables) == everything  # 2 frozen, 2 factors
    assert len(model.trainable_variables) == everything
    assert not has_adapters(model)


def test_adapters_learn_at_the_rate_of_the_part_they_are_in() -> None:
    lora, rates = {"rank": 2, "targets": ["trunk"]}, {"trunk": 0.25}
    changes = {"training.lora": lora, "training.optimizer.rates": rates}
    model = tiny.make_model({**SMALL, **changes})
    model.compile(optimizer="adam")
    with learning_parts(model, tf.distribute.get_strategy()):
        adapters = [v for v in model.trainable_variables if "lora_kernel" in v.path]
        assert adapters
        assert {v.rate_factor for v in adapters} == {0.25}
