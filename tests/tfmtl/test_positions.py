"""Every position of a history as a query: what it may know, and what it has to find."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmtl.config import ConfigError, parse
from tfmtl.layers.history import HistoryEncoder
from tfmtl.layers.recurrent import Recurrent
from tfmtl.layers.self_attention import SelfAttention
from tfmtl.layers.target_attention import TargetAttention
from tfmtl.models.known_items import know_catalogue
from tfmtl.training.examples import read_examples
from tfmtl.training.last_rows import last_positives
from tfmtl.training.trainer import train

READ = ["click_history_item_id", "click_history_category"]
CHANGES = {
    "features.history": [
        {"of": ["item_id", "category"], "where": "click", "last": 3, "encoder": "gru"}
    ],
    "tasks": {
        "retrieve": {
            "kind": "retrieval",
            "positive": "click",
            "loss": "all_items",
            "positions": "all",
        }
    },
    "model.retrieval": {"dim": 4, "units": [5], "query": READ},
}
ENCODERS: dict[str, HistoryEncoder] = {
    "sasrec": SelfAttention(4, length=6, blocks=2, heads=2),
    "gru": Recurrent(4, "gru"),
    "lstm": Recurrent(4, "lstm", units=3),
}


@pytest.mark.parametrize("kind", ENCODERS)
@settings(deadline=None, max_examples=5)
@given(length=st.integers(1, 6), at=st.integers(0, 5), seed=st.integers(0, 99))
def test_a_state_knows_its_item_and_those_before_it(kind, length, at, seed):
    """The latest item comes first: what is later stands before it."""
    layer, random = ENCODERS[kind], np.random.default_rng(seed)
    rows = random.normal(size=(2, 6, 4)).astype("f")
    present = np.arange(6)[None] < np.array([[length], [6]])
    states = layer.states(tf.constant(rows), tf.constant(present)).numpy()
    assert states.shape == (2, 6, 4)
    assert not states[0, length:].any()
    later = rows.copy()
    later[:, :at] = random.normal(size=(2, at, 4))
    again = layer.states(tf.constant(later), tf.constant(present)).numpy()
    np.testing.assert_allclose(again[:, at:], states[:, at:], atol=1e-5)
    latest = layer(tf.constant(rows), tf.constant(present), None).numpy()
    np.testing.assert_allclose(latest, states[:, 0], atol=1e-5)


def test_target_attention_has_no_states():
    layer = TargetAttention(4)
    with pytest.raises(NotImplementedError, match="no state at every item"):
        layer.states(tf.zeros([1, 2, 4]), tf.ones([1, 2], tf.bool))


def write(path: Path, **columns) -> Path:
    pq.write_table(pa.table({f"meta/{name}": values for name, values in columns.items()}), path)
    return path


def test_the_latest_positive_of_every_user(tmp_path: Path):
    """Of ann the fourth row, as the fifth is none; of bob the later of two at one time, which is
    in another file; cem has no positive."""
    first = write(
        tmp_path / "a.parquet",
        user=["ann", "bob", "cem", "ann", "ann"],
        time=[5, 7, 1, 6, 9],
        positive=pa.array([1.0, 1.0, 0.0, 1.0, None]),
    )
    second = write(tmp_path / "b.parquet", user=["bob", "ann"], time=[7, 2], positive=[1.0, 1.0])
    found = last_positives([first, second])
    assert found[first].tolist() == [False, False, False, True, False]
    assert found[second].tolist() == [True, False]


def test_the_reader_keeps_each_users_latest_positive(transformed: Path):
    config = tiny.make_config({"tasks": {"retrieve": {"kind": "retrieval", "positive": "click"}}})
    table = pq.read_table(transformed / "train")
    users, times = table["meta/user"].to_pylist(), table["meta/time"].to_pylist()
    positive = np.nan_to_num(table["meta/positive"].to_numpy()) > 0
    wanted = 0
    for user in set(users):
        own = [t for t, u, p in zip(times, users, positive, strict=True) if u == user and p]
        wanted += bool(own)
    for shuffle in (True, False):
        rows = read_examples(transformed / "train", config, shuffle=shuffle, last_only=True)
        labels = np.concatenate([y["retrieve"] for _, y, _ in rows])
        assert labels.sum() == wanted
        if not shuffle:
            for place in np.flatnonzero(labels):
                own = [
                    t for t, u, p in zip(times, users, positive, strict=True)
                    if u == users[place] and p
                ]  # fmt: skip
                assert times[place] == max(own)


def test_a_sequence_is_learnt_as_its_prefixes_are(transformed: Path):
    """A recurrent state is the same in every prefix: one row of `x, h1, h2, h3` teaches what the
    rows `x | h1 h2 h3`, `h1 | h2 h3` and `h2 | h3` teach."""
    model = tiny.make_model(deepcopy(CHANGES))
    know_catalogue(model, transformed)
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape))
    x, _, _ = next(iter(read_examples(transformed / "train", model.config, shuffle=False)))
    catalogue = pq.read_table(transformed / "catalogue.parquet")["item_id"].to_pylist()
    # Id 0 is padding and 1 an unknown item, which is nobody's next one; 2 and 3 are categories.
    sequences = [[4, 2, 5, 3], [3, 7, 1, 2], [6, 2], [5]]

    def padded(histories):
        return tf.constant([[*h, *[0] * (3 - len(h))] for h in histories])

    def rows(histories, items):
        inputs = {name: tf.repeat(values[:1], len(items), axis=0) for name, values in x.items()}
        inputs["click_history_item_id"] = padded(histories)
        inputs["click_history_category"] = padded([[2 + i % 2 for i in h] for h in histories])
        inputs["meta/item"] = tf.constant([catalogue.index(item) for item in items], tf.int32)
        return inputs, {"retrieve": tf.ones([len(items)])}, tf.ones([len(items)])

    whole = rows([s[1:] for s in sequences], [s[0] for s in sequences])
    prefixes = [
        (s[place + 1 :], item)
        for s in sequences
        for place, item in enumerate(s[:-1])
        if item in catalogue
    ]
    assert len(prefixes) == 6
    apart = rows(*zip(*prefixes, strict=True))
    found = model.losses_by_task(*whole, training=True)["retrieve"]
    assert float(found) == pytest.approx(float(model.losses_by_task(*apart)["retrieve"]), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["all_items", {"kind": "sampled", "negatives": 4}])
def test_a_model_learns_sequences(transformed: Path, loss):
    config = tiny.make_config(
        {
            **deepcopy(CHANGES),
            "tasks.retrieve.loss": loss,
            "training.epochs": 4,
            "training.optimizer": {"tables": {"kind": "lazy_adam", "learning_rate": 0.1}},
        }
    )
    losses = [epoch["loss/retrieve"] for epoch in train(config, transformed).epochs]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks.retrieve.loss": "in_batch"}, "positions: all positions are compared with"),
        (
            {"model.retrieval": {"query": ["user_id", *READ]}},
            "tasks.retrieve.positions: the query tower should read one history and nothing else",
        ),
        (
            {"features.history": [{"of": ["item_id", "category"], "where": "click"}]},
            "positions: history 'click_history' has encoder mean, which has no state",
        ),
        (
            {
                "features.history": [{"of": ["category"], "where": "click", "encoder": "gru"}],
                "model.retrieval": {"query": ["click_history_category"]},
            },
            "history 'click_history' should hold the items' key; put the feature of 'item_id'",
        ),
    ],
)
def test_what_cannot_be(changes, message):
    with pytest.raises(ConfigError) as caught:
        parse(tiny.make_raw({**deepcopy(CHANGES), **changes}))
    assert message in str(caught.value)
