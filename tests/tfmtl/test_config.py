"""What a configuration may say, and the one line that answers a mistake."""

import json
import re
from pathlib import Path

import pytest
import tiny
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmtl.config import ConfigError, dump, load, parse, schema

SHIPPED = sorted((Path(__file__).parents[2] / "pipelines" / "configs").glob("*.yaml"))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("config") / "tiny.yaml"
    file.write_text(yaml.safe_dump(tiny.make_raw(), sort_keys=False))
    return file


MISTAKES = {
    "unknown key at the top": ("traning={epochs: 1}", "traning: unknown key; did you mean 'tra"),
    "unknown key inside": (
        "training.epoch=1",
        "training.epoch: unknown key; did you mean 'epochs'",
    ),
    "unknown key in a list": (
        "features.user.0.dimm=4",
        "features.user[0].dimm: unknown key; did you mean 'dim'?",
    ),
    "unknown key of a kind": (
        "model.trunk={kind: mmoe, expert: 3}",
        "model.trunk.expert: unknown key; did you mean 'experts'?",
    ),
    "unknown key like no other": (
        "split.zzz=1",
        "split.zzz: unknown key; known are by, column, test",
    ),
    "unknown kind of feature": (
        "features.user.0.kind=idd",
        "features.user[0]: unknown kind 'idd'; choose 'id', 'categorical', 'hashed', "
        "'crossed', 'numeric', 'timestamp', 'bag', 'vector', 'text'",
    ),
    "unknown kind of trunk": (
        "model.trunk.kind=mmo",
        "model.trunk: unknown kind 'mmo'; choose 'single_task', 'shared_bottom', 'cross_stitch', "
        "'mmoe', 'cgc', 'ple'",
    ),
    "no kind": ("tasks.click={label: click}", "tasks.click: missing key 'kind'"),
    "task without a label": ("tasks.click={kind: binary}", "tasks.click.label: missing; add it"),
    "no task": ("tasks={}", "tasks: dictionary should have at least 1 item"),
    "two features of one name": (
        "features.user.1.name=user_id",
        "features: two features are named 'user_id'; rename one of them",
    ),
    "a feature named like the scenario": (
        "features.user.1.name=scenario",
        "features: two features are named 'scenario'; rename one of them",
    ),
    "a feature named like a history": (
        "features.user.1.name=click_history_item_id",
        "features: two features are named 'click_history_item_id'; rename one of them",
    ),
    "history of an unknown feature": (
        "features.history.0.of=[item_idd]",
        "features: history.of names 'item_idd', which is no id or categorical item feature; "
        "choose among item_id, category",
    ),
    "history of a number": ("features.history.0.of=[price]", "history.of names 'price', which is"),
    "unknown scenario in a task": (
        "tasks.cart.scenarios=[serch]",
        "tasks.cart.scenarios: 'serch' is not in scenario.values ['search', 'feed']",
    ),
    "scenarios without a scenario": (
        "scenario=null",
        "tasks.cart.scenarios: 'search' is not in scenario.values []",
    ),
    "a scenario twice": ("scenario.values=[a, a]", "scenario: values should all differ, got ['a',"),
    "gate on an unknown task": (
        "gate=[{task: klick, metric: auc, at_least: 0.7}]",
        "gate[0].task: there is no task 'klick'; choose among ['retrieve', 'click', 'cart', 'stars",
    ),
    "gate on an unknown metric": (
        "gate=[{task: click, metric: acu, at_least: 0.7}]",
        "gate[0].metric: task 'click' has no metric 'acu'; choose among rows, positives, auc, ",
    ),
    "gate on a cut-off that is not measured": (
        "gate=[{task: retrieve, metric: recall@7, at_least: 0.7}]",
        "gate[0].metric: task 'retrieve' has no metric 'recall@7'; choose among rows, recall@",
    ),
    "gate on unknown slices": (
        "gate=[{task: click, metric: auc, at_least: 0.7, slices: planet}]",
        "gate[0].slices: there are no slices by 'planet'; choose among ",
    ),
    "gate on a value that the scenario lacks": (
        "gate=[{task: click, metric: auc, at_least: 0.7, slice: {scenario: ads}}]",
        "gate[0].slice.scenario: there is no value 'ads'; choose among ['search', 'feed']",
    ),
    "gate on a bucket that is not made": (
        "gate=[{task: click, metric: auc, at_least: 0.7, slice: {history: 7}}]",
        "gate[0].slice.history: there is no value '7'; choose among ['0', '1-2', '3-5', '6-10', ",
    ),
    "gate on a value that YAML reads as true": (
        "gate=[{task: click, metric: auc, at_least: 0.7, slice: {age: yes}}]",
        "gate[0].slice: put the value of 'age' in quotes: YAML reads it as True",
    ),
    "gate on two columns": (
        "gate=[{task: click, metric: auc, at_least: 0.7, slice: {age: old, history: 0}}]",
        "gate[0].slice: expected one column and its value, got 2 columns",
    ),
    "gate on all values and on one": (
        "gate=[{task: click, metric: auc, at_least: 0.7, slices: age, slice: {age: old}}]",
        "gate[0]: give slices for every value of a column, or slice for one, not both",
    ),
    "gate with a confidence in percent": (
        "gate=[{task: click, metric: auc, at_least: 0.7, confidence: 95}]",
        "gate[0].confidence: input should be less than 1, got 95",
    ),
    "gate with no confidence": (
        "gate=[{task: click, metric: auc, at_least: 0.7, confidence: 0.5}]",
        "gate[0].confidence: input should be greater than 0.5, got 0.5",
    ),
    "gate with a confidence about a count": (
        "gate=[{task: click, metric: rows, at_least: 7, confidence: 0.9}]",
        "gate[0].confidence: 'rows' has no interval; leave the confidence out",
    ),
    "gate on what is neither better nor worse": (
        "gate=[{task: click, metric: calibration, not_worse_by: 0.1}]",
        "gate[0].not_worse_by: neither higher nor lower 'calibration' is better; set at_least and",
    ),
    "gate on a negative margin": (
        "gate=[{task: click, metric: auc, not_worse_by: -0.1}]",
        "gate[0].not_worse_by: input should be greater than or equal to 0, got -0.1",
    ),
    "gate on slices of what speaks of the catalogue": (
        "gate=[{task: retrieve, metric: gini@1, at_most: 0.9, slices: scenario}]",
        "gate[0].slices: 'gini@1' is of all rows together; leave slices out",
    ),
    "gate on slices of no rows": (
        "gate=[{task: click, metric: auc, at_least: 0.7, slices: age, min_rows: 0}]",
        "gate[0].min_rows: input should be greater than or equal to 1, got 0",
    ),
    "gate on NDCG without queries": (
        "gate=[{task: click, metric: ndcg@1, at_least: 0.7}]",
        "gate[0].metric: task 'click' has no metric 'ndcg@1'; choose among",
    ),
    "slices that evaluation makes": (
        "evaluation.slices=[history]",
        "evaluation.slices: 'history' is made by evaluation itself; leave it out",
    ),
    "a scenario named like a slice that evaluation makes": (
        "scenario.column=history",
        "scenario.column: 'history' is a slice that evaluation makes itself; rename the column",
    ),
    "queries by a column that is not kept": (
        "evaluation.query=[price]",
        "evaluation.query: 'price' is not kept in examples; choose among user_id, age",
    ),
    "a number served as a word": (
        "features.item.2.serve_as=abc",
        "features.item[2].serve_as: a numeric feature is served as a number, got 'abc'",
    ),
    "a number served as none": (
        "features.item.2.serve_as=.inf",
        "features.item[2].serve_as: a numeric feature is served as a number, got inf",
    ),
    "a user's column named like the number of items": (
        "features.user.1.column=k",
        "feature 'age': in a request 'k' is how many items to retrieve; rename the raw column",
    ),
    "a column that no input can be named like": (
        "features.user.1.column=age band",
        "column 'age band' cannot be an input of the served model: a name should be a letter, then",
    ),
    "a column named like a history": (
        "features.user.1.column=click_history_item_id",
        "feature 'age': in a request 'click_history_item_id' is a history; rename the raw column",
    ),
    "a key of two lines": ("a\nb=1", "a b: unknown key"),
    "gate without a limit": (
        "gate=[{task: click, metric: auc}]",
        "gate[0]: a rule needs at_least, at_most or not_worse_by",
    ),
    "a duration of unknown unit": (
        "split.test=1y",
        "split: test: by time, give a duration such as 12h or 1d, got '1y'",
    ),
    "a share where a duration belongs": (
        "split.validation=0.1",
        "split: validation: by time, give a duration such as 12h or 1d, got 0.1",
    ),
    "a duration where a share belongs": (
        "split={by: random, test: 1d, validation: 0}",
        "split: test: by random, give a share in [0, 1), got '1d'",
    ),
    "a share of everything": (
        "split={by: random, test: 1.0, validation: 0}",
        "split: test: by random, give a share in [0, 1), got 1.0",
    ),
    "nothing to test on": (
        "split.test=0d",
        "split: test: the model is measured on these rows, got '0d",
    ),
    "nothing to test on at random": (
        "split={by: random, test: 0, validation: 0}",
        "split: test: the model is measured on these rows, got 0",
    ),
    "a random split with a history": (
        "split={by: random, test: 0.2, validation: 0}",
        "features.history: a random split would put test rows into the histories; set split.by to",
    ),
    "retrieval without the item's id": (
        "source.impressions.item=sku",
        "features.item: a retrieval task needs an id feature of 'sku'",
    ),
    "two retrieval tasks": (
        "tasks.second={kind: retrieval}",
        "tasks: only one retrieval task is possible, got ['retrieve', 'second']",
    ),
    "events and impressions": (
        "source.events={path: e.csv, labels: {click: [view]}}",
        "source: events.on: it says which impression an event belongs to; give it, such as "
        "[request_id, item_id]",
    ),
    "neither events nor impressions": (
        "source.impressions=null",
        "source: give 'impressions', 'events' or both",
    ),
    "a label that no event makes": (
        "source={events: {path: e.csv, labels: {click: [view]}}}",
        "label 'cart' is not made by source.events.labels, which makes ['click']",
    ),
    "a tower of unknown features": (
        "model.retrieval.query=[user]",
        "model.retrieval.query: cannot read 'user'; choose among user_id, age, ",
    ),
    "a query tower that reads the answer": (
        "model.retrieval.query=[user_id, item_id]",
        "model.retrieval.query: cannot read 'item_id'; choose among user_id, age, ",
    ),
    "an item tower that reads the user": (
        "model.retrieval.item=[user_id]",
        "model.retrieval.item: cannot read 'user_id'; choose among item_id, ",
    ),
    "a tower that reads nothing": (
        "model.retrieval.item=[]",
        "model.retrieval.item: cannot read ''; choose among item_id, ",
    ),
    "a sum of different dimensions": (
        "model.retrieval={kind: sum, dim: 4}",
        "model.retrieval: sum needs embeddings of dim 4 only, feature 'age' has none of it",
    ),
    "a range upside down": (
        "tasks.stars.range=[5, 1]",
        "tasks.stars: range must be [smallest, largest], got [5.0, 1.0]",
    ),
    "a dense optimiser for tables": (
        "training.optimizer.tables={kind: adam, learning_rate: 0.1}",
        "training.optimizer.tables: unknown kind 'adam'; "
        "choose 'adagrad', 'rowwise_adagrad', 'lazy_adam'",
    ),
    "a number out of bounds": (
        "training.epochs=0",
        "training.epochs: input should be greater than",
    ),
    "a seed below zero": ("seed=-1", "seed: input should be greater than or equal to 0, got -1"),
    "a word for a number": ("training.epochs=many", "training.epochs: input should be a valid int"),
    "a name with a blank": ("name=my shop", "name: string should match pattern"),
    "no value": ("training.epochs", "--set training.epochs: expected key=value, e.g. training.ep"),
    "no key": ("=1", "--set =1: expected key=value"),
    "below a value": ("name.first=1", "--set name.first: 'name' is a value, it has no keys below"),
    "beyond a list": (
        "features.user.7.dim=1",
        "--set features.user.7.dim: '7' is no index of a li",
    ),
    "no digit of an index": ("features.user.².dim=1", "'²' is no index of a list of 2"),
    "no YAML": ("training.epochs=[1", "--set training.epochs: the value is not YAML: [1"),
    "no date": ("training.epochs=2001-99-99", "--set training.epochs: the value is not YAML: 2001"),
    "endless nesting": ("tasks=" + "[" * 3000, "--set tasks: the value is not YAML: [[["),
}


