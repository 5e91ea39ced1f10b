"""REST as TF Serving documents it: requests and answers in hand-written JSON.

The examples are those of TF Serving's page on its RESTful API (api_rest.md), the messages those of
its json_tensor.cc, http_rest_api_handler.cc and http_rest_api_util.cc.
"""

import gzip
import http.client
import json
import math

import pytest
import tensorflow as tf

import serving

EXAMPLES = tf.TensorSpec([None], tf.string, "inputs")


class HalfPlusThree(tf.Module):
    """`y = x / 2 + 3`, the model of the page, and signatures for what else stands on it."""

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, "x")])
    def predict(self, x):
        return {"y": x / 2 + 3}

    @tf.function(input_signature=[EXAMPLES])
    def regress(self, inputs):
        parsed = tf.io.parse_example(
            inputs,
            {
                "x": tf.io.FixedLenFeature([], tf.float32),
                "bias": tf.io.FixedLenFeature([], tf.float32, 0.0),
            },
        )
        return {"outputs": parsed["x"] / 2 + 3 + parsed["bias"]}

    @tf.function(input_signature=[EXAMPLES])
    def classify(self, inputs):
        parsed = tf.io.parse_example(inputs, {"caption": tf.io.FixedLenFeature([], tf.string)})
        classes = tf.stack([parsed["caption"], tf.strings.upper(parsed["caption"])], axis=1)
        scores = tf.repeat([[0.2, math.nan]], tf.shape(classes)[0], axis=0)
        return {"classes": classes, "scores": scores}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "tag"),
            tf.TensorSpec([None, 5], tf.int64, "signal"),
            tf.TensorSpec([None, 2, 2], tf.int32, "sensor"),
        ]
    )
    def three(self, tag, signal, sensor):
        return {"tag": tag, "total": tf.reduce_sum(signal, 1), "sensor": sensor}


class Types(tf.Module):
    """What goes in comes out, one signature a type."""

    def signatures(self):
        made = {}
        for dtype in (
            tf.float32, tf.float64, tf.int8, tf.uint8, tf.int32, tf.int64, tf.uint32, tf.uint64,
            tf.bool, tf.string, tf.half,
        ):  # fmt: skip
            same = tf.function(lambda x: {"y": tf.identity(x)})
            spec = tf.TensorSpec(None, dtype, "x")
            made[dtype.name] = same.get_concrete_function(spec)
        raw = tf.function(lambda x: {"image_bytes": tf.identity(x), "text": tf.identity(x)})
        made["raw"] = raw.get_concrete_function(tf.TensorSpec([None], tf.string, "x"))
        uneven = tf.function(lambda x: {"a": x, "b": tf.concat([x, x], 0)})
        made["uneven"] = uneven.get_concrete_function(tf.TensorSpec([None], tf.float32, "x"))
        return made


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("rest")
    half, types = HalfPlusThree(), Types()
    signatures = {
        "serving_default": half.predict,
        "tensorflow/serving/regress": half.regress,
        "classify_objects": half.classify,
        "three": half.three,
    }
    tf.saved_model.save(half, str(base / "half_plus_three" / "123"), signatures=signatures)
    tf.saved_model.save(types, str(base / "types" / "1"), signatures=types.signatures())
    models = {name: base / name for name in ("half_plus_three", "types")}
    with serving.EmbeddedServer(models, serving.ServerOptions(rest_api_port=0)) as server:
        yield server


@pytest.fixture(scope="module")
def ask(server):
    """`ask(method, path, body) -> (code, body)` over one connection that is kept."""
    connection = http.client.HTTPConnection(server.rest_address, timeout=20)

    def ask(method, path, body=None, **headers):
        content = body.encode() if isinstance(body, str) else body
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()

    yield ask
    connection.close()


@pytest.fixture
def predict(ask):
    """`predict(body, model) -> (code, parsed answer)`."""

    def predict(body, model="half_plus_three", suffix=":predict"):
        if not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        code, text = ask("POST", f"/v1/models/{model}{suffix}", body)
        return code, json.loads(text)

    return predict


