"""Classify, Regress and MultiInference seen through the published stubs.

Codes and messages are those of tensorflow/serving, in tensorflow_serving/servables/tensorflow:
classifier.cc, regressor.cc, multi_inference.cc and util.cc, with its default of
`--enable_signature_method_name_check=false`.
"""

import shutil

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

import serving

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
PREDICT = "tensorflow/serving/predict"


def strings(rows):
    return tf.fill([rows], "a")


def count(size):
    return tf.range(tf.cast(size, tf.float32))


class Odd(tf.Module):
    """Signatures of examples that answer in a way Classify and Regress refuse, and a few fit."""

    def signatures(self):
        examples = tf.TensorSpec([None], tf.string, "inputs")
        answers = {
            "scores_only": lambda n: {"scores": tf.reshape(count(2 * n), [-1, 2])},
            "classes_only": lambda n: {"classes": strings(n)[:, None]},
            "column": lambda n: {"outputs": count(n)[:, None]},
            "flat": lambda n: {"scores": tf.zeros([n])},
            "number_classes": lambda n: {"classes": tf.zeros([n, 1], tf.int64)},
            "double_scores": lambda n: {"scores": tf.zeros([n, 1], tf.float64)},
            "short": lambda n: {"scores": tf.zeros([n - 1, 1])},
            "uneven": lambda n: {"classes": strings(n)[:, None], "scores": tf.zeros([n, 3])},
            "neither": lambda n: {"labels": strings(n)},
            "three": lambda n: {"scores": tf.zeros([n, 1]), "a": strings(n), "b": strings(n)},
            "wide": lambda n: {"outputs": tf.zeros([n, 2])},
            "fewer": lambda n: {"outputs": tf.zeros([n - 1])},
            "whole": lambda n: {"outputs": tf.zeros([n], tf.int32)},
        }
        made = {}
        for name, answer in answers.items():
            function = tf.function(lambda inputs, answer=answer: answer(tf.size(inputs)))
            made[name] = function.get_concrete_function(examples)
        other = tf.function(lambda rows: {"scores": tf.zeros([tf.size(rows), 1])})
        made["alias"] = other.get_concrete_function(tf.TensorSpec([None], tf.string, "rows"))
        return made


@pytest.fixture(scope="module")
def stub(tmp_path_factory, shop_one):
    base = tmp_path_factory.mktemp("examples")
    shutil.copytree(shop_one, base / "shop" / "3")
    odd = Odd()
    tf.saved_model.save(odd, str(base / "odd" / "1"), signatures=odd.signatures())
    with (
        serving.EmbeddedServer({"shop": base / "shop", "odd": base / "odd"}) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def example(**numbers):
    feature = {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        for name, value in numbers.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=feature))


def examples(*values, context=None):
    given = input_pb2.Input()
    rows = [example(x=value) for value in values]
    if context is None:
        given.example_list.examples.extend(rows)
    else:
        given.example_list_with_context.context.CopyFrom(context)
        given.example_list_with_context.examples.extend(rows)
    return given


def fill_spec(spec, name="shop", signature="", version=None, label=None):
    spec.name, spec.signature_name = name, signature
    if version is not None:
        spec.version.value = version
    if label is not None:
        spec.version_label = label


def classification(*values, given=None, **spec):
    request = classification_pb2.ClassificationRequest(input=given or examples(*values))
    fill_spec(request.model_spec, **{"signature": "classify", **spec})
    return request


def regression(*values, given=None, **spec):
    request = regression_pb2.RegressionRequest(input=given or examples(*values))
    fill_spec(request.model_spec, **{"signature": "regress", **spec})
    return request


def several(*tasks, given=None):
    request = inference_pb2.MultiInferenceRequest(input=given or examples(1.0, 2.0))
    for method, spec in tasks:
        task = request.tasks.add(method_name=method)
        fill_spec(task.model_spec, **spec)
    return request


def failure(call, request):
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    return caught.value.code().name, caught.value.details()


def pairs(result):
    return [[(c.label, c.score) for c in row.classes] for row in result.classifications]


def numbers(result):
    return [row.value for row in result.regressions]


def told(spec):
    return spec.name, spec.signature_name, spec.version.value


