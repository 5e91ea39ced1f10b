"""The light client against the embedded server, and its checks before anything is sent."""

import numpy as np
import pytest

import serving
from serving.inputs import prepare
from serving.metadata import Signature, TensorSpec


def refused(call, *arguments, **options) -> str:
    with pytest.raises(serving.ServingError) as caught:
        call(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_round_trip_casts_and_broadcasts(shop_client):
    answer = shop_client.predict(
        "serving_default", {"item": "cheese", "x": [[1, 2], [3, 4], [5, 6]]}
    )
    np.testing.assert_allclose(answer["score"], [[3], [7], [11]])
    assert answer["score"].dtype == np.float32
    assert answer["id"].tolist() == [2, 2, 2]
    assert answer["item"].tolist() == [b"cheese"] * 3
    answer["score"][:] = 0


def test_text_and_bytes_survive(shop_client):
    items = ["crème brûlée", b"zero\0", b"", "x" * 10_000]
    answer = shop_client.predict("serving_default", {"item": items, "x": [0, 0]})
    assert answer["item"].tolist() == ["crème brûlée".encode(), b"zero\0", b"", b"x" * 10_000]


def test_no_rows(shop_client):
    answer = shop_client.predict("serving_default", {"item": [], "x": np.zeros((0, 2))})
    assert answer["score"].shape == (0, 1)


def test_metadata(shop_client):
    signature = shop_client.metadata("serving_default")
    assert signature.version == 3
    assert signature.inputs == {"item": ("string", (None,)), "x": ("float32", (None, 2))}
    assert signature.outputs["id"] == ("int64", (None,))
    assert shop_client.metadata("scaled").optional == {"by"}


def test_status_and_version(shop_client):
    assert shop_client.status() == [(3, "AVAILABLE", "")]
    assert shop_client.predict("slow", {"steps": 1}, version=3)["weight"] == 1.0
    assert refused(shop_client.predict, "slow", {"steps": 1}, version=4) == (
        "NOT_FOUND: Servable not found for request: Specific(shop, 4)"
    )


def test_an_input_with_a_default_may_be_left_out(shop_client):
    assert shop_client.predict("scaled", {"x": [4]})["y"].tolist() == [40]
    assert shop_client.predict("scaled", {"x": [4, 5], "by": 2})["y"].tolist() == [8, 10]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": [1, 2]}, "missing input `item`; signature `serving_default` takes: item, x"),
        (
            {"x": [1, 2], "item": "a", "itm": 1},
            "unknown input `itm`; signature `serving_default` takes: item, x",
        ),
        ({"x": [1, 2], "item": [1]}, "input `item` should be string. Received: 1"),
        ({"x": "a", "item": "a"}, "input `x` should be float32. Received: 'a'"),
        ({"x": [1, 2, 3], "item": "a"}, "input `x` should have 2 values a row. Received: 3"),
        (
            {"x": np.ones(3), "item": "a"},
            "input `x` should have shape [?, 2]. Received: [1, 3]",
        ),
        (
            {"x": np.ones((2, 2)), "item": ["a", "b", "c"]},
            "inputs should have one length, or 1. Received: `x` 2, `item` 3",
        ),
    ],
)
def test_wrong_inputs_are_named_before_sending(shop_client, inputs, message):
    shop_client.metadata("serving_default")
    assert refused(shop_client.predict, "serving_default", inputs) == f"INVALID_ARGUMENT: {message}"


def test_unknown_signature_and_model(shop_client, shop_server):
    assert refused(shop_client.predict, "nope", {}) == (
        "NOT_FOUND: model `shop` version 3 has no signature `nope`, "
        "it has: classify, regress, scaled, serving_default, slow"
    )
    with serving.Client(shop_server.address, model="shoe") as client:
        assert refused(client.predict, "serving_default", {}) == (
            "NOT_FOUND: Servable not found for request: Latest(shoe)"
        )