HALF = "/v1/models/half_plus_three"


def test_status_as_documented(ask):
    expected = """{
 "model_version_status": [
  {
   "version": "123",
   "state": "AVAILABLE",
   "status": {
    "error_code": "OK",
    "error_message": ""
   }
  }
 ]
}
"""
    for path in (HALF, f"{HALF}/versions/123", "/V1/Models/half_plus_three", f"{HALF}/labels/any"):
        assert ask("GET", path) == (200, expected)
    assert ask("GET", f"{HALF}/versions/9") == (
        404,
        '{\n    "error": "Could not find version 9 of model half_plus_three"\n}',
    )


def test_metadata(ask):
    code, text = ask("GET", f"{HALF}/versions/123/metadata")
    answer = json.loads(text)
    assert code == 200
    assert answer["model_spec"] == {
        "name": "half_plus_three",
        "signature_name": "",
        "version": "123",
    }
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert signatures["three"]["inputs"]["sensor"]["dtype"] == "DT_INT32"
    dims = signatures["three"]["inputs"]["sensor"]["tensor_shape"]["dim"]
    assert [dim["size"] for dim in dims] == ["-1", "2", "2"]
    assert signatures["serving_default"]["method_name"] == "tensorflow/serving/predict"
    assert ask("GET", "/v1/models/half/metadata")[0] == 404


def test_predict_as_documented(ask):
    body = '{"instances": [1.0,2.0,5.0]}'
    expected = '{\n    "predictions": [3.5, 4.0, 5.5\n    ]\n}'
    assert ask("POST", f"{HALF}:predict", body) == (200, expected)
    assert ask("POST", f"{HALF}/versions/123:predict", body) == (200, expected)
    assert ask("POST", f"{HALF}:PREDICT", body) == (200, expected)


def test_regress_as_documented(ask):
    name = '"signature_name": "tensorflow/serving/regress"'
    body = f'{{{name}, "examples": [{{"x": 1.0}}, {{"x": 2.0}}]}}'
    assert ask("POST", f"{HALF}:regress", body) == (200, '{\n    "results": [3.5, 4.0]\n}')
    body = f'{{{name}, "context": {{"bias": [-1.5]}}, "examples": [{{"x": 1.0}}]}}'
    assert ask("POST", f"{HALF}:regress", body) == (200, '{\n    "results": [2.0]\n}')


def test_classify_as_documented(ask):
    body = """{"signature_name": "classify_objects",
        "examples": [{"caption": "seaside"}, {"caption": {"b64": "bW91bnRhaW5z"}}]}"""
    expected = (
        '{\n    "results": [[["seaside", 0.2], ["SEASIDE", NaN]], '
        '[["mountains", 0.2], ["MOUNTAINS", NaN]]\n    ]\n}'
    )
    assert ask("POST", f"{HALF}:classify", body) == (200, expected)


def test_a_model_that_is_not_there_as_documented(server):
    connection = http.client.HTTPConnection(server.rest_address, timeout=20)
    connection.request("POST", "/v1/models/half:predict", '{"instances": [1.0,5.0]}')
    response = connection.getresponse()
    assert (response.status, response.reason) == (404, "Not Found")
    assert response.getheader("Content-Type") == "application/json"
    message = "Servable not found for request: Latest(half)"
    assert json.loads(response.read()) == {"error": message}
    connection.close()


