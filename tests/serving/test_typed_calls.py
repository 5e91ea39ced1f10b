"""The typed calls of both clients, against a model made by hand."""

import asyncio
import inspect
import pydoc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import serving
from serving.client import describe
from serving.served_model.amending import amend
from serving.served_model.parts import Served

ITEMS = ["i0", "i1", "i2", "i3", "i4"]
NOTHING = np.empty((1, 0), object)
TEXT, NUMBER = np.array([b""], object), np.array([np.nan], np.float32)
MINUS_ONE, THREE = np.array([-1], np.int32), np.array([3], np.int32)


def rank(raw):
    """`click = length of user + length of item / 100`; warm and cold, which are 1 and 2 clicks."""
    users = tf.cast(tf.strings.length(raw["user_id"]), tf.float32)[:, None]
    click = users + tf.cast(tf.strings.length(raw["item_id"]), tf.float32) / 100
    classes = tf.repeat([["warm", "cold"]], tf.shape(click)[0], axis=0)
    season = tf.stack([click, 2 * click], axis=2)
    return {"click": click, "score": -click, "season": season, "season_classes": classes}


def rank_rows(raw):
    """`click = price`, where it is missing the length of the user's key."""
    length = tf.cast(tf.strings.length(raw["user_id"]), tf.float32)
    missing = tf.math.is_nan(raw["price"])
    return {"click": tf.where(missing, length, raw["price"]) + 0 * item_lengths(raw)}


def item_lengths(raw):
    return tf.cast(tf.strings.length(raw["item_id"]), tf.float32)


def recommend(raw):
    """The items that are not excluded, in order; each user's key is no input of theirs."""
    excluded = tf.reduce_any(raw["exclude"][:, :, None] == tf.constant(ITEMS), axis=1)
    allowed = tf.logical_or(~excluded, tf.equal(raw["user_id"], "")[:, None])
    order = tf.argsort(tf.cast(~allowed, tf.int32), axis=1, stable=True)
    order = order[:, : tf.reduce_max(raw["k"])]
    count = tf.minimum(tf.reduce_sum(tf.cast(allowed, tf.int32), axis=1), tf.shape(order)[1])
    real = tf.range(tf.shape(order)[1])[None, :] < count[:, None]
    value = tf.where(real, tf.cast(order, tf.float32), 0.0)
    return {
        "item_id": tf.where(real, tf.gather(ITEMS, order), ""),
        "score": 10.0 - value,
        "retrieval_score": value * 10,
        "click": value / 10,
        "count": count,
    }


def retrieve(raw):
    """Numbers for keys: the next ones after the user's."""
    items = raw["user_id"][:, None] + tf.range(1, tf.reduce_max(raw["k"]) + 1, dtype=tf.int64)
    return {"item_id": items, "score": tf.cast(items, tf.float32)}


def embed(raw):
    return {"embedding": tf.one_hot(tf.strings.length(next(iter(raw.values()))), 3)}


def classify(raw):
    parsed = tf.io.parse_example(raw["inputs"], {"price": tf.io.FixedLenFeature([], tf.float32)})
    price = parsed["price"]
    classes = tf.repeat([["up", "down"]], tf.shape(price)[0], axis=0)
    return {"classes": classes, "scores": tf.stack([price, -price], axis=1)}


def regress(raw):
    return {"outputs": classify(raw)["scores"][:, 0]}


def spec(**inputs):
    return {name: tf.TensorSpec(shape, dtype, name) for name, (dtype, *shape) in inputs.items()}


