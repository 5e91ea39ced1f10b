"""Formulas, filters and columns in the configuration: what is accepted, what a mistake is told."""

import re
from typing import Any

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from tfmtl.config import Config, ConfigError, dump, parse
from tfmtl.config.formulas import Call, Number, Variable, parse_formula, variables
from tfmtl.config.scored import formulas, fused_columns, fused_names, item_columns

ADS = {"column": "scenario", "values": ["search", "ads"]}


def make(serving: dict[str, Any], **changes: Any) -> Config:
    tasks = {**tiny.RAW["tasks"], "cart": {"kind": "binary", "label": "cart"}}
    return tiny.make_config({"tasks": tasks, "scenario": ADS, "serving": serving, **changes})


def error(serving: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(ConfigError) as raised:
        make(serving, **changes)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_formula_is_a_tree() -> None:
    click, a = Variable("click"), Variable("a")
    power = Call("**", (click, Call("negative", (a,))))
    assert parse_formula("click ** -a") == power
    assert parse_formula(" 2\n* (click ** -a) ") == Call("*", (Number(2.0), power))
    assert parse_formula("+1") == Number(1.0)
    assert parse_formula("1 - 2 - a") == Call("-", (Call("-", (Number(1.0), Number(2.0))), a))
    assert parse_formula("max(a, 1, click)") == Call("max", (a, Number(1.0), click))
    assert variables(parse_formula("b * a + b / log(c)")) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'' is no formula; a formula has names, numbers"),
        ("click *", "'click *' is no formula"),
        ("click; cart", "is no formula"),
        ("a\x00b", "is no formula"),
        ("__import__('os')", "'__import__' is no function of formulas; known are log, exp, sqrt"),
        ("click.real", "'click.real' cannot be in a formula"),
        ("click[0]", "'click[0]' cannot be in a formula"),
        ("'text'", "cannot be in a formula"),
        ("True", "'True' cannot be in a formula"),
        ("1j", "'1j' cannot be in a formula"),
        ("click // 2", "cannot be in a formula"),
        ("click if cart else 1", "cannot be in a formula"),
        ("click > 1", "cannot be in a formula"),
        ("lambda: 1", "cannot be in a formula"),
        ("(a := 1)", "cannot be in a formula"),
        ("max(*click)", "max takes two arguments or more, got 1"),
        ("max(*click, 1)", "'*click' cannot be in a formula"),
        ("log(click, base=2)", "cannot be in a formula"),
        ("log(1, 2)", "log takes one argument, got 2"),
        ("min(click)", "min takes two arguments or more, got 1"),
        ("exp()", "exp takes one argument, got 0"),
        ("1e39", "a number is too large for float32"),
        ("1" + "0" * 500, "a number is too large for float32"),
        ("a" * 1001, "1001 characters are too many for a formula"),
        ("-" * 900 + "a", "a formula nests at most 100 operators"),
        ("+".join("a" * 200), "a formula nests at most 100 operators"),
    ],
)
def test_a_formula_that_is_wrong(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        parse_formula(text)
    assert told.split("'")[0] in error({"fuse": text}).replace("\\x00", "\x00")


@given(st.text(max_size=40))
def test_no_text_does_anything_else(text: str) -> None:
    try:
        tree = parse_formula(text)
    except ValueError:
        return
    assert isinstance(tree, Number | Variable | Call)


def test_text_stands_for_the_formula_alone() -> None:
    for fuse in ("click * price", {"formula": "click * price"}):
        config = make({"fuse": fuse})
        assert formulas(config) == dict.fromkeys([None, "search", "ads"], "click * price")
        assert fused_columns(config) == ["price"]
        assert parse(dict(config.model_dump())).serving == config.serving
    assert "click * price" in dump(config)


def test_the_default_is_the_first_number() -> None:
    assert set(formulas(make({})).values()) == {"click"}
    only = {"retrieve": tiny.RAW["tasks"]["retrieve"]}
    assert set(formulas(tiny.make_config({"tasks": only})).values()) == {"retrieval_score"}
    classes = {"season": {"kind": "multi_class", "label": "season"}}
    assert formulas(tiny.make_config({"tasks": classes})) == {}


def test_a_scenario_may_have_its_own_formula_and_values() -> None:
    ads = {"formula": "1000 * click ** a * bid", "parameters": {"a": 2}}
    fuse = {"formula": "click ** a", "parameters": {"a": 1}, "scenarios": {"ads": ads}}
    config = make({"fuse": fuse, "columns": {"bid": "number"}})
    assert formulas(config) == {
        None: "click ** a",
        "search": "click ** a",
        "ads": "1000 * click ** a * bid",
    }
    assert config.serving.fuse.parameters_in("ads") == {"a": 2.0}
    assert config.serving.fuse.parameters_in(None) == {"a": 1.0}
    assert fused_names(config) == ["click", "a", "bid"]
    assert fused_columns(config) == ["bid"]
    alone = make({"fuse": {"scenarios": {"ads": "click * price"}}})
    assert formulas(alone) == {None: "click", "search": "click", "ads": "click * price"}


@pytest.mark.parametrize(
    ("fuse", "told"),
    [
        (
            "click * bid",
            "serving.fuse.formula: 'bid' is no prediction of one number, column of numbers of "
            "items or parameter; known are click, cart, stars, retrieval_score, price",
        ),
        ("category", "serving.fuse.formula: 'category' is no prediction"),
        ("item_id", "serving.fuse.formula: 'item_id' is no prediction"),
        ("retrieve", "serving.fuse.formula: 'retrieve' is no prediction"),
        (
            {"scenarios": {"ads": "clik"}},
            "serving.fuse.scenarios.ads.formula: 'clik' is no prediction",
        ),
        (
            {"scenarios": {"add": "click"}},
            "serving.fuse.scenarios.add: 'add' is not in scenario.values ['search', 'ads']",
        ),
        (
            {"formula": "click", "parameters": {"a": 1}},
            "serving.fuse.parameters.a: no formula has it",
        ),
        (
            {"formula": "click * price", "parameters": {"price": 1}},
            "serving.fuse.parameters.price: in formulas 'price' is something else; rename it",
        ),
        (
            {"formula": "log(click) * log", "parameters": {"log": 1}},
            "serving.fuse.parameters.log: in formulas 'log' is something else",
        ),
        (
            {"formula": "click", "scenarios": {"ads": {"parameters": {"a": 1}}}},
            "serving.fuse.scenarios.ads.parameters.a: it has no value for other scenarios",
        ),
        (
            {
                "formula": "click ** a",
                "parameters": {"a": 1},
                "scenarios": {"ads": {"formula": "click", "parameters": {"a": 2}}},
            },
            "serving.fuse.scenarios.ads.parameters.a: the scenario's formula does not have it",
        ),
        ({"formula": "click", "parameters": {"a": float("nan")}}, "serving.fuse.parameters.a: "),
        ({"formula": "click", "parameters": {"a": 1e39}}, "serving.fuse.parameters.a: "),
        ({"formla": "click"}, "serving.fuse.formla: unknown key; did you mean 'formula'?"),
        (7, "serving.fuse: "),
    ],
)
def test_a_fusion_that_is_wrong(fuse: Any, told: str) -> None:
    assert told in error({"fuse": fuse})


def test_funnels_have_their_conditional_probabilities() -> None:
    tasks = {
        "click": {"kind": "binary", "label": "click"},
        "buy": {"kind": "binary", "label": "buy", "after": "click"},
    }
    fuse = {"fuse": "click * buy_after_click ** 2"}
    assert fused_names(make(fuse, tasks=tasks)) == ["click", "buy_after_click"]


def test_a_name_of_two_things() -> None:
    tasks = {"price": {"kind": "regression", "label": "paid"}}
    assert formulas(make({}, tasks=tasks))[None] == "price"
    found = error({"fuse": "2 * price"}, tasks=tasks)
    assert "serving.fuse.formula: 'price' is a prediction and a column of items" in found


def test_item_columns_are_those_of_features_and_of_serving() -> None:
    assert item_columns(make({})) == {"category": "text", "price": "number", "title": "text"}
    assert item_columns(make({"columns": {"bid": "number", "seller": "text"}})) == {
        "category": "text",
        "price": "number",
        "title": "text",
        "bid": "number",
        "seller": "text",
    }


@pytest.mark.parametrize(
    ("recommend", "told"),
    [
        ({"k": 0}, "serving.recommend.k: "),
        ({"candidates": 0}, "serving.recommend.candidates: "),
        ({"filters": ["price", "price"]}, "serving.recommend: filters names 'price' twice"),
        (
            {"filters": ["price", "colour"]},
            "serving.recommend.filters[1]: 'colour' is no column of items that holds single texts "
            "or numbers; known are category, price, title; name others of "
            "source.items in serving.columns",
        ),
        ({"filters": ["age"]}, "serving.recommend.filters[0]: 'age' is no column of items"),
        ({"filters": ["item_id"]}, "serving.recommend.filters[0]: 'item_id' is no column"),
        ({"available": "stock"}, "serving.recommend.available: 'stock' is no column of items"),
    ],
)
def test_filters_that_are_wrong(recommend: dict[str, Any], told: str) -> None:
    assert told in error({"recommend": recommend})


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("price", "serving.columns.price: a feature or the item's key is of it already"),
        ("item_id", "serving.columns.item_id: a feature or the item's key is of it already"),
        ("in stock", "serving.columns.in stock: a name should be a letter"),
    ],
)
def test_columns_that_are_wrong(column: str, told: str) -> None:
    assert told in error({"columns": {column: "number"}})