def test_classify(stub):
    response = stub.Classify(classification(1.5, -2.0))
    assert pairs(response.result) == [[("up", 1.5), ("down", -1.5)], [("up", -2), ("down", 2)]]
    assert told(response.model_spec) == ("shop", "classify", 3)


def test_classify_with_scores_or_classes_alone(stub):
    scores = stub.Classify(classification(1, 2, name="odd", signature="scores_only"))
    assert pairs(scores.result) == [[("", 0.0), ("", 1.0)], [("", 2.0), ("", 3.0)]]
    classes = stub.Classify(classification(1, name="odd", signature="classes_only"))
    assert pairs(classes.result) == [[("a", 0.0)]]


def test_regress(stub):
    response = stub.Regress(regression(1.5, -2.0))
    assert numbers(response.result) == [1.5, -2.0]
    assert told(response.model_spec) == ("shop", "regress", 3)
    column = stub.Regress(regression(7, 7, 7, name="odd", signature="column"))
    assert numbers(column.result) == [0.0, 1.0, 2.0]


def test_a_context_is_part_of_every_example(stub):
    given = examples(1.0, 2.0, context=example(bias=10.0))
    assert numbers(stub.Regress(regression(given=given)).result) == [11.0, 12.0]
    # What an example says itself comes later in the bytes and wins.
    given.example_list_with_context.examples.append(example(x=3.0, bias=1.0))
    assert numbers(stub.Regress(regression(given=given)).result) == [11.0, 12.0, 4.0]


def test_multi_inference(stub):
    request = several(
        (CLASSIFY, {"signature": "classify"}), (REGRESS, {"signature": "regress", "version": 3})
    )
    first, second = stub.MultiInference(request).results
    assert pairs(first.classification_result) == [
        [("up", 1.0), ("down", -1.0)],
        [("up", 2.0), ("down", -2.0)],
    ]
    assert numbers(second.regression_result) == [1.0, 2.0]
    assert told(first.model_spec) == ("shop", "classify", 3)
    assert told(second.model_spec) == ("shop", "regress", 3)


def test_multi_inference_runs_the_model_once(stub, monkeypatch):
    from serving.server.model import LoadedVersion

    runs = []
    run = LoadedVersion.run

    def counted(self, feeds, fetches, *rest):
        runs.append(sorted(fetches))
        return run(self, feeds, fetches, *rest)

    monkeypatch.setattr(LoadedVersion, "run", counted)
    stub.MultiInference(
        several((CLASSIFY, {"signature": "classify"}), (REGRESS, {"signature": "regress"}))
    )
    (fetched,) = runs
    assert len(fetched) == 3


EMPTY = input_pb2.Input()
EMPTY_LIST = input_pb2.Input(example_list=input_pb2.ExampleList())
ONLY_CONTEXT = examples(context=example(bias=1.0))


@pytest.mark.parametrize("given", [EMPTY, EMPTY_LIST, ONLY_CONTEXT])
def test_empty_input(stub, given):
    """util.cc, InputToSerializedExampleTensor."""
    empty = ("INVALID_ARGUMENT", "Input is empty.")
    request = classification(1)
    request.input.CopyFrom(given)
    assert failure(stub.Classify, request) == empty
    request = regression(1)
    request.input.CopyFrom(given)
    assert failure(stub.Regress, request) == empty
    request = several((REGRESS, {"signature": "regress"}))
    request.input.CopyFrom(given)
    assert failure(stub.MultiInference, request) == empty


def without_spec(message):
    message.ClearField("model_spec")
    return message


INVALID = "INVALID_ARGUMENT"
BOTH = [
    (without_spec, INVALID, "Missing ModelSpec"),
    ({"name": ""}, INVALID, "ModelSpec has no name specified."),
    ({"name": "no"}, "NOT_FOUND", "Servable not found for request: Latest(no)"),
    ({"version": 4}, "NOT_FOUND", "Servable not found for request: Specific(shop, 4)"),
    ({"label": "x"}, INVALID, "Unrecognized servable version label: x"),
    ({"signature": "x"}, INVALID, "No signature was found with the name: x"),
    # serving_default of the shop takes two tensors.
    ({"signature": ""}, INVALID, "Expected one input Tensor."),
]