TEXTS, LISTS = (tf.string, None), (tf.string, None, None)
SERVED = {
    "rank_rows": Served(
        rank_rows,
        spec(user_id=TEXTS, item_id=TEXTS, price=(tf.float32, None), query=TEXTS),
        {"price": NUMBER, "query": TEXT},
    ),
    "rank": Served(
        rank,
        spec(user_id=TEXTS, item_id=LISTS, query=TEXTS, candidates=(tf.int32, None)),
        {"query": TEXT, "candidates": MINUS_ONE},
    ),
    "recommend": Served(
        recommend,
        spec(user_id=TEXTS, exclude=LISTS, k=(tf.int32, None)),
        {"exclude": NOTHING, "k": THREE},
    ),
    "retrieve": Served(retrieve, spec(user_id=(tf.int64, None), k=(tf.int32, None)), {"k": THREE}),
    "embed_user": Served(embed, spec(user_id=TEXTS)),
    "embed_item": Served(embed, spec(item_id=TEXTS)),
    "classify": Served(classify, spec(inputs=TEXTS), {}, "tensorflow/serving/classify"),
    "regress": Served(regress, spec(inputs=TEXTS), {}, "tensorflow/serving/regress"),
}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    base: Path = tmp_path_factory.mktemp("typed")
    module = tf.Module()
    functions = {
        name: tf.function(lambda _run=one.function, **raw: _run(raw)).get_concrete_function(
            **one.spec
        )
        for name, one in SERVED.items()
    }
    functions["serving_default"] = functions["rank_rows"]
    tf.saved_model.save(module, str(base / "2"), signatures=functions)
    amend(base / "2", SERVED)
    with serving.EmbeddedServer({"shop": base}) as server:
        yield server.address


@pytest.fixture
def client(address):
    with serving.Client(address, model="shop") as client:
        yield client


def refused(call, *arguments, **named):
    with pytest.raises(serving.ServingError) as caught:
        call(*arguments, **named)
    return str(caught.value)


def test_one_user_gets_plain_lists(client):
    found = client.recommend(user_id="u1", exclude=["i1"])
    assert found.items == ["i0", "i2", "i3"]
    assert found.count == len(found) == 3
    assert found.scores.tolist() == [10, 8, 7]
    assert found.retrieval_scores.tolist() == [0, 20, 30]
    np.testing.assert_allclose(found.tasks["click"], [0, 0.2, 0.3], rtol=1e-6)
    assert found.version == 2
    assert list(found) == ["i0", "i2", "i3"]


def test_several_users_get_rows_cut_to_what_was_found(client):
    exclude = [["i0", "i2", "i3", "i4"], [], None]
    found = client.recommend(user_id=["a", "b", "c"], exclude=exclude, k=4)
    assert found.items == [["i1"], ["i0", "i1", "i2", "i3"], ["i0", "i1", "i2", "i3"]]
    assert found.count == [1, 4, 4]
    assert [scores.tolist() for scores in found.scores] == [
        [9],
        [10, 9, 8, 7],
        [10, 9, 8, 7],
    ]
    first, second, _ = found
    assert (first.items, first.count, first.several) == (["i1"], 1, False)
    assert second.tasks["click"].tolist() == found.tasks["click"][1].tolist()
    assert len(client.recommend(user_id=["a"])) == 1, "a list of one user is a batch"


def test_answers_are_readable_and_go_to_arrow(client):
    found = client.recommend(user_id="u1", k=2)
    assert repr(found).splitlines() == [
        "Recommendations of 2 items, version 2",
        "  item  score  retrieval_score  click",
        "  i0    10     0                0",
        "  i1    9      10               0.1",
    ]
    table = found.to_arrow()
    assert table.column_names == ["item_id", "score", "retrieval_score", "click"]
    assert table["item_id"].to_pylist() == ["i0", "i1"]
    rows = client.recommend(user_id=["a", "b"], exclude=[ITEMS[:4], []], k=2).to_arrow()
    assert rows["row"].to_pylist() == [0, 1, 1]
    assert rows["item_id"].to_pylist() == ["i4", "i0", "i1"]


def test_nobody_is_left(client):
    found = client.recommend(user_id="u1", exclude=ITEMS)
    assert (found.items, found.count, found.scores.shape) == ([], 0, (0,))
    assert found.to_arrow().num_rows == 0
    assert "0 items" in repr(found)


def test_ragged_candidates_are_padded_and_cut(client):
    found = client.rank(user_id=["u1", "u22"], item_id=[["a", "bb", "ccc"], ["dddd"]])
    assert found.items == [["a", "bb", "ccc"], ["dddd"]]
    np.testing.assert_allclose(found.tasks["click"][0], [2.01, 2.02, 2.03])
    np.testing.assert_allclose(found.tasks["click"][1], [3.04])
    np.testing.assert_allclose(found.scores[1], [-3.04])
    np.testing.assert_allclose(found.tasks["season"][1], [[3.04, 6.08]])
    assert found.classes == {"season": ["warm", "cold"]}
    assert found.count == [3, 1]