def test_rows_and_columns_of_named_inputs(predict):
    rows = [
        {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
        {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
    ]
    expected = [
        {"tag": "foo", "total": 15, "sensor": [[1, 2], [3, 4]]},
        {"tag": "bar", "total": 15, "sensor": [[4, 5], [6, 8]]},
    ]
    assert predict({"signature_name": "three", "instances": rows}) == (
        200,
        {"predictions": expected},
    )
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    assert predict({"signature_name": "three", "inputs": columns}) == (
        200,
        {"outputs": {name: [row[name] for row in expected] for name in expected[0]}},
    )


@pytest.mark.parametrize(
    ("dtype", "value", "answer"),
    [
        ("float32", "[1, 0.1, -3.14, 1e-7, 9000000, 0.669074059, 16777215]",
         "[1.0, 0.1, -3.14, 1e-07, 9e+06, 0.669074059, 16777215.0]"),
        ("float32", "[NaN, Infinity, -Infinity]", "[NaN, Infinity, -Infinity]"),
        ("float64", "[0.1, 1e300, 0.30000000000000004, 3]",
         "[0.1, 1e+300, 0.30000000000000004, 3.0]"),
        ("int8", "[1, -10, 0]", "[1, -10, 0]"),
        ("uint8", "255", "255"),
        ("int32", "[2147483647, -2147483648]", "[2147483647, -2147483648]"),
        ("int64", "[9223372036854775807]", "[9223372036854775807]"),
        ("uint32", "[4294967295]", "[4294967295]"),
        ("uint64", "[18446744073709551615]", "[18446744073709551615]"),
        ("bool", "[true, false]", "[true, false]"),
        ("string", r'["\u00e9 \"x\"\n\/", "", "日本"]', '["é \\"x\\"\\n/", "", "日本"]'),
        ("string", '[{"b64": "aW1hZ2UgYnl0ZXM="}, {"b64": "YQ"}]', '["image bytes", "a"]'),
        ("float32", "[]", "[]"),
    ],
)  # fmt: skip
def test_types(ask, dtype, value, answer):
    body = f'{{"signature_name": "{dtype}", "inputs": {value}}}'
    code, text = ask("POST", "/v1/models/types:predict", body)
    assert code == 200
    # Without the line breaks of columns; numbers are compared as they are written.
    flat = " ".join(text.split()).replace("[ ", "[").replace(" ]", "]")
    assert flat == f'{{ "outputs": {answer} }}'


def test_bytes_by_the_name_of_their_output(ask):
    body = '{"signature_name": "raw", "instances": [{"b64": "YWI="}]}'
    code, text = ask("POST", "/v1/models/types:predict", body)
    assert code == 200
    assert json.loads(text) == {"predictions": [{"image_bytes": {"b64": "YWI="}, "text": "ab"}]}


def test_strings_that_are_no_utf8_pass_through(server):
    connection = http.client.HTTPConnection(server.rest_address, timeout=20)
    body = b'{"signature_name": "string", "instances": ["\xff\xfe", "ok"]}'
    connection.request("POST", "/v1/models/types:predict", body)
    response = connection.getresponse()
    assert response.status == 200
    assert response.read() == b'{\n    "predictions": ["\xff\xfe", "ok"\n    ]\n}'
    connection.close()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "JSON Parse error: The document is empty"),
        ("  ", "JSON Parse error: The document is empty. at offset: 2"),
        ("instances = [1, 2]", "JSON Parse error: Invalid value. at offset: 0"),
        ('{"instances": [1, 2}',
         "JSON Parse error: Missing a comma or ] after an array element. at offset: 19"),
        ('{"é": 1 "b": 2}',
         "JSON Parse error: Missing a comma or } after an object member. at offset: 9"),
        ('{"instances": [1]} x',
         "JSON Parse error: The document root must not be followed by other values. at offset: 19"),
        ("[1, 2]", "JSON Value: [\n    1,\n    2\n] Is not object"),
        ("{}", "Missing 'inputs' or 'instances' key"),
        ('{"instances": [1], "inputs": [1]}',
         "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist"),
        ('{"instances": {"x": 1}}', "Excepting 'instances' to be an list/array"),
        ('{"instances": []}', "No values in 'instances' array"),
        ('{"signature_name": 5, "instances": [1]}', "'signature_name' key must be a string value."),
        ('{"signature_name": "no", "instances": [1]}',
         'Serving signature name: "no" not found in signature def'),
        ('{"instances": ["a"]}',
         "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: "
         '"a" Type: String is not of expected type: float'),
        ('{"instances": [1, [2]]}', "Expecting shape [] but got: [1]"),
        ('{"instances": [[1, 2], [3]]}', "Expecting tensor size: 2 but got: 1"),
        ('{"inputs": [[1, 2], [3]]}',
         "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
        ('{"inputs": [1, [2]]}', "Encountered list at unexpected level: 1 expected < 1"),
        ('{"inputs": [[1], 2]}',
         "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        ('{"inputs": 16777217}',
         "Cannot convert JSON value: 16777217 to float without loss of precision."),
        ('{"inputs": 1e39}',
         "Cannot convert JSON value: 1e+39 to float without loss of precision."),
        ('{"inputs": true}', "JSON Value: true Type: True is not of expected type: float"),
        ('{"inputs": null}', "JSON Value: null Type: Null is not of expected type: float"),
        ('{"inputs": {"b64": "!"}}',
         'JSON Value: {\n    "b64": "!"\n} Type: Object is not of expected type: float'),
        ('{"instances": [{"z": 1}]}', "JSON object: does not have named input: z"),
        ('{"inputs": {"z": 1}}', "Missing named input: x in 'inputs' object."),
        ('{"signature_name": "three", "instances": [1]}',
         "instances is a plain list, but expecting list of objects as multiple input tensors "
         "required as per tensorinfo_map"),
        ('{"signature_name": "three", "inputs": [1]}',
         "inputs is a plain value/list, but expecting an object as multiple input tensors "
         "required as per tensorinfo_map"),
        ('{"signature_name": "three", "instances": [{"tag": "a"}]}',
         "must only have keys: sensor,signal,tag"),
        ('{"signature_name": "three", "instances": [{"tag": "a"}, 3]}',
         "must only have keys: sensor,signal,tag"),
        ('{"instances": [1, {"x": 1}]}',
         "Expecting value/list but got object at item 1 of input list"),
        ('{"instances": [{"x": 1}, 1]}', "Expecting object but got list at item 1 of input list"),
        ('{"inputs": ' + "9" * 5000 + "}",
         "JSON Parse error: Number too big to be stored in double."),
        ("[" * 100_000, "JSON Parse error: The document is nested too deeply."),
    ],
)  # fmt: skip
def test_refusals_of_predict(predict, body, message):
    code, answer = predict(body)
    assert code == 400
    assert list(answer) == ["error"]
    assert message in answer["error"]
    assert predict('{"instances": [1.0]}') == (200, {"predictions": [3.5]})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"context": [1]}', "Example must be JSON object but got JSON Array"),
        ("{}", "When method is classify, key 'examples' is expected and was not found"),
        ('{"examples": {}}', "Expecting 'examples' value to be an list/array"),
        ('{"examples": []}', "'examples' value is an empty array"),
        ('{"examples": [[{}]]}', "Example must be JSON object but got JSON Array"),
        ('{"examples": [{"names": [10, null]}]}',
         "Feature: names has element with unexpected JSON type: Null"),
        ('{"examples": [{"names": [10, 10.0]}]}',
         "Unexpected element type in feature: names expecting type: int64"),
        ('{"examples": [{"names": ["a", true]}]}',
         "Unexpected element type in feature: names expecting type: bytes"),
        ('{"examples": [{"names": [10, {"test": 10}]}]}',
         "Feature: names has element with unexpected JSON type: Object"),
        ('{"examples": [{"names": [[10], 20]}]}',
         "Feature: names has element with unexpected JSON type: Array"),
        ('{"examples": [{"names": [20, 18446744073709551603]}]}',
         "Feature: names has uint64 element. Only int64 is supported."),
        ('{"examples": [{"names": 1e300}]}', "without loss of precision"),
        ('{"examples": [{"names": {"b64": "%%"}}]}', "Unable to base64 decode"),
        ('{"signature_name": ["x"], "examples": [{}]}', "'signature_name' key must be a string"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["classify", "regress"])
