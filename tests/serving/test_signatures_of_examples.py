"""`classify`, `regress` and `predict_examples`: serialized tf.Examples instead of tensors."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import varied
from asked import Shop

ROWS = 6


def rows() -> dict[str, np.ndarray]:
    """Rows as `rank_rows` takes them; times in whole seconds, as Examples hold them."""
    keys = varied.texts(["i1", "i2", "i3", "i4", "never seen", ""])
    asked = {**varied.users(ROWS), **varied.items(keys)}
    return {**asked, "at": np.floor(asked["at"]), "item_ctr": np.full(ROWS, 0.1, "f")}


def example(**features: Any) -> bytes:
    made = tf.train.Example()
    for name, values in features.items():
        feature = made.features.feature[name]
        if isinstance(values[0], bytes):
            feature.bytes_list.value.extend(values)
        elif isinstance(values[0], int):
            feature.int64_list.value.extend(values)
        else:
            feature.float_list.value.extend(values)
    return made.SerializeToString()


def examples(raw: dict[str, np.ndarray]) -> np.ndarray:
    return np.array(
        [
            example(
                **{
                    name: [int(values[row])]
                    if name == "at"
                    else np.atleast_1d(np.array(values[row], values.dtype)).tolist()
                    for name, values in raw.items()
                }
            )
            for row in range(ROWS)
        ],
        object,
    )


def test_they_answer_as_rank_rows_does(varied_shop: Shop) -> None:
    raw = rows()
    given = {
        name: v for name, v in raw.items() if name in varied_shop.ask.signatures["rank_rows"].inputs
    }
    expected = varied_shop.ask("rank_rows", given)
    inputs = {"inputs": examples(given)}
    found = varied_shop.ask("predict_examples", inputs)
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    assert np.ptp(expected["click"]) > 1e-3
    outputs = varied_shop.ask("regress", inputs)["outputs"]
    np.testing.assert_array_equal(outputs, expected["stars"])
    classified = varied_shop.ask("classify", inputs)
    names = [b"click", b"cart", b"mood=calm", b"mood=glad", b"mood=sad"]
    assert classified["classes"].tolist() == [names] * ROWS
    scores = [expected["click"], expected["cart"], *expected["mood"].T]
    np.testing.assert_array_equal(classified["scores"], np.stack(scores, axis=1))


def test_what_an_example_lacks_is_missing(varied_shop: Shop) -> None:
    known = {"user_id": varied.texts(["ann", "bob"]), "item_id": varied.texts(["i1", "i2"])}
    given = [example(user_id=[b"ann"], item_id=[b"i1"]), example(user_id=[b"bob"], item_id=[b"i2"])]
    found = varied_shop.ask("predict_examples", {"inputs": np.array(given, object)})
    expected = varied_shop.ask("rank_rows", known)
    np.testing.assert_array_equal(found["click"], expected["click"])


def test_the_methods_are_those_that_tf_serving_asks_for(varied_shop: Shop) -> None:
    methods = {
        name: signature.method_name.removeprefix("tensorflow/serving/")
        for name, signature in varied_shop.ask.signatures.items()
        if not name.startswith("__saved_model")
    }
    predict = {*methods} - {"classify", "regress"}
    assert methods == {
        "classify": "classify",
        "regress": "regress",
        **dict.fromkeys(predict, "predict"),
    }


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (b"no example", "Could not parse example"),
        (example(price=[b"cheap"]), "price"),
        (example(image=[1.0]), "image"),
    ],
)
def test_a_wrong_example_is_refused(varied_shop: Shop, given: bytes, says: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=says):
        varied_shop.ask("classify", {"inputs": np.array([given], object)})
