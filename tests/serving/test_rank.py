"""`rank` beside `rank_rows`: the same predictions, whatever the user's side is made of."""

import numpy as np
import pytest
import tensorflow as tf
import varied
from asked import Shop

from serving.validation.examples import example_requests
from serving.validation.infra import validate
from serving.validation.parity import differences

USERS, CANDIDATES = 3, 5
TASKS = {"click", "cart", "cart_after_click", "stars", "mood"}
CANDIDATE_KEYS = [*varied.ITEMS["item_id"], "", "never seen"]


def keys(users: int = USERS, candidates: int = CANDIDATES) -> np.ndarray:
    chosen = np.random.default_rng(1).choice(CANDIDATE_KEYS, (users, candidates))
    return varied.texts(chosen)


def in_rows(
    users: dict[str, np.ndarray], items: dict[str, np.ndarray], candidates: int = CANDIDATES
) -> dict[str, np.ndarray]:
    """The request to `rank_rows` that says the same."""
    repeated = {name: np.repeat(values, candidates, axis=0) for name, values in users.items()}
    return {**repeated, **{n: v.reshape(-1, *v.shape[2:]) for n, v in items.items()}}


def assert_equal(found: dict[str, np.ndarray], rows: dict[str, np.ndarray]) -> None:
    """Every prediction for candidates is that for the row, and they do differ."""
    assert set(found) >= TASKS
    for task in TASKS:
        flat = found[task].reshape(rows[task].shape)
        np.testing.assert_allclose(flat, rows[task], rtol=1e-6, atol=1e-6, err_msg=task)
    assert np.ptp(found["click"]) > 1e-3


@pytest.mark.parametrize("users", [1, USERS])
def test_candidates_are_ranked_as_rows_are(varied_shop: Shop, users: int) -> None:
    asked, items = varied.users(users), varied.items(keys(users))
    items["item_ctr"] = np.random.default_rng(2).random((users, CANDIDATES)).astype("f")
    found = varied_shop.ask("rank", {**asked, **items})
    assert found["click"].shape == (users, CANDIDATES)
    assert found["mood"].shape == found["mood_classes"].shape == (users, CANDIDATES, 3)
    assert_equal(found, varied_shop.ask("rank_rows", in_rows(asked, items)))
    np.testing.assert_array_equal(found["score"], found["click"])  # the configured default


def test_what_a_request_does_not_say_is_the_catalogues(varied_shop: Shop) -> None:
    asked, ids = varied.users(USERS), keys()
    found = varied_shop.ask("rank", {**asked, "item_id": ids})
    assert_equal(found, varied_shop.ask("rank_rows", in_rows(asked, varied.items(ids))))


def test_a_column_that_is_given_goes_before_the_catalogues(varied_shop: Shop) -> None:
    asked, items = varied.users(USERS), varied.items(keys())
    given = {
        "category": varied.texts([["boots", "hats", "", "shoes", "hats"]] * USERS),
        "price": np.full((USERS, CANDIDATES), 7.0, np.float32),
        "image": np.ones((USERS, CANDIDATES, 2), np.float32),
    }
    found = varied_shop.ask("rank", {**asked, "item_id": items["item_id"], **given})
    assert_equal(found, varied_shop.ask("rank_rows", in_rows(asked, {**items, **given})))


def test_values_of_a_bag_come_without_the_catalogues_weights(varied_shop: Shop) -> None:
    asked, items = varied.users(USERS), varied.items(keys())
    tags = varied.texts([[["sale", "new"]] * CANDIDATES] * USERS)
    found = varied_shop.ask("rank", {**asked, "item_id": items["item_id"], "tags": tags})
    unweighted = {**items, "tags": tags, "tag_weights": np.full(tags.shape, np.nan, np.float32)}
    assert_equal(found, varied_shop.ask("rank_rows", in_rows(asked, unweighted)))