def test_columns_need_a_table_of_items() -> None:
    source = {"impressions": {"path": "log.csv"}}
    found = error({"columns": {"bid": "number"}}, source=source)
    assert "serving.columns.bid: it is a column of source.items; add that table" in found


@pytest.mark.parametrize(
    ("column", "serving"),
    [
        ("min_price", {"recommend": {"filters": ["price"]}}),
        ("max_price", {"recommend": {"filters": ["price"]}}),
        ("allow_category", {"recommend": {"filters": ["category"]}}),
        ("deny_category", {"recommend": {"filters": ["category"]}}),
        ("fuse_a", {"fuse": {"formula": "click ** a", "parameters": {"a": 1}}}),
        ("exclude", {}),
        ("only", {}),
    ],
)
def test_names_of_requests_are_not_those_of_raw_columns(
    column: str, serving: dict[str, Any]
) -> None:
    context = {"features.context": [{"name": column, "kind": "categorical"}]}
    told = error(serving, **context)
    assert f"in a request '{column}' is" in told
    assert "rename the raw column" in told


@pytest.mark.parametrize("name", ["item_id", "score", "retrieval_score", "count"])
def test_outputs_are_not_named_twice(name: str) -> None:
    tasks = {name: {"kind": "binary", "label": "click"}}
    assert f"tasks.{name}: a served model names another output so" in error({}, tasks=tasks)


@pytest.mark.parametrize(
    ("wanted", "tasks", "told"),
    [
        (["rank", "rank"], ["click"], "'rank' stands there twice; leave one of them out"),
        (["embed_user"], ["click"], "'embed_user' needs a task of kind retrieval; leave it out"),
        (["rank"], ["retrieve"], "'rank' needs a ranking task; leave it out"),
    ],
)
def test_a_signature_that_the_tasks_cannot_give_is_refused(
    wanted: list[str], tasks: list[str], told: str
) -> None:
    chosen = {name: tiny.RAW["tasks"][name] for name in tasks}
    with pytest.raises(ConfigError, match=re.escape(f"serving.signatures: {told}")):
        tiny.make_config({"tasks": chosen, "serving": {"signatures": wanted}})


def test_an_unknown_signature_is_named() -> None:
    assert "serving.signatures" in error({"signatures": ["score"]})
