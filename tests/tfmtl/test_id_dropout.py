"""Ids that training takes for unknown, in both towers and the trunk."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfmtl.layers.id_dropout import Dropped, IdDropout
from tfmtl.preprocessing.preprocessor import Preprocessor

IDS = tf.tile(tf.range(6), [2000])


@pytest.mark.parametrize("unknown", [1, 3])
def test_known_ids_become_unknown_at_the_rate(unknown: int) -> None:
    made = IdDropout({"id": Dropped(0.25, unknown)}, seed=1)({"id": IDS, "other": IDS})
    ids, before = made["id"].numpy(), IDS.numpy()
    known = before > unknown
    np.testing.assert_array_equal(ids[~known], before[~known])
    changed = known & (ids != before)
    assert changed.sum() / known.sum() == pytest.approx(0.25, abs=0.02)
    assert set(ids[changed]) <= set(range(1, unknown + 1))
    np.testing.assert_array_equal(made["other"].numpy(), before)


def test_every_call_chooses_other_rows() -> None:
    dropout = IdDropout({"id": Dropped(0.5, 1)}, seed=1)
    first, second = (dropout({"id": IDS})["id"].numpy() for _ in range(2))
    assert (first != second).any()


@pytest.mark.slow
def test_training_moves_the_unknown_items_vector_only_with_dropout(tmp_path: Path) -> None:
    preprocessor = Preprocessor(tiny.make_config(), tiny.write_analysis(tmp_path))
    x, y, weights = tiny.batch(preprocessor)
    x["item_id"] = np.maximum(x["item_id"], 2)  # no item is unknown
    moved = {}
    for rate in (0.0, 0.5):
        items = tiny.make_raw()["features"]["item"]
        model = tiny.make_model({"features.item": [{**items[0], "dropout": rate}, *items[1:]]})
        model.compile(optimizer="sgd")
        before = model.encoding.embedding.rows_of("item_id")[1].copy()
        model.train_on_batch(x, y, weights)
        moved[rate] = np.abs(model.encoding.embedding.rows_of("item_id")[1] - before).max()
    assert moved[0.0] == 0
    assert moved[0.5] > 0
