"""The server one writes first: a signature called with tensors from `make_ndarray`.

python -m benchmarks.serving_of.naive SAVED_MODEL
"""

import sys
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from benchmarks.serving_of.noop import serve


def main(path: str) -> None:
    """Serves a SavedModel until it is told to end."""
    model = tf.saved_model.load(path)

    def predict(request: Any, context: Any) -> Any:
        signature = model.signatures[request.model_spec.signature_name]
        tensors = {
            name: tf.constant(tf.make_ndarray(proto)) for name, proto in request.inputs.items()
        }
        response = predict_pb2.PredictResponse()
        response.model_spec.CopyFrom(request.model_spec)
        for name, tensor in signature(**tensors).items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(tensor.numpy()))
        return response

    handler = grpc.unary_unary_rpc_method_handler(
        predict,
        predict_pb2.PredictRequest.FromString,
        predict_pb2.PredictResponse.SerializeToString,
    )
    serve(
        grpc.method_handlers_generic_handler(
            "tensorflow.serving.PredictionService", {"Predict": handler}
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
