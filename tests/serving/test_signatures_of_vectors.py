"""`embed_user` and `embed_item`: the vectors that `retrieve` compares."""

import numpy as np
import pytest
import varied
from asked import Shop


def test_items_nearest_to_the_user_are_retrieved(varied_shop: Shop) -> None:
    asked = varied.users(3)
    names = varied_shop.ask.signatures["embed_user"].inputs
    query = {name: values for name, values in asked.items() if name in names}
    users = varied_shop.ask("embed_user", query)["embedding"]
    ids = varied.texts(varied.ITEMS["item_id"])
    items = varied_shop.ask("embed_item", {"item_id": ids})["embedding"]
    assert users.shape == (3, 4)
    assert items.shape == (6, 4)
    scores = users @ items.T
    best = np.argsort(-scores, axis=1)
    found = varied_shop.ask("retrieve", {**query, "k": np.array([6], np.int32)})
    np.testing.assert_array_equal(found["item_id"], ids[best])
    expected = np.take_along_axis(scores, best, axis=1)
    np.testing.assert_allclose(found["score"], expected, rtol=1e-5, atol=1e-6)


def test_an_item_by_its_key_is_the_catalogues(varied_shop: Shop) -> None:
    ids = varied.texts(["i3", "i1", "never seen"])
    given = varied.items(ids)
    alone = varied_shop.ask("embed_item", {"item_id": ids})["embedding"]
    whole = varied_shop.ask("embed_item", given)["embedding"]
    np.testing.assert_allclose(alone, whole, rtol=1e-6, atol=1e-6)
    assert np.ptp(alone, axis=0).max() > 1e-3


def test_of_a_row_that_says_more_counts_what_it_says(varied_shop: Shop) -> None:
    ids = varied.texts(["i3", "i3"])
    category = varied.texts(["hats", ""])
    first, second = varied_shop.ask("embed_item", {"item_id": ids, "category": category})[
        "embedding"
    ]
    (known,) = varied_shop.ask("embed_item", {"item_id": ids[:1]})["embedding"]
    np.testing.assert_array_equal(second, known)
    only = varied.items(varied.texts(["never seen"]))
    (said,) = varied_shop.ask("embed_item", {**only, "item_id": ids[:1], "category": category[:1]})[
        "embedding"
    ]
    np.testing.assert_allclose(first, said, rtol=1e-6)
    assert np.abs(first - known).max() > 1e-3


@pytest.mark.parametrize("signature", ["embed_user", "embed_item"])
def test_no_rows(varied_shop: Shop, signature: str) -> None:
    key = "user_id" if signature == "embed_user" else "item_id"
    found = varied_shop.ask(signature, {key: np.zeros(0, object)})
    assert found["embedding"].shape == (0, 4)