def test_beyond_the_last_candidate_all_is_zero(varied_shop: Shop) -> None:
    asked = {**varied.users(USERS), "item_id": keys()}
    whole = varied_shop.ask("rank", asked)
    ragged = varied_shop.ask("rank", {**asked, "candidates": np.array([2, -1, 0], np.int32)})
    real = np.arange(CANDIDATES)[None, :] < np.array([[2], [CANDIDATES], [0]])
    for task in (*TASKS, "score"):
        mask = real if whole[task].ndim == 2 else real[:, :, None]
        np.testing.assert_array_equal(ragged[task], np.where(mask, whole[task], 0), err_msg=task)


def test_one_row_is_for_all(varied_shop: Shop) -> None:
    asked, ids = varied.users(1), keys(1)
    many = {name: np.repeat(values, 4, axis=0) for name, values in asked.items()}
    one = varied_shop.ask("rank", {**many, "item_id": ids})
    other = varied_shop.ask("rank", {**asked, "item_id": np.repeat(ids, 4, axis=0)})
    for task in TASKS:
        np.testing.assert_allclose(one[task], other[task], rtol=1e-6, atol=1e-6)
        assert one[task].shape[:2] == (4, CANDIDATES)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_no_candidates_are_answered_by_none(varied_shop: Shop, shape: tuple[int, int]) -> None:
    found = varied_shop.ask("rank", {**varied.users(shape[0]), "item_id": np.zeros(shape, object)})
    assert found["click"].shape == found["score"].shape == shape


def test_other_numbers_of_candidates_are_refused(varied_shop: Shop) -> None:
    wrong = {"user_id": varied.texts(["ann"]), "item_id": keys(1), "price": np.ones((1, 4), "f")}
    with pytest.raises(tf.errors.InvalidArgumentError, match="as many candidates as item_id"):
        varied_shop.ask("rank", wrong)
    with pytest.raises(tf.errors.InvalidArgumentError, match="should have one length, or 1"):
        varied_shop.ask("rank", {"user_id": varied.texts(["a", "b"]), "item_id": keys(3)})


def test_what_is_left_out_is_missing(varied_shop: Shop) -> None:
    known = {"user_id": varied.texts(["ann"]), "item_id": varied.texts(["i1", "i2", "i3"])}
    found = varied_shop.ask("rank_rows", known)
    spec = varied_shop.ask.signatures["rank_rows"].inputs
    explicit = {}
    for name, info in spec.items():
        shape = [3, *[2] * (len(info.tensor_shape.dim) - 1)]
        texts = info.dtype == tf.string.as_datatype_enum
        dtype = tf.as_dtype(info.dtype).as_numpy_dtype
        explicit[name] = np.full(shape, b"" if texts else np.nan, object if texts else dtype)
    repeated = np.repeat(known["user_id"], 3)
    rows = varied_shop.ask(
        "rank_rows", {**explicit, "user_id": repeated, "item_id": known["item_id"]}
    )
    for task in TASKS:
        np.testing.assert_array_equal(found[task], rows[task])
    assert np.ptp(found["click"]) > 1e-4


def test_only_keys_must_be_given(varied_shop: Shop) -> None:
    must = {
        name: {*signature.inputs} - {*signature.defaults}
        for name, signature in varied_shop.ask.signatures.items()
        if not name.startswith("__saved_model")
    }
    both, examples = {"user_id", "item_id"}, {"inputs"}
    assert must == {
        "rank_rows": both,
        "serving_default": both,
        "rank": both,
        "retrieve": {"user_id"},
        "recommend": {"user_id"},
        "embed_user": {"user_id"},
        "embed_item": {"item_id"},
        "classify": examples,
        "regress": examples,
        "predict_examples": examples,
    }


@pytest.mark.slow
def test_a_process_without_python_answers_as_the_model(varied_shop: Shop) -> None:
    requests = example_requests(varied_shop.model, varied_shop.home, 3)
    report = validate(varied_shop.directory, requests, batching=True)
    assert report.reasons == []
    assert {*report.outputs} == {*requests}
    assert differences(varied_shop.model, varied_shop.home, requests, report.outputs) == []
    for name, outputs in report.outputs.items():
        wrong = {n: v + 0.01 if v.dtype == "f" else v for n, v in outputs.items()}
        reasons = differences(varied_shop.model, varied_shop.home, requests, {name: wrong})
        assert reasons, name
        assert all(reason.startswith(f"{name}: ") for reason in reasons)