@pytest.mark.parametrize(("override", "line"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_by_one_line(path: Path, override: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(path, [override])
    message = str(caught.value)
    assert line in message
    assert "\n" not in message
    assert message.startswith((f"config {path}: ", "--set "))


def test_factorised_needs_an_id_on_both_sides() -> None:
    changes = {"features.user": [{"name": "age", "kind": "categorical"}], "model.factorised": {}}
    with pytest.raises(ConfigError, match=r"model\.factorised: needs an id feature in features.us"):
        tiny.make_config(changes)


def test_further_problems_are_counted(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"epochs: .*\(and 1 more\)$"):
        load(path, ["training.epochs=0", "training.batch_size=0"])


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"name: [1", "not YAML: while parsing a flow sequence"),
        (b"name: 2001-99-99", "not YAML: month must be in 1..12"),
        (b"- 1", "expected a mapping, got list"),
        (b"", "expected a mapping, got NoneType"),
        (b"name: \xff\xfe", "cannot be read: "),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, content: bytes, line: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^config {re.escape(str(file))}: {re.escape(line)}"):
        load(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml: there is no such file$"):
        load(tmp_path / "nothing.yaml")
    with pytest.raises(ConfigError, match="cannot be read: "):
        load(tmp_path)


def test_overrides_reach_mappings_and_lists(path: Path) -> None:
    config = load(
        path, ["training.epochs=9", "features.user.1.dim=3", "model.balancer.kind=static"]
    )
    assert config.training.epochs == 9
    assert config.features.by_name["age"].dim == 3
    assert config.model.balancer.kind == "static"


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_shipped_configurations_survive_a_round_trip(file: Path) -> None:
    config = load(file)
    again = parse(yaml.safe_load(dump(config)))
    assert again == config
    assert dump(again) == dump(config)


def test_there_are_shipped_configurations() -> None:
    assert {file.stem for file in SHIPPED} >= {"shop", "ml100k", "ml100k_tutorial"}


def test_a_constant_for_serving_keeps_its_text() -> None:
    context = [{"name": "position", "kind": "categorical", "serve_as": 1}]
    feature = tiny.make_config({"features.context": context}).features.by_name["position"]
    assert str(feature.serve_as) == "1"


def test_what_the_towers_read() -> None:
    config = tiny.make_config()
    assert config.query_features == [
        "user_id",
        "age",
        "query",
        "click_history_item_id",
        "click_history_category",
    ]
    assert config.item_features == ["item_id", "category", "price", "title_words"]
    assert list(config.ranking_tasks) == ["click", "cart", "stars"]
    assert set(config.label_columns) == {"click", "cart", "stars"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("12h", 43_200), ("1d", 86_400), ("2w", 1209600)],
)
def test_durations(text: str, seconds: int) -> None:
    split = tiny.make_config({"split": {"test": text, "validation": "0s"}}).split
    assert split.test_seconds == seconds
    assert split.validation_seconds == 0


def test_the_schema_is_whole_and_described() -> None:
    described = json.loads(schema())
    definitions = described["$defs"]
    references = re.findall(r'"\$ref": "#/\$defs/(\w+)"', schema())
    assert set(references) == set(definitions)
    for name, definition in {"Config": described, **definitions}.items():
        assert definition["type"] == "object"
        assert definition["additionalProperties"] is False, name
        assert len(definition["description"]) > 10, name
    length = definitions["TextFeature"]["properties"]["length"]
    assert length["description"].startswith("Words kept")
    assert (length["minimum"], length["maximum"], length["default"]) == (1, 2048, 12)
    kinds = definitions["Model"]["properties"]["trunk"]["discriminator"]["mapping"]
    assert set(kinds) >= {"shared_bottom", "mmoe"}


def _paths(node: object, prefix: tuple[str, ...] = ()) -> list[str]:
    children = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for key, child in children:
        here = (*prefix, str(key))
        found.append(".".join(here))
        if isinstance(child, dict | list):
            found += _paths(child, here)
    return found


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["id", "text", "mmoe", "random", "click", "1d", "item_id", "search"]),
)
NODES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(["kind", "name", "label", "path", "dim"]), LEAVES),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
VALUES = st.one_of(
    NODES.map(lambda node: yaml.safe_dump(node, default_flow_style=True)), st.text(max_size=12)
)
KEYS = st.one_of(st.sampled_from(_paths(tiny.RAW)), st.text(max_size=12))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=3))
def test_nothing_but_a_config_error(path: Path, changes: list[tuple[str, str]]) -> None:
    try:
        config = load(path, [f"{key}={value}" for key, value in changes])
    except ConfigError as error:
        message = str(error)
    else:
        assert parse(yaml.safe_load(dump(config))).tasks.keys() == config.tasks.keys()
        return
    assert message.startswith((f"config {path}: ", "--set "))
