"""What `tf.saved_model.save` has no argument for: defaults of inputs, and names of methods."""

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.saved_model import fingerprinting_utils

from serving.served_model.parts import Served
from serving.signatures import DEFAULT


def amend(directory: Path, served: Mapping[str, Served]) -> None:
    """Adds the defaults and the methods' names to the signatures of a SavedModel, and makes the
    default signature another name of the first.

    Args:
        directory: the SavedModel directory.
        served: its signatures by name, the default one first.
    """
    path = directory / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    (meta_graph,) = saved_model.meta_graphs
    for name, one in served.items():
        signature = meta_graph.signature_def[name]
        signature.method_name = one.method
        for alias, value in one.defaults.items():
            proto = tf.make_tensor_proto(value, one.spec[alias].dtype, value.shape)
            signature.defaults[alias].CopyFrom(proto)
    # With tensors of its own, a server would have to prepare the same run twice.
    meta_graph.signature_def[DEFAULT].CopyFrom(meta_graph.signature_def[next(iter(served))])
    path.write_bytes(saved_model.SerializeToString(deterministic=True))
    fingerprinting_utils.write_fingerprint(str(directory))  # of the file as it is now