@pytest.mark.parametrize(("change", "code", "message"), BOTH)
@pytest.mark.parametrize(
    ("make", "method"), [(classification, "Classify"), (regression, "Regress")]
)
def test_refusals_of_both(stub, make, method, change, code, message):
    request = change(make(1)) if callable(change) else make(1, **change)
    assert failure(getattr(stub, method), request) == (code, message)


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("three", "Expected one or two output Tensors, found 3"),
        ("flat", "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        ("number_classes", "Expected classes Tensor of DT_STRING. Got: DT_INT64"),
        ("double_scores", "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
        ("short", "Expected scores output batch size of 2. Got: 1"),
        ("uneven", "Tensors class and score should match in dim_size(1). Got 1 vs. 3"),
    ],
)
def test_signatures_that_do_not_classify(stub, signature, message):
    request = classification(1, 2, name="odd", signature=signature)
    assert failure(stub.Classify, request) == (INVALID, message)


def test_signatures_without_the_expected_names(stub):
    code, message = failure(stub.Classify, classification(1, name="odd", signature="neither"))
    assert code == INVALID
    assert message.startswith(
        "Expected classification signature outputs to contain at least one of "
        '"classes" or "scores". Signature was: inputs {'
    )
    code, message = failure(stub.Classify, classification(1, name="odd", signature="alias"))
    assert code == INVALID
    assert message.startswith("No classification inputs found in SignatureDef: inputs {")
    code, message = failure(stub.Regress, regression(1, name="odd", signature="alias"))
    assert code == INVALID
    assert message.startswith("No regression inputs found in SignatureDef: inputs {")
    code, message = failure(stub.Regress, regression(1, name="odd", signature="neither"))
    assert code == INVALID
    assert message.startswith("No regression outputs found in SignatureDef: inputs {")


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("three", "Expected one output Tensor."),
        (
            "wide",
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            "but got [2,2]",
        ),
        ("fewer", "Input batch size did not match output batch size: 2 vs. 1"),
        ("whole", "Expected output Tensor of DT_FLOAT.  Got: DT_INT32"),
    ],
)
def test_signatures_that_do_not_regress(stub, signature, message):
    request = regression(1, 2, name="odd", signature=signature)
    assert failure(stub.Regress, request) == (INVALID, message)


@pytest.mark.parametrize(
    ("tasks", "code", "message"),
    [
        ([], INVALID, "ModelSpec has no name specified."),
        (
            [(REGRESS, {"name": "no"})],
            "NOT_FOUND",
            "Servable not found for request: Latest(no)",
        ),
        (
            [(REGRESS, {"signature": "regress"}), (CLASSIFY, {"name": ""})],
            INVALID,
            "Found ModelSpec with an empty model name.",
        ),
        (
            [(REGRESS, {"signature": "regress"}), (REGRESS, {"name": "odd"})],
            INVALID,
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            [(REGRESS, {"signature": "regress"}), (REGRESS, {"signature": "regress"})],
            INVALID,
            "Duplicate evaluation of signature: regress",
        ),
        (
            [(REGRESS, {"signature": "gone"})],
            INVALID,
            "Requested signature not found in model graph: gone",
        ),
        (
            [(PREDICT, {})],
            "UNIMPLEMENTED",
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        ([("", {})], "UNIMPLEMENTED", "Unsupported signature method_name: "),
        # The first thing wrong is the one told.
        (
            [(PREDICT, {}), (REGRESS, {"name": "odd"})],
            "UNIMPLEMENTED",
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        ([(CLASSIFY, {"signature": "regress"})], INVALID, None),
    ],
)
def test_multi_inference_refusals(stub, tasks, code, message):
    got_code, got = failure(stub.MultiInference, several(*tasks))
    assert got_code == code
    assert message is None or got == message


def test_examples_that_do_not_parse(stub):
    """The graph's own error, as any failure of a run."""
    empty = input_pb2.Input()
    empty.example_list.examples.add()
    code, message = failure(stub.Regress, regression(given=empty))
    assert code == INVALID
    assert "Feature: x (data type: float) is required but could not be found." in message


def test_many_examples(stub):
    values = np.arange(5000, dtype=np.float32)
    assert numbers(stub.Regress(regression(*values)).result) == values.tolist()
