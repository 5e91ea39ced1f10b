"""The cases against the embedded server, and against servers that should not pass."""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf import text_format

from serving import protocol
from serving.conformance import answers
from serving.conformance.case import Answer, Case
from serving.conformance.cases import CASES
from serving.conformance.requests import fitting, get, predict, status
from serving.conformance.running import FAILED, PASSED, SKIPPED, run
from serving.conformance.target import Target

ROOT = Path(__file__).parents[2]


def command(*words, timeout=120):
    return subprocess.run(
        [sys.executable, "-c", "from pipelines.cli import main; main()", "conformance", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def failures(verdicts):
    return [
        (verdict.case.name, verdict.problem) for verdict in verdicts if verdict.outcome == FAILED
    ]


@pytest.fixture
def target(reference_server, reference_config):
    config = text_format.Parse(reference_config.read_text(), protocol.ModelServerConfig())
    rest = reference_server.rest_address
    with Target(reference_server.address, "reference", rest, config) as target:
        yield target


def test_the_embedded_server_passes_every_case(target):
    verdicts = list(run(target, CASES))
    assert failures(verdicts) == []
    assert Counter(verdict.outcome for verdict in verdicts) == {PASSED: len(CASES)}


def test_names_are_unique_and_every_case_says_where_it_comes_from():
    assert [name for name, count in Counter(case.name for case in CASES).items() if count > 1] == []
    assert all(case.source for case in CASES)
    asked = {case.group for case in CASES}
    assert {
        "predict",
        "classify",
        "regress",
        "multi_inference",
        "metadata",
        "status",
        "reload",
    } <= asked
    assert {"rest", "rest_predict", "health", "wire", "tensors", "values", "versions"} <= asked


def test_another_model_is_asked_what_fits_any(shop_server):
    with Target(shop_server.address, "shop") as target:
        verdicts = list(run(target, CASES))
    assert failures(verdicts) == []
    counted = Counter(verdict.outcome for verdict in verdicts)
    assert counted[PASSED] > 80
    skipped = {verdict.problem for verdict in verdicts if verdict.outcome == SKIPPED}
    assert "needs the reference model" in skipped
    assert "needs REST" in skipped
    assert "needs a configuration to go back to" in skipped


class AlwaysSo(grpc.GenericRpcHandler):
    """Tells the status and the metadata of the reference model, and ends all else in one way."""

    def __init__(self, address, code=grpc.StatusCode.OK, message=""):
        self.channel = grpc.insecure_channel(address)
        self.code, self.message = code, message

    def service(self, details):
        def forwarded(request, context):
            return self.channel.unary_unary(details.method)(request)

        def answered(request, context):
            if self.code is not grpc.StatusCode.OK:
                context.abort(self.code, self.message)
            return b""

        about = (protocol.GET_MODEL_METADATA, protocol.GET_MODEL_STATUS)
        return grpc.unary_unary_rpc_method_handler(
            forwarded if details.method in about else answered
        )


@pytest.fixture
def wrong(reference_server):
    """Makes a server that answers in one way, and gives its address."""
    servers = []

    def start(*ending):
        server = grpc.server(ThreadPoolExecutor(4))
        server.add_generic_rpc_handlers([AlwaysSo(reference_server.address, *ending)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(0)


def only(*groups):
    return [case for case in CASES if case.group in groups]


def test_a_server_that_answers_nothing_fails(wrong):
    with Target(wrong(), "reference") as target:
        failed = dict(failures(run(target, only("predict", "classify", "multi_inference"))))
    assert failed["predict/answers"] == "outputs [] instead of ['id', 'item', 'score']"
    assert failed["predict/unknown signature"] == "OK"
    assert failed["classify/answers"].startswith("classes [], not [[('low', -6.0)")
    assert failed["multi_inference/answers"] == "0 results instead of 2"


def test_a_server_with_other_codes_or_messages_fails(wrong):
    address = wrong(grpc.StatusCode.INVALID_ARGUMENT, "something else")
    with Target(address, "reference") as target:
        failed = dict(failures(run(target, only("predict"))))
    assert failed["predict/no model spec"] == "INVALID_ARGUMENT: something else"
    assert failed["predict/unknown signature"] == "INVALID_ARGUMENT: something else"


def test_a_path_of_the_host_in_a_message_fails(wrong):
    address = wrong(grpc.StatusCode.INTERNAL, "cannot read /srv/models/shop/1/saved_model.pb")
    with Target(address, "reference") as target:
        failed = dict(failures(run(target, only("wire"))))
    assert failed["wire/no message to Predict"] == (
        "the message tells a path of the host: /srv/models/shop/1/saved_model.pb"
    )


def test_a_path_that_the_request_brought_is_no_leak(target):
    climbing = Case("x/y", "z", fitting(name="/srv/models/shop"), ("NOT_FOUND",), "Latest")
    assert failures(run(target, [climbing])) == []


def test_a_server_that_dies_of_a_case_is_told(target):
    class Dying(Target):
        def send(self, call):
            if call.method == protocol.GET_MODEL_STATUS:
                return Answer("UNAVAILABLE", "connection refused", b"")
            return super().send(call)

    target.__class__ = Dying
    case = Case("x/y", "z", fitting())
    assert failures(run(target, [case])) == [
        ("x/y", "the server does not answer any more: UNAVAILABLE connection refused")
    ]


def test_a_wrong_value_is_told(target):
    inputs = {"user": ["u"], "item": np.array([["cheese"]], object)}
    asked = predict(inputs, signature="candidates", version=1)
    right = answers.outputs({"score": [[1.0]]}, version=1)
    case = Case("x/y", "z", asked, right=right)
    assert failures(run(target, [case])) == [("x/y", "output score is [[2.0]], not [[1.0]]")]


def test_status_and_rest_that_are_wrong_are_told(target):
    gone = Case("x/gone", "z", get("/v1/models/nope"), ("200",))
    other = Case("x/other", "z", get("/v1/models/{model}"), ("200",), right=answers.json_of(bool))
    none = Case("x/none", "z", status(version=4), ("OK",))
    told = dict(failures(run(target, [gone, other, none])))
    assert told == {
        "x/gone": "404: Could not find any versions of model nope",
        "x/none": "NOT_FOUND: Could not find version 4 of model reference",
    }


def test_the_command_passes_and_writes_its_verdicts(reference_server, tmp_path):
    file = tmp_path / "verdicts.json"
    ended = command(
        reference_server.address, "--only", "status", "--only", "metadata", "--json", str(file)
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    verdicts = json.loads(file.read_text())
    assert {entry["outcome"] for entry in verdicts} == {"passed"}
    assert f"{len(verdicts)} passed" in ended.stdout


def test_the_command_fails_with_what_was_expected(wrong):
    ended = command(wrong(), "--only", "regress")
    assert ended.returncode == 1
    assert "regress/unknown signature\n  expected INVALID_ARGUMENT: ^No signature" in ended.stdout
    assert "\n  got      OK\n  source   regression_service.cc" in ended.stdout


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        ((), 2, "expected a server's address, or --export DIR"),
        (("nonsense",), 2, "expected a host and a port such as 127.0.0.1:8500, got 'nonsense'"),
        (("127.0.0.1:1", "--rest", "x"), 2, "--rest: expected a host and a port"),
        (("127.0.0.1:1", "--only", "nothing"), 2, "--only: expected one of predict, tensors"),
        (("127.0.0.1:1", "--reload", "/no/file"), 2, "--reload: /no/file: No such file"),
        (("127.0.0.1:1", "--reload", __file__), 2, "expected a ModelServerConfig as text"),
        (("127.0.0.1:1",), 1, "UNAVAILABLE"),
    ],
)
def test_bad_usage_is_one_line(words, code, line):
    ended = command(*words)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.count("\n") == 1
    assert line in ended.stderr


def test_an_unknown_model_is_one_line(reference_server):
    ended = command(reference_server.address, "--model", "nope")
    assert ended.returncode == 1
    assert ended.stderr == "tfmtl: NOT_FOUND: Could not find any versions of model nope\n"


def test_the_suite_needs_no_tensorflow():
    script = (
        "import sys; from serving.conformance import cases, running, target; "
        "print([m for m in ('tensorflow', 'tensorflow_serving') if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n"


def test_the_reference_model_is_exported_by_the_command(tmp_path):
    ended = command("--export", str(tmp_path / "out"))
    assert (ended.returncode, ended.stderr) == (0, "")
    config = text_format.Parse(
        (tmp_path / "out" / "models.config").read_text(), protocol.ModelServerConfig()
    )
    (entry,) = config.model_config_list.config
    assert entry.base_path == str(tmp_path / "out" / "reference")
    assert dict(entry.version_labels) == {"stable": 1, "canary": 2}
    versions = sorted(path.name for path in Path(entry.base_path).iterdir())
    assert versions == ["1", "2"]
    assert f"--model_config_file={tmp_path}/out/models.config" in ended.stdout
    assert "tensorflow/serving:2.21.0 --port=8500" in ended.stdout
