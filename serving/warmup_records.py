"""Warm-up requests inside a version: TF Serving replays them before the version takes traffic.

`assets.extra/tf_serving_warmup_requests` is an uncompressed TFRecord of `PredictionLog`. The first
run of a signature optimises its graph, which the first client should not have to wait for. One
record that fails keeps the server from loading the version.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from serving.dtypes import TensorError, tensorflow_dtype
from serving.protocol import PredictionLog
from serving.tensors import decode, encode

WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
MOST_RECORDS = 1000
"""More, and TF Serving refuses the version."""


class RecordError(ValueError):
    """A record that TF Serving would refuse, or a file of them."""


def write_warmup(
    directory: Path, name: str, requests: Iterable[tuple[str, Mapping[str, np.ndarray]]]
) -> None:
    """Writes a version's warm-up requests.

    Args:
        directory: the SavedModel directory.
        name: the served model's.
        requests: signatures and their input arrays, each a request.

    Raises:
        ValueError: there are more than TF Serving replays.
    """
    import tensorflow as tf

    records = []
    for signature, inputs in requests:
        log = PredictionLog()
        request = log.predict_log.request
        request.model_spec.name = name
        request.model_spec.signature_name = signature
        for alias, array in inputs.items():
            encode(array, request.inputs[alias])
        records.append(log.SerializeToString(deterministic=True))
    if len(records) > MOST_RECORDS:
        raise ValueError(f"expected at most {MOST_RECORDS} warm-up requests, got {len(records)}")
    path = directory / WARMUP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def read_warmup(directory: Path) -> list[bytes]:
    """The records of a version, serialised; none where it has no file of them.

    Raises:
        RecordError: the file is no TFRecord, or holds too many.
    """
    import tensorflow as tf

    path = directory / WARMUP_FILE
    if not path.is_file():
        return []
    records = []
    with tf.init_scope():
        try:
            for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
                records.append(record)
                if len(records) > MOST_RECORDS:
                    raise RecordError(f"there are more than {MOST_RECORDS} warm-up records")
        except tf.errors.DataLossError as error:
            raise RecordError(
                f"warm-up record {len(records)}: the file is not an uncompressed TFRecord, or is "
                f"damaged: {error.message}"
            ) from None
    return records


def request_of(record: bytes, signature_defs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The signature and the input arrays of a record, checked as TF Serving would check them.

    Args:
        record: the serialised `PredictionLog`.
        signature_defs: the model's signatures.

    Raises:
        RecordError: it is no Predict request that the model can answer.
    """
    # The published classes import TensorFlow, which is here already.
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis import prediction_log_pb2

    try:
        log = prediction_log_pb2.PredictionLog.FromString(record)
    except DecodeError:
        raise RecordError("it is no PredictionLog") from None
    kind = log.WhichOneof("log_type")
    if kind != "predict_log":
        raise RecordError(f"expected a Predict request, got {kind or 'an empty record'}")
    request = log.predict_log.request
    name = request.model_spec.signature_name or "serving_default"
    if name not in signature_defs:
        raise RecordError(f"there is no signature `{name}`")
    signature = signature_defs[name]
    given = {*request.inputs, *signature.defaults}
    if given != set(signature.inputs):
        wrong = sorted(given ^ set(signature.inputs))
        raise RecordError(f"signature `{name}`: inputs missing or unknown: {', '.join(wrong)}")
    inputs = {}
    for alias, info in signature.inputs.items():
        sent = request.inputs[alias] if alias in request.inputs else signature.defaults[alias]
        try:
            inputs[alias] = decode(sent)
        except TensorError as error:
            raise RecordError(f"signature `{name}`: input `{alias}`: {error}") from None
        if tensorflow_dtype(inputs[alias].dtype) != info.dtype:
            raise RecordError(
                f"signature `{name}`: input `{alias}` is of data type {sent.dtype}, expected "
                f"{info.dtype}"
            )
    return name, inputs
