"""`--backend binary|docker` with programs on PATH that stand in for the real ones.

They write down their arguments and serve what these say with the embedded server, so that what
reaches TF Serving is what it needs, and the whole way is gone.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import serving
from serving.conformance.reference import export
from serving.deploy import IMAGE
from tests.serving.tf_serving_flags import wrong_flags

ROOT = Path(__file__).parents[2]
STAND_IN = f"""#!{sys.executable}
import json, os, sys
words = sys.argv[1:]
json.dump(words, open(os.environ["RECORD"], "w"))
flags = dict(w[2:].split("=", 1) for w in words[words.index({IMAGE!r}) + 1:]
             ) if {IMAGE!r} in words else dict(w[2:].split("=", 1) for w in words)
from serving.server.options import ServerOptions
from serving.server.server import EmbeddedServer
from pathlib import Path
import signal
options = ServerOptions(
    port=int(flags["port"]), rest_api_port=int(flags["rest_api_port"]),
    model_config_file=Path(flags["model_config_file"]),
    allow_version_labels_for_unavailable_models=True,
)
server = EmbeddedServer({{}}, options)
server.start()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.pause()
"""
SERVE = """
import sys
from pathlib import Path
from pipelines.commands.backends import Backend, choose
from serving.server.options import ServerOptions
options = ServerOptions(rest_api_port=0, keep=2)
choose(Backend(sys.argv[1]))({"reference": Path(sys.argv[2])}, options)
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return export(tmp_path_factory.mktemp("reference")).parent / "reference"


def start(tmp_path, program, backend, base):
    path = tmp_path / "bin" / program
    path.parent.mkdir()
    path.write_text(STAND_IN)
    path.chmod(0o755)
    return subprocess.Popen(
        [sys.executable, "-c", SERVE, backend, str(base)],
        env={
            **os.environ,
            "PATH": f"{path.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "RECORD": str(tmp_path / "words.json"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def asked(address, version):
    with serving.Client(address, model="reference") as client:
        inputs = {"item": ["bread"], "x": [[1.0, 2.0]]}
        return client.predict("serving_default", inputs, version=version)["score"].tolist()


@pytest.mark.parametrize(
    ("program", "backend"),
    [
        ("tensorflow_model_server", "binary"),
        pytest.param("docker", "docker", marks=pytest.mark.slow),
    ],
)
def test_the_real_servers_get_the_same_options(tmp_path, base, program, backend):
    process = start(tmp_path, program, backend, base)
    try:
        assert process.stdout is not None
        word, _, address = process.stdout.readline().strip().partition(" ")
        assert word == "ready", process.stderr and process.stderr.read()
        assert asked(address, None) == [[6.0]]
        assert asked(address, 1) == [[3.0]]  # two versions were to be kept
        words = json.loads((tmp_path / "words.json").read_text())
        flags = words[words.index(IMAGE) + 1 :] if backend == "docker" else words
        assert wrong_flags(flags) == []
        assert f"--port={address.rpartition(':')[2]}" in flags
        (rest,) = [flag.partition("=")[2] for flag in flags if flag.startswith("--rest_api_port=")]
        connection = http.client.HTTPConnection("127.0.0.1", int(rest), timeout=10)
        connection.request("GET", "/v1/models/reference")
        assert connection.getresponse().status == 200
        connection.close()
        if backend == "docker":
            _check_container(words, address, rest, base)
    finally:
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (0, "")
    assert f"REST at http://127.0.0.1:{rest}/v1/models\n" in errors
    assert "Traceback" not in errors


def _check_container(words, address, rest, base):
    """Ports are published on loopback; all that flags name is mounted, and read-only."""
    options = words[: words.index(IMAGE)]
    assert options[:2] == ["run", "--rm"]
    published = {word.partition("=")[2] for word in options if word.startswith("--publish=")}
    port = address.rpartition(":")[2]
    assert published == {f"127.0.0.1:{port}:{port}", f"127.0.0.1:{rest}:{rest}"}
    mounts = [word.partition("=")[2].split(":") for word in options if word.startswith("--volume=")]
    assert all(outside == inside and mode == "ro" for outside, inside, mode in mounts)
    seen = [Path(outside) for outside, _, _ in mounts]
    assert base in seen
    for flag in words[words.index(IMAGE) + 1 :]:
        name, _, value = flag.partition("=")
        if name.endswith("_file"):
            assert any(folder in Path(value).parents for folder in seen)
    assert "--entrypoint=tensorflow_model_server" in options
