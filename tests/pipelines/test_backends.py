"""`tfmtl serve` with TF Serving's binary, for which a script of the same command line stands in."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import serving
from pipelines.commands.backends import Backend, choose
from pipelines.components.base import PipelineError

ROOT = Path(__file__).parents[2]
STAND_IN = f"""#!{sys.executable}
import re, sys, time
from concurrent.futures import ThreadPoolExecutor
import grpc
from serving import protocol

options = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])
names = re.findall(r'name: "([^"]+)"', open(options["model_config_file"]).read())
if "broken" in names:
    print("cannot parse the model", file=sys.stderr)
    sys.exit(7)
started = time.monotonic()

def status(request, context):
    if request.model_spec.name not in names:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such servable")
    answer = protocol.GetModelStatusResponse()
    loaded = time.monotonic() - started > 0.5
    answer.model_version_status.add(version=1, state=30 if loaded else 20)
    return answer

handler = grpc.unary_unary_rpc_method_handler(
    status,
    protocol.GetModelStatusRequest.FromString,
    protocol.GetModelStatusResponse.SerializeToString,
)
service, method = protocol.GET_MODEL_STATUS.strip("/").split("/")
server = grpc.server(ThreadPoolExecutor(2))
generic = grpc.method_handlers_generic_handler(service, {{method: handler}})
server.add_generic_rpc_handlers([generic])
server.add_insecure_port("127.0.0.1:" + options["port"])
server.start()
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path):
    """A PATH with the stand-in."""
    program = tmp_path / "bin" / "tensorflow_model_server"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def start(tmp_path, path, *names):
    for name in names:
        (tmp_path / "run" / "serving" / name / "1").mkdir(parents=True)
    program = "from pipelines.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "serve", str(tmp_path / "run"), "--port", "0"],
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_auto_takes_the_binary_says_when_it_is_ready_and_ends_it(tmp_path, path):
    process = start(tmp_path, path, "shop", "other")
    assert process.stdout is not None
    ready = re.fullmatch(r"ready (127\.0\.0\.1:\d+)\n", process.stdout.readline())
    assert ready is not None
    for name in ("shop", "other"):
        with serving.Client(ready[1], model=name) as client:
            assert client.status()[0].state == "AVAILABLE"
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, "")
    assert errors == (
        "serve: tensorflow_model_server listens on all interfaces, not on 127.0.0.1 alone; "
        "--backend docker and --backend embedded keep to it\n"
    )
    with (
        serving.Client(ready[1], model="shop", timeout=1) as client,
        pytest.raises(serving.ServingError),
    ):
        client.status()


def test_a_server_that_ends_at_once_is_an_error(tmp_path, path):
    _, errors = (process := start(tmp_path, path, "broken")).communicate(timeout=20)
    assert process.returncode == 1
    assert errors.endswith(
        "cannot parse the model\n"
        "tfmtl: serve: the server ended before it was ready, with exit code 7; its log is above\n"
    )


@pytest.mark.parametrize("backend", [Backend.BINARY, Backend.DOCKER])
def test_a_backend_that_is_not_installed_is_named(monkeypatch, backend):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PipelineError, match=r"is not on PATH; .* --backend embedded"):
        choose(backend)