def test_candidates_of_one_user(client):
    found = client.rank(user_id="u1", item_id=["a", "bb"])
    assert found.items == ["a", "bb"]
    np.testing.assert_allclose(found.tasks["click"], [2.01, 2.02])
    assert client.rank(user_id="u1", item_id=["a", "bb"], candidates=1).items == ["a"]
    assert client.rank(user_id="u1", item_id=[]).items == []
    both = client.rank(user_id=["u1", "u22"], item_id=["a", "bb"])
    assert both.items == [["a", "bb"], ["a", "bb"]], "one list stands beside every user"
    table = found.to_arrow()
    assert table["season"].to_pylist() == [pytest.approx([2.01, 4.02]), pytest.approx([2.02, 4.04])]


def test_rows_take_defaults_repeated_to_the_batch(client):
    found = client.rank_rows(user_id="u1", item_id=["a", "b", "c"], price=[1.5, None, 2.5])
    assert found["click"].tolist() == [1.5, 2.0, 2.5]
    assert client.rank_rows(user_id="u1", item_id="a")["click"] == 2.0
    assert client.rank_rows(user_id=["u1"], item_id=["a"]).to_arrow()["click"].to_pylist() == [2.0]
    message = client.message("rank_rows", {"user_id": "u1", "item_id": ["a", "b", "c"]})
    sizes = {n: t.tensor_shape.dim[0].size for n, t in message.request.inputs.items()}
    assert sizes == {"user_id": 3, "item_id": 3, "price": 3, "query": 3}
    message = client.message("rank_rows", {"user_id": "u1", "item_id": "a"})
    assert set(message.request.inputs) == {"user_id", "item_id"}, "one row needs no defaults"


def test_arrow_tables_and_arrays(client):
    table = pa.table(
        {
            "user_id": pa.array(["u1", "u22"]).dictionary_encode(),
            "item_id": ["a", "b"],
            "price": pa.array([None, 2.5], pa.float64()),
        }
    )
    assert client.rank_rows(table)["click"].tolist() == [2.0, 2.5]
    assert client.rank_rows(table.to_batches()[0], price=1.0)["click"].tolist() == [1.0, 1.0]
    lists = pa.chunked_array([[["a", "bb"]], [["ccc"]]])
    found = client.rank(user_id=pa.array(["u1", "u22"]), item_id=lists)
    assert found.items == [["a", "bb"], ["ccc"]]
    assert client.retrieve(user_id=pa.scalar(7), k=pa.scalar(1)).items == [8]


def test_number_keys_stay_numbers(client):
    assert client.retrieve(user_id=7).items == [8, 9, 10]
    assert client.retrieve(user_id=np.array([7, 2**40]), k=1).items == [[8], [2**40 + 1]]
    assert client.retrieve(user_id=[None], k=1).items == [[0]], "-1 is unknown"
    assert refused(client.retrieve, user_id="u7") == (
        "INVALID_ARGUMENT: input `user_id` should be int64. Received: 'u7'"
    )
    assert refused(client.recommend, user_id=7) == (
        "INVALID_ARGUMENT: input `user_id` should be string. Received: 7"
    )


def test_vectors(client):
    assert client.embed_user(user_id="u").tolist() == [0, 1, 0]
    assert client.embed_item(item_id=["", "i1"]).tolist() == [[1, 0, 0], [0, 0, 1]]


def test_examples(client):
    (found,) = client.classify({"price": 2})
    assert (found.labels, found.scores) == (["up", "down"], [2.0, -2.0])
    rows = [{"price": 1.5, "user_id": "u1"}, {"price": 2.5}]
    assert client.regress(rows).tolist() == [1.5, 2.5]
    assert client.regress(pa.Table.from_pylist(rows)).tolist() == [1.5, 2.5]
    written = tf.train.Example()
    written.features.feature["price"].float_list.value.append(4.0)
    assert client.regress([written.SerializeToString()]).tolist() == [4.0]
    assert client.regress([{}, {"price": 3.0}], context={"price": 1.0}).tolist() == [1.0, 3.0]
    assert client.ask("regress", {"examples": [{"price": 3}]}).tolist() == [3.0]


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([{"prize": 1}], "example 0 has an unknown column `prize`; the model reads: item_id, "),
        ([{"price": 1}, 7], "example 1 should be a mapping of columns to values or a serialized"),
        ([b"\xff"], "example 0 should be a serialized tf.Example"),
        ("price", "examples should be a mapping of columns to values, or a list of such."),
        ([{"price": "dear"}], "input `price` should be float32. Received: 'dear'"),
    ],
)
def test_wrong_examples_are_named(client, examples, message):
    assert refused(client.classify, examples).startswith(f"INVALID_ARGUMENT: {message}")


