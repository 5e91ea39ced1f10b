"""One definition for training and serving: random raw rows, bad ones included, give the very same
ids and numbers by Transform's way and by the exported SavedModel."""

import datetime
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.preprocess.casting import canonical_schema, cast
from pipelines.preprocess.encoding import Encoder
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.layout import ROW, Column
from pipelines.preprocess.sides import View
from pipelines.preprocess.wanted import resolve
from serving.inputs import prepare
from serving.metadata import Signature, TensorSpec
from tfmtl.config import Config, parse
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.preprocessing.tables import Moments, write_moments, write_vocabulary

FEATURES: dict[str, Any] = {
    "user": [
        {"name": "user", "kind": "id", "oov_buckets": 7},
        {"name": "tags", "kind": "bag", "weights": "scores", "length": 3, "oov_buckets": 2},
        {"name": "since", "kind": "timestamp", "parts": ["month_day", "year_day"]},
    ],
    "item": [
        {"name": "item", "kind": "id"},
        {"name": "brand", "kind": "hashed", "buckets": 11, "salt": "s"},
        {"name": "price", "kind": "numeric", "scale": "log"},
        {"name": "band", "column": "price", "kind": "numeric", "bucketize": {"buckets": 4}},
        {"name": "stock", "kind": "numeric", "scale": "none"},
        {"name": "image", "kind": "vector", "size": 3},
        {"name": "labels", "column": "tags", "kind": "bag", "hash_buckets": 5, "length": 2},
    ],
    "query": [{"name": "query", "kind": "text", "length": 4, "min_count": 1}],
    "context": [
        {"name": "device", "kind": "categorical"},
        {"name": "amount", "kind": "numeric"},
        {
            "name": "level",
            "column": "amount",
            "kind": "numeric",
            "bucketize": {"boundaries": [-1.5, 0, 0.1, 1e6]},
        },
        {"name": "when", "column": "time", "kind": "timestamp", "utc_offset": 5.75},
        {"name": "cross", "kind": "crossed", "of": ["device", "band", "brand"], "buckets": 997},
        {"name": "pair", "kind": "crossed", "of": ["user", "item"], "buckets": 997},
    ],
}
VOCABULARIES = {
    "user": ["u1", "u2"],
    "item": ["i1", "é", "i3"],
    "tags": ["a", "b", "跑"],
    "query": ["red", "shoe"],
    "device": ["phone", "tablet"],
}
MOMENTS = {
    "price": Moments(3.217, 1.93),
    "band": Moments(0.0, 1.0, (0.1, 7.0, 9.5)),
    "stock": Moments(0.0, 1.0),
    "amount": Moments(-0.3, 7.1),
    "level": Moments(0.0, 1.0),
}
TYPES = {
    "text": pa.binary(),
    "number": pa.float64(),
    "time": pa.float64(),
    "texts": pa.list_(pa.binary()),
    "numbers": pa.list_(pa.float64()),
}


def make_config() -> Config:
    return parse(
        {
            "name": "alike",
            "source": {
                "impressions": {"path": "l", "time": "time", "user": "user", "item": "item"}
            },
            "features": FEATURES,
            "tasks": {"click": {"kind": "binary", "label": "click"}},
        }
    )


