"""gRPC requests that nobody would write: bytes, mutations of good ones, tensors of all kinds."""

import numpy as np
import pytest
from fuzzed import GOOD, check, check_unharmed, no_accidents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving import protocol
from serving.conformance.case import Call
from serving.conformance.requests import (
    examples,
    metadata,
    multi_inference,
    predict,
    status,
)
from serving.conformance.target import Target

FUZZ = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FEATURES = [{"x": [1.0, 2.0]}]
MAKERS = [
    predict(GOOD, outputs=["id"], version=2),
    predict({"user": ["u"], "item": [["bread"]]}, signature="candidates", label="stable"),
    examples(protocol.CLASSIFY, FEATURES, signature="classify"),
    examples(protocol.REGRESS, [{}], FEATURES[0], signature="regress"),
    multi_inference([("classify", {"signature": "classify"})], FEATURES),
    metadata(),
    status(version=1),
]
# Reloading the configuration is left out: a mutated one might be taken.
METHODS = [
    protocol.PREDICT,
    protocol.CLASSIFY,
    protocol.REGRESS,
    protocol.MULTI_INFERENCE,
    protocol.GET_MODEL_METADATA,
    protocol.GET_MODEL_STATUS,
    protocol.HEALTH,
]


@pytest.fixture(scope="module")
def target(reference_server):
    with Target(reference_server.address, "reference") as target:
        yield target
        check_unharmed(target)


@FUZZ
@given(method=st.sampled_from(METHODS), payload=st.binary(max_size=200))
def test_bytes(target, caplog, method, payload):
    call = Call(method, payload)
    with no_accidents(caplog):
        check(target, call, target.send(call))


@st.composite
def mutations(draw):
    """A few cuts, repetitions and changed bytes: `(kind, where, bytes)`, places as fractions."""
    kinds = st.sampled_from(["change", "insert", "cut", "repeat"])
    places = st.floats(0, 1, exclude_max=True)
    one = st.tuples(kinds, places, st.binary(min_size=1, max_size=6))
    return draw(st.lists(one, min_size=1, max_size=4))


def mutated(payload, steps):
    for kind, where, content in steps:
        place, size = int(where * len(payload)), len(content)
        before, after = payload[:place], payload[place:]
        payload = {
            "change": before + content + after[size:],
            "insert": before + content + after,
            "cut": before + after[size:],
            "repeat": before + after[: size * 4] + after,
        }[kind]
    return payload


@FUZZ
@given(make=st.sampled_from(MAKERS), steps=mutations())
def test_mutations_of_good_requests(target, caplog, make, steps):
    good = make(target)
    call = Call(good.method, mutated(good.payload, steps))
    with no_accidents(caplog):
        check(target, call, target.send(call))


def test_mutations_start_from_requests_that_are_good(target):
    assert [target.send(make(target)).code for make in MAKERS] == ["OK"] * len(MAKERS)


@st.composite
def tensors(draw):
    """A TensorProto whose parts need not fit together."""
    proto = protocol.TensorProto()
    proto.dtype = draw(
        st.sampled_from([0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 14, 17, 19, 20, 21, 101, -1])
    )
    sizes = st.one_of(st.integers(-2, 5), st.sampled_from([2**20, 2**31, 2**40, 2**62, -(2**63)]))
    for size in draw(st.lists(sizes, max_size=4)):
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.unknown_rank = draw(st.booleans()) and draw(st.booleans())
    numbers = st.lists(st.integers(0, 2**31 - 1), max_size=5)
    proto.int_val.extend(draw(numbers))
    proto.int64_val.extend(draw(numbers))
    proto.half_val.extend(draw(numbers))
    proto.float_val.extend(draw(st.lists(st.floats(width=32), max_size=5)))
    proto.double_val.extend(draw(st.lists(st.floats(), max_size=3)))
    proto.scomplex_val.extend(draw(st.lists(st.floats(width=32), max_size=5)))
    proto.string_val.extend(draw(st.lists(st.binary(max_size=8), max_size=5)))
    proto.bool_val.extend(draw(st.lists(st.booleans(), max_size=3)))
    if draw(st.booleans()):
        proto.tensor_content = draw(st.binary(max_size=40))
    return proto


@FUZZ
@given(
    asked=st.sampled_from(
        [
            ("serving_default", ("item", "x")),
            ("scaled", ("x", "by")),
            ("candidates", ("user", "item")),
        ]
    ),
    protos=st.tuples(tensors(), tensors()),
)
def test_tensors_of_all_kinds(target, caplog, asked, protos):
    signature, names = asked
    request = protocol.PredictRequest()
    request.model_spec.name = "reference"
    request.model_spec.signature_name = signature
    for name, proto in zip(names, protos, strict=True):
        request.inputs[name].CopyFrom(proto)
    call = Call(protocol.PREDICT, request.SerializeToString())
    with no_accidents(caplog):
        answer = target.send(call)
        check(target, call, answer)
    assert answer.code in {"OK", "INVALID_ARGUMENT"}


@FUZZ
@given(
    name=st.text(max_size=30),
    label=st.none() | st.text(max_size=10),
    version=st.none() | st.integers(-(2**63), 2**63 - 1),
    signature=st.text(max_size=10),
    outputs=st.lists(st.text(max_size=5), max_size=3),
)
def test_names_of_all_kinds(target, caplog, name, label, version, signature, outputs):
    for chosen in (name, "reference"):
        spec = {"name": chosen, "label": label, "version": version, "signature": signature}
        call = predict(GOOD, outputs=outputs, **spec)(target)
        with no_accidents(caplog):
            check(target, call, target.send(call))


@FUZZ
@given(payloads=st.lists(st.binary(max_size=60), min_size=1, max_size=4), context=st.booleans())
def test_examples_that_are_none(target, caplog, payloads, context):
    """The bytes of examples, in a message that is otherwise right."""

    def field(number, content):
        return bytes([number << 3 | 2, len(content)]) + content

    listed = b"".join(field(1, payload) for payload in payloads)
    if context:
        listed += field(2, payloads[0])
    if len(listed) > 120:
        return
    examples_of = field(2 if context else 1, listed)
    spec = protocol.PredictRequest()
    spec.model_spec.name = "reference"
    spec.model_spec.signature_name = "regress"
    call = Call(protocol.REGRESS, spec.SerializeToString() + field(2, examples_of))
    with no_accidents(caplog):
        check(target, call, target.send(call))


@FUZZ
@given(
    serialized=st.lists(st.binary(max_size=60), max_size=3),
    signature=st.sampled_from(["classify", "regress"]),
)
def test_serialized_examples_that_are_none(target, caplog, serialized, signature):
    """As a tensor of strings; what a kernel says of them repeats their bytes."""
    inputs = np.empty(len(serialized), object)
    inputs[:] = serialized
    call = predict({"inputs": inputs}, signature=signature)(target)
    with no_accidents(caplog):
        answer = target.send(call)
        check(target, call, answer)
    assert answer.code in {"OK", "INVALID_ARGUMENT"}