def test_timeout_nobody_there_and_closed(shop_server):
    client = serving.Client(shop_server.address, model="shop", timeout=0.3)
    assert refused(client.predict, "slow", {"steps": 2**31 - 1}).startswith("DEADLINE_EXCEEDED: ")
    client.close()
    assert refused(client.status).startswith("FAILED_PRECONDITION: the client is closed")
    with serving.Client("127.0.0.1:1", model="shop") as nobody:
        assert refused(nobody.status).startswith("UNAVAILABLE: ")


def signature_of(**inputs) -> Signature:
    return Signature("s", 1, {name: TensorSpec(*spec) for name, spec in inputs.items()}, {})


def test_prepare_keeps_what_cannot_be_repeated():
    signature = signature_of(
        user=("int64", (1,)), item=("int64", (None,)), k=("int32", ()), any=("float32", None)
    )
    arrays = prepare({"user": 7, "item": [1, 2, 3], "k": 2, "any": 0.5}, signature)
    assert {name: array.shape for name, array in arrays.items()} == {
        "user": (1,),
        "item": (3,),
        "k": (),
        "any": (),
    }
    assert {array.dtype.name for array in arrays.values()} == {"int64", "int32", "float32"}


def test_prepare_without_broadcast():
    signature = signature_of(a=("int64", (None,)), b=("int64", (None,)))
    arrays = prepare({"a": [1, 2, 3], "b": [1, 2]}, signature, broadcast=False)
    assert (len(arrays["a"]), len(arrays["b"])) == (3, 2)
    arrays = prepare({"a": [1, 2, 3], "b": 1}, signature, broadcast=False)
    assert (len(arrays["a"]), len(arrays["b"])) == (3, 1)


@pytest.mark.parametrize(
    ("dtype", "value", "wrong"),
    [
        ("int64", 1.5, "1.5"),
        ("int32", 2**31, "2147483648"),
        ("uint8", -1, "-1"),
        ("int64", float("nan"), "nan"),
        ("bool", 2, "2"),
    ],
)
def test_prepare_refuses_a_cast_that_loses(dtype, value, wrong):
    with pytest.raises(serving.ServingError, match=f"should be {dtype}, which {wrong} is not"):
        prepare({"a": [value]}, signature_of(a=(dtype, (None,))))


def test_none_is_missing_and_rows_are_brought_to_one_length():
    takes = {
        "name": TensorSpec("string", (None,)),
        "price": TensorSpec("float32", (None,)),
        "seen": TensorSpec("string", (None, None)),
    }
    signature = Signature("rank", 1, takes, {})
    asked = {"name": [None, "a"], "price": [2.5, None], "seen": [["x"], ["y", None, "z"]]}
    arrays = prepare(asked, signature)
    assert arrays["name"].tolist() == [b"", b"a"]
    assert arrays["price"][0] == 2.5
    assert np.isnan(arrays["price"][1])
    assert arrays["seen"].tolist() == [[b"x", b"", b""], [b"y", b"", b"z"]]
    assert prepare({**asked, "seen": None}, signature)["seen"].shape[1] == 0


def test_vectors_are_given_whole_or_not_at_all():
    signature = Signature("rank", 1, {"image": TensorSpec("float32", (None, 2))}, {})
    for given in ([[1, 2], None], [[1, 2], []]):
        found = prepare({"image": given}, signature)["image"]
        np.testing.assert_array_equal(found, [[1, 2], [np.nan, np.nan]])
    assert np.isnan(prepare({"image": [None]}, signature)["image"]).tolist() == [[True, True]]
    assert prepare({"image": None}, signature)["image"].shape == (1, 2)
    assert prepare({"image": [3.0, 4.0]}, signature)["image"].tolist() == [[3.0, 4.0]]
    message = refused(prepare, {"image": [[1.0, 2.0], [1.0]]}, signature)
    assert message == "INVALID_ARGUMENT: input `image` should have 2 values a row. Received: 1"