def test_refusals_of_examples(predict, method, body, message):
    code, answer = predict(body, suffix=f":{method}")
    assert code == 400
    assert message in answer["error"]


def test_outputs_that_have_no_json(predict):
    body = {"signature_name": "float16", "inputs": 1.0}
    assert predict(body, "types") == (
        501,
        {"error": "Conversion of JSON Value: 1.0 to type: half"},
    )
    code, answer = predict({"signature_name": "uneven", "instances": [1.0]}, "types")
    assert code == 400
    message = "Tensor name: b has inconsistent batch size: 2 expecting: 1"
    assert answer["error"] == message
    code, answer = predict({"signature_name": "float32", "inputs": []}, "types")
    assert (code, answer) == (200, {"outputs": []})


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "/v1/models", "Missing model name in request."),
        ("POST", "/v1/models", "Malformed request: POST /v1/models"),
        ("GET", "/v1/foo", "Malformed request: GET /v1/foo"),
        ("PUT", "/v1/models/foo:predict", "Malformed request: PUT /v1/models/foo:predict"),
        ("DELETE", "/v1/models/foo", "Malformed request: DELETE /v1/models/foo"),
        ("GET", "/v1/models/foo:predict", "Malformed request: GET /v1/models/foo:predict"),
        ("GET", "/v1/models/foo?x=1", "Could not find any versions of model foo?x=1"),
        ("POST", "/v1/models/foo/version/50:regress",
         "Malformed request: POST /v1/models/foo/version/50:regress"),
        ("POST", "/v1/models/foo/versions/HELLO:regress",
         "Malformed request: POST /v1/models/foo/versions/HELLO:regress"),
        ("GET", "/v1/models/%2e%2e%2fetc", "Could not find any versions of model ../etc"),
        ("GET", "/v1/models/../../etc/passwd",
         "Malformed request: GET /v1/models/../../etc/passwd"),
    ],
)  # fmt: skip
def test_paths(ask, method, path, message):
    code, text = ask(method, path)
    assert code == (404 if message.startswith("Could") else 400)
    assert json.loads(text) == {"error": message}


