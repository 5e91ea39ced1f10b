"""Replay of a version's own warm-up requests before it takes traffic.

`assets.extra/tf_serving_warmup_requests` is an uncompressed TFRecord of `PredictionLog`. The first
run of every signature optimises the graph, which is better paid here than by the first client.
"""

from pathlib import Path

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from serving.server.classify import classify
from serving.server.model import LoadedVersion
from serving.server.multi_inference import multi_inference
from serving.server.predict import predict
from serving.server.regress import regress
from serving.server.status import StatusError, from_tensorflow, invalid_argument
from serving.warmup_records import MOST_RECORDS, WARMUP_FILE


def warm_up(model: LoadedVersion, directory: Path) -> int:
    """Runs the recorded requests of a version, if it has any.

    Args:
        model: The loaded version.
        directory: The directory it was loaded from.

    Returns:
        The number of records read.

    Raises:
        StatusError: When a record cannot be read or fails, or there are more than 1000.
    """
    path = directory / WARMUP_FILE
    if not path.exists():
        return 0
    count = 0
    with tf.init_scope():
        records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
        try:
            for count, record in enumerate(records, start=1):
                if count > MOST_RECORDS:
                    raise invalid_argument(
                        f"Number of warmup records exceeds the maximum ({MOST_RECORDS}) "
                        f"at {WARMUP_FILE}"
                    )
                _replay(model, record)
        except tf.errors.DataLossError as error:
            raise StatusError(
                grpc.StatusCode.DATA_LOSS,
                f"{from_tensorflow(error).message}. "
                "Please verify your warmup data is in TFRecord format.",
            ) from error
    return count


def _replay(model: LoadedVersion, record: bytes) -> None:
    try:
        log = prediction_log_pb2.PredictionLog.FromString(record)
    except DecodeError as error:
        raise invalid_argument(f"Failed to parse warmup record from {WARMUP_FILE}") from error
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        predict(model, log.predict_log.request)
    elif kind == "classify_log":
        classify(model, log.classify_log.request)
    elif kind == "regress_log":
        regress(model, log.regress_log.request)
    elif kind == "multi_inference_log":
        multi_inference(model, log.multi_inference_log.request)
    elif kind == "session_run_log":
        number = log.DESCRIPTOR.fields_by_name[kind].number
        raise StatusError(
            grpc.StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {number}"
        )
