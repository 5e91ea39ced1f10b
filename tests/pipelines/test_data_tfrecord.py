"""TFRecord of tf.Example: rows, lists, what is missing, and what is damaged."""

import gzip
import struct

import pytest
import tensorflow as tf
from raw_tables import read_log

from pipelines.components.base import PipelineError
from pipelines.preprocess import tfrecord_reading
from pipelines.preprocess.layout import Column

GOOD = {"u": "u1", "i": "i1", "t": 10, "click": 1, "price": 2.5, "tag": "a"}
LISTS = {
    "tag": Column("tag", "texts", "test", separator="|"),
    "price": Column("price", "numbers", "test"),
}


def example(**features) -> bytes:
    """A tf.Example: texts as bytes, integers, floats, or lists of such."""
    made = {}
    for name, value in features.items():
        values = value if isinstance(value, list) else [value]
        if values and isinstance(values[0], str | bytes):
            values = [v.encode() if isinstance(v, str) else v for v in values]
            made[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        elif values and isinstance(values[0], float):
            made[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
        else:
            made[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString()


def row(**changes) -> bytes:
    return example(**{**GOOD, **changes})


def write(path, *records: bytes) -> None:
    with tf.io.TFRecordWriter(str(path)) as file:
        for record in records:
            file.write(record)


@pytest.mark.parametrize("ending", ["tfrecord", "tfrecords", "tfrecord.gz"])
def test_rows(tmp_path, ending):
    path = tmp_path / f"log.{ending}"
    lacking = {name: GOOD[name] for name in ("u", "i", "t")}
    write(path, row(), example(**lacking, price=[], tag=[]), row(u="u3", tag="é"))
    if ending.endswith("gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))

    log = read_log(tmp_path, path.name)

    assert log.letters == []
    assert log.column("u") == ["u1", "u1", "u3"]
    assert log.column("t") == [10, 10, 10]
    assert log.column("click") == [1.0, None, 1.0]
    assert log.column("price") == [2.5, None, 2.5]
    assert log.column("tag") == ["a", "", "é"]


def test_lists(tmp_path):
    write(
        tmp_path / "log.tfrecord",
        row(tag=["a", "b"], price=[1.0, 2.0]),
        row(tag=[], price=[]),
        row(tag=["c|d", "e"], price=[0.5]),
    )

    log = read_log(tmp_path, "log.tfrecord", LISTS)

    assert log.column("tag") == [["a", "b"], [], ["c", "d", "e"]]
    assert log.column("price") == [[1.0, 2.0], [], [0.5]]


def test_bad_records_are_rejected_with_their_number(tmp_path):
    bad = [b"\xff\xff\xff", row(tag=["a", "b"]), row(tag=b"\xff"), row(price="x"), row(t="soon")]
    write(tmp_path / "log.tfrecord", row(), *bad, row(u="last"))

    log = read_log(tmp_path, "log.tfrecord")

    assert log.column("u") == ["u1", "last"]
    assert sorted(log.reasons) == [
        (2, "not a tf.Example", None),
        (3, "several values where one is right", "tag"),
        (4, "not UTF-8", "tag"),
        (5, "not a number", "price"),
        (6, "unparsable time", "t"),
    ]
    raws = {letter["line"]: letter["raw"] for letter in log.letters}
    assert raws[2] == "\ufffd\ufffd\ufffd"
    assert '"tag"' in raws[3]


def test_a_feature_of_several_types(tmp_path):
    write(
        tmp_path / "log.tfrecord",
        row(u=7, i="7", price=1, click=1.0),
        row(u="7", i=7, price="1.0", click="1"),
        row(u=b"7", i=7, price=1.0, click=1),
    )

    log = read_log(tmp_path, "log.tfrecord")

    assert log.letters == []
    assert log.column("u") == log.column("i") == ["7"] * 3
    assert log.column("price") == log.column("click") == [1.0] * 3


def test_batches_number_their_records_on(tmp_path, monkeypatch):
    write(tmp_path / "log.tfrecord", *(row(u=f"u{n}", t=n) for n in range(10)), row(t=-1))
    monkeypatch.setattr(tfrecord_reading, "_RECORDS", 4)

    log = read_log(tmp_path, "log.tfrecord")

    assert log.column("t") == list(range(10))
    assert log.reasons == [(11, "time out of range", "t")]


def damage(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= 0xFF
    return bytes(changed)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content, size: damage(content, size + 20), "corrupted record at byte {inside}"),
        (lambda content, size: damage(content, size + 1), "corrupted record at byte {size}"),
        (lambda content, size: content[:-3], "truncated record at byte"),
    ],
    ids=["content", "length", "end"],
)
def test_damage_stops_the_run_and_names_the_byte(tmp_path, spoil, message):
    path = tmp_path / "log.tfrecord"
    write(path, row(), row())
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0] + 16
    path.write_bytes(spoil(content, size))

    with pytest.raises(PipelineError) as caught:
        read_log(tmp_path, "log.tfrecord")

    assert str(caught.value).startswith(f"{path}: damaged or truncated (")
    assert message.format(size=size, inside=size + 12) in str(caught.value)


def test_a_truncated_gzip(tmp_path):
    path = tmp_path / "log.tfrecord.gz"
    write(tmp_path / "log", *(row(u=f"u{n}") for n in range(100)))
    path.write_bytes(gzip.compress((tmp_path / "log").read_bytes())[:-30])

    with pytest.raises(PipelineError, match=r"log\.tfrecord\.gz: damaged or truncated"):
        read_log(tmp_path, "log.tfrecord.gz")


def test_what_is_no_tfrecord(tmp_path):
    (tmp_path / "log.tfrecord").write_text("u,i\n1,2\n" * 10)
    write(tmp_path / "texts.tfrecord", b"\xff\xff", b"\xff\xfe")
    (tmp_path / "log.tfrecord.zst").write_bytes(b"x" * 10)

    with pytest.raises(PipelineError, match=r"log\.tfrecord: damaged or .*corrupted .* byte 0"):
        read_log(tmp_path, "log.tfrecord")
    with pytest.raises(PipelineError, match=r"none of its first records is a tf\.Example"):
        read_log(tmp_path, "texts.tfrecord")
    with pytest.raises(PipelineError, match=r"TFRecord is read as it is or as \.gz; unpack it"):
        read_log(tmp_path, "log.tfrecord.zst")