def test_a_version_that_is_no_64_bit_number_has_no_message(ask):
    assert ask("GET", f"{HALF}/versions/18446744073709551615") == (400, "")
    assert ask("POST", f"{HALF}/versions/{'9' * 5000}:predict", "{}") == (400, "")
    assert ask("GET", f"{HALF}/versions/{'0' * 30}123")[0] == 200


def test_outside_of_the_interface(ask):
    for path in ("/", "/statuspage", "/v2/models/half_plus_three"):
        code, text = ask("GET", path)
        assert code == 404
        assert "<H1>Not Found</H1>" in text


def test_gzip(ask):
    body = gzip.compress(b'{"instances": [1.0]}')
    zipped = {"Content-Encoding": "gzip"}
    assert ask("POST", f"{HALF}:predict", body, **zipped)[0] == 200
    message = '{\n    "error": "JSON Parse error: The document is empty"\n}'
    for damaged in (b"no gzip", body[:-9] + bytes(4), body[:-1] + b"\x01"):
        assert ask("POST", f"{HALF}:predict", damaged, **zipped) == (400, message)


def test_metrics(server, ask):
    answers = 5
    for _ in range(answers):
        ask("POST", "/v1/models/types:regress", "{}")
    code, page = ask("GET", "/monitoring/prometheus/metrics")
    assert code == 200
    name = ":tensorflow:serving:request_count"
    assert f"# TYPE {name} counter" in page.splitlines()
    failed = f'{name}{{model_name="types",status="INVALID_ARGUMENT"}} '
    assert int(page.split(failed)[1].split()[0]) >= answers
    latency = ':tensorflow:serving:request_latency_count{model_name="half_plus_three",'
    assert f'{latency}API="predict",entrypoint="REST"}}' in page
    assert ask("GET", "/monitoring/prometheus/metrics?x=1") == (
        400,
        "Unexpected path: /monitoring/prometheus/metrics?x=1. "
        "Should be /monitoring/prometheus/metrics",
    )
