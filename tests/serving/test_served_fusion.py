"""Formulas compiled to TensorFlow, against the same formulas worked out in numpy."""

import re
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.served_model.fusion import Fusion, fusion_of

TASKS = {
    "click": {"kind": "binary", "label": "click"},
    "stars": {"kind": "regression", "label": "stars"},
    "find": {"kind": "retrieval", "positive": "click"},
}
SCENARIO = {"column": "scenario", "values": ["search", "ads"]}
NAMES = ["click", "stars", "retrieval_score", "price", "a", "b"]
PARAMETERS = {"a": 0.5, "b": -2.0}


def make(fuse: Any, **changes: Any) -> Fusion:
    serving = {"fuse": fuse}
    return Fusion(
        tiny.make_config({"tasks": TASKS, "scenario": SCENARIO, "serving": serving, **changes})
    )


def fused(
    fusion: Fusion,
    values: dict[str, np.ndarray],
    scenarios: list[str],
    shape: tuple[int, int],
    **asked: list[float],
) -> np.ndarray:
    raw = {name: tf.fill([shape[0]], np.float32(np.nan)) for name in fusion.spec}
    raw |= {f"fuse_{name}": tf.constant(v, tf.float32) for name, v in asked.items()}
    raw["scenario"] = tf.constant(scenarios)
    tensors = {n: tf.constant(v, tf.float32) for n, v in values.items() if n in fusion.reads}
    return fusion(tensors, raw, tf.constant(shape)).numpy()


def formulas(depth: int = 4) -> st.SearchStrategy[str]:
    """Formulas as a user may write them."""
    number = st.floats(0, 100, width=32).map(lambda x: f"{x:.4g}")
    leaf = st.one_of(st.sampled_from(NAMES), number)

    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        two = st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner)
        one = st.tuples(st.sampled_from(["log", "exp", "sqrt", "-", "+"]), inner)
        many = st.tuples(st.sampled_from(["min", "max"]), st.lists(inner, min_size=2, max_size=3))
        return st.one_of(
            two.map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
            two.map(lambda t: f"{t[0]} {t[1]} {t[2]}"),
            one.map(lambda t: f"{t[0]}({t[1]})"),
            many.map(lambda t: f"{t[0]}({', '.join(t[1])})"),
        )

    return st.recursive(leaf, grown, max_leaves=8)


def reference(formula: str, values: dict[str, Any], dtype: type) -> np.ndarray:
    """The formula as Python and numpy evaluate it."""
    functions = {
        "log": np.log,
        "exp": np.exp,
        "sqrt": np.sqrt,
        "min": lambda *x: np.min(np.broadcast_arrays(*x), axis=0),
        "max": lambda *x: np.max(np.broadcast_arrays(*x), axis=0),
    }
    known = {name: np.asarray(value, dtype) for name, value in values.items()}
    numbers = "".join(f"number({part})" if part[:1].isdigit() else part for part in _parts(formula))
    with np.errstate(all="ignore"):
        found = eval(numbers, {"__builtins__": {}, "number": dtype}, {**functions, **known})
        return np.asarray(found, dtype)


def _parts(formula: str) -> list[str]:
    """The formula cut before and after its numbers."""
    return re.split(r"(?<![\w.])(\d[\d.]*(?:e[+-]?\d+)?)", formula)


@settings(max_examples=100, deadline=None)
@given(formula=formulas(), seed=st.integers(0, 99))
def test_a_formula_is_what_numpy_makes_of_it(formula: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = {
        "click": random.random((3, 4)).astype(np.float32),
        "stars": random.normal(3, 2, (3, 4)).astype(np.float32),
        "retrieval_score": random.normal(size=(3, 4)).astype(np.float32),
        "price": random.choice([0.0, 9.5, 120.0, np.nan], (3, 4)).astype(np.float32),
    }
    used = {name: value for name, value in PARAMETERS.items() if name in _names(formula)}
    fusion = make({"formula": formula, "parameters": used})
    found = fused(fusion, values, ["search", "ads", "?"], (3, 4))
    expected = np.broadcast_to(reference(formula, {**values, **used}, np.float32), (3, 4))
    precise = np.broadcast_to(reference(formula, {**values, **used}, np.float64), (3, 4))
    # Where rounding decides, no two ways of reckoning agree.
    stable = np.isclose(expected, precise, rtol=1e-5, atol=1e-30, equal_nan=True)
    expected = np.where(np.isnan(expected), -np.inf, expected)
    np.testing.assert_allclose(found[stable], expected[stable], rtol=1e-3, atol=1e-6)


def _names(formula: str) -> set[str]:
    return set(re.findall(r"[a-z_]\w*", formula))


def test_by_hand() -> None:
    fusion = make("click ** 2 * price + retrieval_score / 4")
    assert fusion.reads == ["click", "price", "retrieval_score"]
    assert fusion.columns == ["price"]
    values = {
        "click": np.array([[0.5, 0.1]]),
        "price": np.array([[8.0, np.nan]]),
        "retrieval_score": np.array([[2.0, 2.0]]),
    }
    assert fused(fusion, values, ["search"], (1, 2)).tolist() == [[2.5, -np.inf]]


def test_every_scenario_has_its_own() -> None:
    ads = {"formula": "1000 * click * a", "parameters": {"a": 3}}
    search = {"parameters": {"a": 2}}
    fuse = {"formula": "log(price) + a", "parameters": {"a": 1}}
    fusion = make({**fuse, "scenarios": {"ads": ads, "search": search}})
    # In ads, the logarithm of 0 and of a missing price do no harm.
    values = {
        "click": np.array([[0.5, 0.25]] * 4),
        "price": np.array([[1.0, 1.0], [0, np.nan]] * 2),
    }
    found = fused(fusion, values, ["search", "ads", "", "nowhere"], (4, 2))
    assert found.tolist() == [[2, 2], [1500, 750], [1, 1], [-np.inf, -np.inf]]


def test_a_request_replaces_parameters_row_by_row() -> None:
    ads = {"parameters": {"a": 3}}
    fuse = {"formula": "a * click + b", "parameters": {"a": 1, "b": 0}, "scenarios": {"ads": ads}}
    fusion = make(fuse)
    assert set(fusion.spec) == {"fuse_a", "fuse_b", "scenario"}
    assert {name: v.shape for name, v in fusion.defaults.items()} == dict.fromkeys(
        fusion.spec, (1,)
    )
    assert all(np.isnan(fusion.defaults[name][0]) for name in ("fuse_a", "fuse_b"))
    values = {"click": np.array([[1.0, 2.0]] * 3)}
    asked = [np.nan, 10.0, np.nan]
    found = fused(fusion, values, ["ads", "ads", "search"], (3, 2), a=asked, b=[0, 0, 5])
    assert found.tolist() == [[3, 6], [10, 20], [6, 7]]


def test_a_number_alone_is_every_items_score() -> None:
    assert fused(make("7"), {}, ["ads", "ads"], (2, 3)).tolist() == [[7] * 3] * 2


def test_a_model_without_scenarios() -> None:
    fusion = make("2 * click", scenario=None)
    assert fused(fusion, {"click": np.array([[0.5]])}, ["?"], (1, 1)).tolist() == [[1]]


def test_classes_alone_give_items_no_number() -> None:
    tasks = {"season": {"kind": "multi_class", "label": "season"}}
    config = tiny.make_config({"tasks": tasks})
    assert fusion_of(config) is None
    with pytest.raises(ValueError, match="model 'tiny' gives items no number to fuse"):
        Fusion(config)
