"""What a caller may give for an input, and what is sent for it."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import serving
from serving.inputs import make_batch, prepare
from serving.metadata import Signature, TensorSpec


def signature_of(defaults=None, **inputs):
    specs = {name: TensorSpec(dtype, shape) for name, (dtype, *shape) in inputs.items()}
    specs = {name: TensorSpec(s.dtype, tuple(s.shape)) for name, s in specs.items()}
    return Signature("s", 1, specs, {}, defaults or {})


ROWS = ("string", None)
LISTS = ("string", None, None)


def padded(rows, missing):
    """A plain loop: every row as long as the longest."""
    longest = max((len(row or []) for row in rows), default=0)
    return [[*(row or []), *[missing] * (longest - len(row or []))] for row in rows]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.lists(st.text(max_size=3), max_size=4), min_size=1, max_size=5))
def test_ragged_text_is_padded(rows):
    rows[0] = rows[0] or ["a"]
    expected = [[text.encode() for text in row] for row in padded(rows, "")]
    assert prepare({"x": rows}, signature_of(x=LISTS))["x"].tolist() == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-(2**31), 2**31), max_size=4), min_size=1, max_size=5))
def test_ragged_numbers_are_padded(rows):
    signature = signature_of(x=("int64", None, None))
    found = prepare({"x": rows}, signature)["x"]
    assert found.tolist() == padded(rows, -1)
    arrays = [np.array(row, np.int64) for row in rows]
    assert prepare({"x": arrays}, signature)["x"].tolist() == padded(rows, -1)


def test_lists_of_lists_of_lists():
    signature = signature_of(x=("float32", None, None, None))
    found = prepare({"x": [[[1, 2], [3]], [[4]]]}, signature)["x"]
    np.testing.assert_array_equal(found, [[[1, 2], [3, np.nan]], [[4, np.nan], [np.nan, np.nan]]])
    one = make_batch({"x": [[1, 2], [3]]}, signature)
    assert one.single
    assert one.arrays["x"].shape == (1, 2, 2)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (("string", None), "a"),
        (("string", None), b"a"),
        (("string", None), np.str_("a")),
        (("string", None), pa.scalar("a")),
        (LISTS, []),
        (LISTS, None),
        (LISTS, ["a", "b"]),
        (LISTS, np.array(["a", "b"])),
        (LISTS, pa.array(["a", "b"])),
        (("int32", None), np.int64(3)),
        (("int32",), 3),
        (("float32", None, 2), [1, 2]),
    ],
)
def test_a_value_without_the_batch_is_of_one_row(spec, value):
    batch = make_batch({"x": value}, signature_of(x=spec))
    assert batch.single
    assert batch.arrays["x"].shape[:1] == ((1,) if len(spec) > 1 else ())


@pytest.mark.parametrize(
    "value",
    [
        ["a", "b"],
        ("a", "b"),
        [b"a", "b"],
        np.array(["a", "b"]),
        np.array([b"a", b"b"], object),
        np.array(["a", "b"], object),
        pa.array(["a", "b"]),
        pa.chunked_array([["a"], ["b"]]),
        pa.array(["a", "b"]).dictionary_encode(),
        pa.array([b"a", b"b"]),
    ],
)
def test_text_of_every_kind(value):
    batch = make_batch({"x": value}, signature_of(x=ROWS))
    assert batch.arrays["x"].tolist() == [b"a", b"b"]
    assert not batch.single


@pytest.mark.parametrize(
    "value",
    [
        [1, 2],
        np.array([1, 2], np.uint8),
        np.array([1.0, 2.0]),
        pa.array([1, 2], pa.int16()),
        pa.array([1.0, 2.0], pa.float32()),
        pa.chunked_array([[1], [2]]),
    ],
)
@pytest.mark.parametrize("dtype", ["int64", "int32", "float32", "float64"])
def test_numbers_of_every_kind(value, dtype):
    found = prepare({"x": value}, signature_of(x=(dtype, None)))["x"]
    assert found.tolist() == [1, 2]
    assert found.dtype == dtype


def test_arrow_nulls_are_missing():
    assert prepare({"x": pa.array([None, 5])}, signature_of(x=("int64", None)))["x"].tolist() == [
        -1,
        5,
    ]
    found = prepare({"x": pa.array([None, 5.0])}, signature_of(x=("float32", None)))["x"]
    np.testing.assert_array_equal(found, [np.nan, 5])
    lists = pa.array([["a"], None, ["b", "c"]])
    assert prepare({"x": lists}, signature_of(x=LISTS))["x"].tolist() == [
        [b"a", b""],
        [b"", b""],
        [b"b", b"c"],
    ]
    vectors = pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2))
    found = prepare({"x": vectors}, signature_of(x=("float32", None, 2)))["x"]
    np.testing.assert_array_equal(found, [[1, 2], [np.nan, np.nan]])


@pytest.mark.parametrize(
    ("spec", "value", "message"),
    [
        (ROWS, 5, "should be string. Received: 5"),
        (ROWS, [1.5], "should be string. Received: 1.5"),
        (ROWS, np.array([7]), "should be string. Received: 7"),
        (ROWS, pa.array([7]), "should be string. Received: 7"),
        (ROWS, "\ud800", "should be text. Received: '\\ud800'"),
        (("int64", None), ["u1"], "should be int64. Received: 'u1'"),
        (("int64", None), [2**70], f"should be int64. Received: {2**70}"),
        (("int64", None), pa.array(["u1"]), "should be int64. Received: 'u1'"),
        (("int32", None), [None], "should be int32. Received: None"),
        (("bool", None), None, "should be bool. Received: None"),
        (("float32", None), {"a": 1}, "should be float32. Received: {'a': 1}"),
        (LISTS, [[["a"]]], "should have shape [?, ?]. Received: [1, 1, 1]"),
        (LISTS, "a", "should have shape [?, ?]. Received: []"),
        (("float32", None, 2), [[1, 2], [3]], "should have 2 values a row. Received: 1"),
        (("float32", None, 2), np.ones((2, 3)), "should have shape [?, 2]. Received: [2, 3]"),
    ],
)
def test_what_is_wrong_is_said(spec, value, message):
    with pytest.raises(serving.ServingError) as caught:
        prepare({"x": value}, signature_of(x=spec))
    assert str(caught.value) == f"INVALID_ARGUMENT: input `x` {message}"


def test_a_batch_carries_every_default():
    defaults = {"query": np.array([b""], object), "seen": np.empty((1, 0), object)}
    signature = signature_of(defaults, user=ROWS, query=ROWS, seen=LISTS)
    assert set(prepare({"user": "u"}, signature)) == {"user"}
    found = prepare({"user": ["u", "v"], "query": None}, signature)
    assert found["query"].tolist() == [b"", b""]
    assert found["seen"].shape == (2, 0)
    assert set(prepare({"user": ["u", "v"]}, signature, broadcast=False)) == {"user"}


def test_lengths_of_candidates():
    defaults = {"candidates": np.array([-1], np.int32), "seen": np.empty((1, 0), object)}
    signature = signature_of(
        defaults, user=ROWS, item=LISTS, seen=LISTS, candidates=("int32", None)
    )
    ragged = make_batch({"user": ["u", "v"], "item": [["a"], ["b", "c"]]}, signature)
    assert ragged.arrays["candidates"].tolist() == [1, 2]
    assert ragged.candidates == [1, 2]
    seen = make_batch({"user": ["u", "v"], "item": ["a"], "seen": [["x"], ["y", "z"]]}, signature)
    assert seen.candidates == [1, 1], "a history is no list of candidates"
    asked = {"user": ["u", "v"], "item": [["a", "b"], ["c", "d"]], "candidates": [-1, 1]}
    assert make_batch(asked, signature).candidates == [2, 1]


def test_arrow_is_not_imported_for_its_sake():
    script = (
        "import sys, serving, numpy as np\n"
        "from serving.inputs import prepare\n"
        "from serving.metadata import Signature, TensorSpec\n"
        "prepare({'x': ['a']}, Signature('s', 1, {'x': TensorSpec('string', (None,))}, {}))\n"
        "print('pyarrow' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.stdout == "False\n", ended.stderr
