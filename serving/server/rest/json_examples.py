"""`tf.Example`s from JSON: the requests of classify and regress.

    {"signature_name": S, "context": {"query": "pizza"}, "examples": [{"names": ["a"], "age": 20}]}

A number with a fraction or exponent is a float, a whole one or a boolean an int64.
"""

import math
from collections.abc import Mapping
from typing import Any

from tensorflow.core.example import example_pb2, feature_pb2

from serving.server.rest.json_text import is_double, malformed, type_name
from serving.server.rest.json_values import FLOAT_MAX, as_bytes, is_base64, lossy, unbase64
from serving.server.status import invalid_argument


def fill_examples(document: Mapping[str, Any], given: Any) -> None:
    """Fills the `Input` of a classify or regress request.

    Raises:
        StatusError: INVALID_ARGUMENT when the document is no such request.
    """
    examples = given.example_list
    if "context" in document:
        examples = given.example_list_with_context
        examples.context.CopyFrom(_example(document["context"]))
    if "examples" not in document:
        raise malformed(
            document, "When method is classify, key 'examples' is expected and was not found"
        )
    listed = document["examples"]
    if not isinstance(listed, list):
        raise malformed(document, "Expecting 'examples' value to be an list/array")
    if not listed:
        raise malformed(document, "'examples' value is an empty array")
    for value in listed:
        examples.examples.append(_example(value))


def _example(value: Any) -> example_pb2.Example:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {type_name(value)}")
    example = example_pb2.Example()
    for name, content in value.items():
        feature = example.features.feature[name]
        for item in content if isinstance(content, list) else [content]:
            _add_to_feature(item, name, feature)
    return example


def _add_to_feature(value: Any, name: str, feature: feature_pb2.Feature) -> None:
    if isinstance(value, str) or is_base64(value):
        _list_of(feature, name, "bytes_list").append(
            as_bytes(value) if isinstance(value, str) else unbase64(value)
        )
    elif is_double(value):
        single = _list_of(feature, name, "float_list")
        if math.isfinite(value) and abs(value) > FLOAT_MAX:
            raise lossy(value, "float")
        single.append(value)
    elif isinstance(value, int):
        whole = _list_of(feature, name, "int64_list")
        if value >= 2**63:
            raise invalid_argument(f"Feature: {name} has uint64 element. Only int64 is supported.")
        whole.append(int(value))
    else:
        raise invalid_argument(
            f"Feature: {name} has element with unexpected JSON type: {type_name(value)}"
        )


def _list_of(feature: feature_pb2.Feature, name: str, kind: str) -> Any:
    held = feature.WhichOneof("kind")
    if held not in (None, kind):
        raise invalid_argument(
            f"Unexpected element type in feature: {name} expecting type: "
            f"{held.removesuffix('_list')}"
        )
    return getattr(feature, kind).value