@dataclass
class Both:
    """The two ways from raw rows to the model's inputs."""

    wanted: tuple[Column, ...]
    encoder: Encoder
    served: Any
    signature: Signature
    names: list[str]

    def kept(self, rows: list[dict[str, Any]]) -> tuple[pa.RecordBatch, np.ndarray]:
        """The canonical rows, and which of the raw ones they are."""
        arrays = [pa.array([row[c.name] for row in rows], TYPES[c.kind]) for c in self.wanted]
        raw = pa.RecordBatch.from_arrays(arrays, names=[c.name for c in self.wanted])
        letters = pa.RecordBatch.from_pylist([], schema=pa.schema([]))
        batch, _ = cast(raw, self.wanted, np.arange(len(rows)), lambda *_: letters)
        return batch, batch.column(ROW).to_numpy()

    def transformed(self, batch: pa.RecordBatch) -> dict[str, np.ndarray]:
        """What Transform makes of canonical rows."""
        view = View(batch, {})
        return {name: self.encoder.of_view(name, view) for name in self.names}

    def asked(self, rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
        """What the SavedModel makes of the rows of a request, as the client sends them."""
        request = {name: [row[name] for row in rows] for name in self.signature.inputs}
        for name in ("tags", "scores"):  # else a list of None is a list with missing values
            request[name] = [values or [] for values in request[name]]
        arrays = prepare(request, self.signature, broadcast=False)
        tensors = {name: tf.constant(array) for name, array in arrays.items()}
        return {name: tensor.numpy() for name, tensor in self.served(**tensors).items()}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    home, config = tmp_path_factory.mktemp("alike"), make_config()
    for name, values in VOCABULARIES.items():
        write_vocabulary(home, name, values)
    write_moments(home, MOMENTS)
    names = list(config.features.inputs)
    served = _exported(Preprocessor(config, home), names, home / "saved_model")
    signature = Signature(
        "made",
        1,
        {
            name: TensorSpec(spec.dtype.name, tuple(spec.shape.as_list()))
            for name, spec in served.structured_input_signature[1].items()
        },
        {},
    )
    columns = {
        "log": [raw.column for made in config.features.inputs.values() for raw in made.reads]
    }
    columns["log"].append("click")
    wanted = tuple(c for c in resolve(config, columns)["log"] if c.name != "click")
    (home / "log").mkdir()
    pq.write_table(canonical_schema(wanted).empty_table(), home / "log" / "part-0.parquet")
    return Both(wanted, Encoder(Examples(config, home), home), served, signature, names)


def _exported(preprocessor: Preprocessor, names: list[str], path: Path) -> Any:
    module = tf.Module()
    module.tables = preprocessor.tables
    spec = preprocessor.raw_spec(names)
    function = tf.function(lambda **raw: preprocessor(raw, names)).get_concrete_function(**spec)
    tf.saved_model.save(module, str(path), signatures={"made": function})
    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures["made"]
    signature.owner = loaded  # which must outlive the fixture's frame
    return signature


TEXTS = st.one_of(
    st.none(),
    st.sampled_from([b"", b"u1", b"i3", b"phone", b"a", b" ", b"red Shoe", "跑é".encode()]),
    st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([b"\0", b"a\nb", b"\x1f", b"\r", b"\xff", b"1:a", b"a" * 300]),
)
NUMBERS = st.one_of(
    st.none(),
    st.floats(width=32),
    st.floats(),
    st.integers(-(2**70), 2**70).map(float),
    st.sampled_from([0.0, -0.0, 0.1, 7.0, 9.5, -1.5, 1e6, -1.0, 1e-45, 3.4e38, 1e39]),
)
SECONDS = st.one_of(
    st.none(),
    st.integers(0, 4_102_444_799).map(float),
    st.floats(0, 4_102_444_799, allow_subnormal=False),
    st.floats(),
    st.sampled_from([0.0, 951_782_399.0, 951_782_400.0, 4_102_444_800.0, -1.0]),
)
ROWS = st.fixed_dictionaries(
    {
        **dict.fromkeys(("user", "item", "brand", "query", "device"), TEXTS),
        **dict.fromkeys(("price", "stock", "amount"), NUMBERS),
        **dict.fromkeys(("since", "time"), SECONDS),
        "tags": st.one_of(st.none(), st.lists(TEXTS, max_size=6)),
        "scores": st.one_of(st.none(), st.lists(st.one_of(NUMBERS, st.floats(0, 9)), max_size=6)),
        "image": st.one_of(
            st.none(),
            st.lists(st.floats(width=32, allow_nan=False), min_size=3, max_size=3),
            st.lists(NUMBERS, max_size=5),
        ),
    }
)
GOOD = {
    "user": b"u1",
    "item": b"new",
    "brand": b"acme",
    "query": "Red跑 shoes".encode(),
    "device": b"phone",
    "price": 12.25,
    "stock": 3.0,
    "amount": 0.1,
    "since": 951_782_400.0,
    "time": 1_600_000_000.0,
    "tags": [b"a", b"", b"zz", b"b"],
    "scores": [0.5, 2.0],
    "image": [1.0, -2.0, 0.5],
}


def check(both: Both, rows: list[dict[str, Any]]) -> int:
    """Demands equal inputs, in one request and in requests of a row; the number of rows kept."""
    batch, numbers = both.kept(rows)
    if not len(numbers):
        return 0
    kept = [rows[number] for number in numbers]
    transformed = both.transformed(batch)
    together = both.asked(kept)
    for name in both.names:
        assert together[name].dtype == transformed[name].dtype, name
        np.testing.assert_array_equal(together[name], transformed[name], err_msg=name)
    for place, row in enumerate(kept[:2]):
        alone = both.asked([row])
        for name in both.names:
            np.testing.assert_array_equal(alone[name][0], transformed[name][place], err_msg=name)
    return len(numbers)


def test_a_good_row_is_compared(both: Both) -> None:
    assert check(both, [GOOD, {**GOOD, "user": b"", "price": None}, GOOD]) == 2


BOUNDED = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@BOUNDED
@given(st.lists(ROWS, min_size=1, max_size=5))
@example([{**GOOD, "price": 1e-45, "stock": 1e-45, "amount": -0.0}, GOOD])
def test_any_rows_are_served_as_they_were_trained_on(
    both: Both, rows: list[dict[str, Any]]
) -> None:
    check(both, [*rows, GOOD])


@BOUNDED
@given(st.lists(ROWS, min_size=4, max_size=12))
def test_good_rows_with_one_odd_column_each(both: Both, rows: list[dict[str, Any]]) -> None:
    names = list(GOOD)
    mixed = [{**GOOD, names[i % len(names)]: r[names[i % len(names)]]} for i, r in enumerate(rows)]
    check(both, mixed)


@pytest.mark.slow
@settings(BOUNDED, max_examples=500, derandomize=False)
@given(st.lists(ROWS, min_size=1, max_size=30), st.data())
def test_many_more_rows(both: Both, rows: list[dict[str, Any]], data: st.DataObject) -> None:
    changed = data.draw(st.lists(st.sampled_from(list(GOOD)), max_size=4))
    check(both, [*rows, *[{**GOOD, **{name: row[name] for name in changed}} for row in rows]])


def test_numbers_do_not_depend_on_the_place_in_the_batch(both: Both) -> None:
    """Vectorised kernels round the tail of a batch otherwise, and graphs divide by multiplying."""
    random = np.random.default_rng(3)
    rows = [
        {**GOOD, "price": float(price), "amount": float(amount), "time": float(time)}
        for price, amount, time in zip(
            random.lognormal(2, 2, 403),
            random.normal(size=403),
            random.integers(0, 4_102_444_800, 403),
            strict=True,
        )
    ]
    assert check(both, rows) == 403


@pytest.mark.parametrize("time", [0, 951_782_399, 1_600_000_000, 4_102_444_799])
def test_times_are_what_the_calendar_says(both: Both, time: int) -> None:
    batch, _ = both.kept([{**GOOD, "time": float(time), "since": float(time)}])
    made = both.transformed(batch)
    utc = datetime.datetime.fromtimestamp(time, datetime.UTC)
    local = utc + datetime.timedelta(hours=5.75)
    days_of_month = (utc.replace(day=28) + datetime.timedelta(days=4)).replace(day=1)
    days_of_month = (days_of_month - datetime.timedelta(days=1)).day
    days_of_year = datetime.date(utc.year, 12, 31).timetuple().tm_yday
    angles = {
        "when": [(local.hour * 60 + local.minute) / 1440, local.weekday() / 7],
        "since": [(utc.day - 1) / days_of_month, (utc.timetuple().tm_yday - 1) / days_of_year],
    }
    for name, turns in angles.items():
        expected = [f(2 * np.pi * turn) for turn in turns for f in (np.sin, np.cos)]
        np.testing.assert_allclose(made[name][0], expected, atol=1e-6)