def test_functions_say_what_they_take(client):
    parameters = inspect.signature(client.recommend).parameters
    assert list(parameters) == ["inputs", "user_id", "exclude", "k"]
    assert parameters["user_id"].default is inspect.Parameter.empty
    assert parameters["user_id"].annotation == str | list[str]
    assert parameters["exclude"].annotation == list[str] | list[list[str]]
    assert (parameters["exclude"].default, parameters["k"].default) == ((), 3)
    text = pydoc.plain(pydoc.render_doc(client.recommend))
    assert "recommend(inputs: " in text
    assert "k: int | list[int] = 3" in text
    assert "  exclude  string [?, ?]  ()" in text
    assert client.recommend is client.recommend


def test_a_description(client):
    assert describe(client.metadata("retrieve")).splitlines() == [
        "retrieve, version 2",
        "takes",
        "  user_id  int64 [?]  required",
        "  k        int32 [?]  3",
        "gives",
        "  item_id  int64 [?, ?]",
        "  score    float32 [?, ?]",
    ]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "missing input `user_id`; signature `recommend` takes: exclude, k, user_id"),
        ({"user_id": "u", "n": 3}, "unknown input `n`; signature `recommend` takes: exclude, k"),
        ({"user_id": "u", "k": "many"}, "input `k` should be int32. Received: 'many'"),
        ({"user_id": [["u"]]}, "input `user_id` should be string. Received: ['u']"),
        ({"user_id": "u", "exclude": [[["i"]]]}, "input `exclude` should have shape [?, ?]. Rec"),
        ({"user_id": "u", "exclude": "i1"}, "input `exclude` should have shape [?, ?]. Received"),
    ],
)
def test_wrong_inputs_are_named(client, inputs, message):
    assert refused(client.recommend, **inputs).startswith(f"INVALID_ARGUMENT: {message}")


def test_inputs_that_are_no_mapping(client):
    assert refused(client.recommend, ["u1"]) == (
        "INVALID_ARGUMENT: inputs should be a mapping of names to values or an Arrow table. "
        "Received: list"
    )


def test_asyncio(address):
    async def talk():
        async with serving.AsyncClient(address, model="shop") as client:
            assert "metadata" in client.recommend.__doc__
            users = [f"u{n}" for n in range(20)]
            found = await asyncio.gather(*(client.recommend(user_id=user, k=1) for user in users))
            assert [answer.items for answer in found] == [["i0"]] * 20
            assert inspect.signature(client.recommend).parameters["k"].default == 3
            ranked = await client.rank(user_id="u1", item_id=["a", "bb"])
            assert ranked.items == ["a", "bb"]
            assert (await client.rank_rows(user_id="u1", item_id="a"))["click"] == 2.0
            assert (await client.retrieve(user_id=7)).items == [8, 9, 10]
            assert (await client.embed_user(user_id="u")).tolist() == [0, 1, 0]
            assert (await client.embed_item(item_id="u")).tolist() == [0, 1, 0]
            assert (await client.classify({"price": 1}))[0].scores == [1.0, -1.0]
            assert (await client.regress({"price": 1})).tolist() == [1.0]
            answer = await client.predict("retrieve", {"user_id": 7, "k": 1})
            assert answer["item_id"].tolist() == [[8]]
            assert set(await client.signatures()) >= {"rank", "recommend"}
            assert await client.status() == [(2, "AVAILABLE", "")]
            with pytest.raises(serving.ServingError, match="missing input `user_id`"):
                await client.recommend()
            with pytest.raises(serving.ServingError, match="NOT_FOUND"):
                await client.at(version=9).recommend(user_id="u1")
        with pytest.raises(serving.ServingError, match="the client is closed"):
            await client.status()

    asyncio.run(talk())
