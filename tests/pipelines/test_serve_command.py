"""`tfmtl serve` with the embedded server: its options, its two lines, its end."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import serving
from pipelines.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A directory of a run with two models, and labels for one of them."""
    import tensorflow as tf

    class Half(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def half(self, x):
            return {"y": x / 2}

    served = tmp_path_factory.mktemp("run") / "serving"
    module = Half()
    for place in ("half/1", "half/2", "other/1"):
        tf.saved_model.save(module, str(served / place), signatures=module.half)
    (served / "models.config").write_text(
        f"""model_config_list {{
          config {{ name: "half" base_path: "{served}/half" model_platform: "tensorflow"
                    model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
                    version_labels {{ key: "stable" value: 1 }} }}
        }}"""
    )
    return served.parent


def start(*words):
    program = "from pipelines.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # Other tests of this process may have asked TensorFlow to say more.
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--backend", "embedded", *map(str, words)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def get(address, path):
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())
    connection.close()
    return answer


def test_a_run_with_its_labels(models):
    process = start(models, "--version-labels", "--port", "0", "--rest-port", "0")
    try:
        rest = process.stderr.readline()
        address = process.stdout.readline()
        assert re.fullmatch(r"ready 127\.0\.0\.1:\d+\n", address)
        match = re.fullmatch(r"REST at http://(127\.0\.0\.1:\d+)/v1/models\n", rest)
        assert match is not None
        assert get(match[1], "/v1/models/half/labels/stable/metadata")[1]["model_spec"] == {
            "name": "half",
            "signature_name": "",
            "version": "1",
        }
        assert get(match[1], "/v1/models/other")[0] == 404
        with serving.Client(address.split()[1], model="half") as client:
            assert {entry.version for entry in client.status()} == {1, 2}
        process.send_signal(signal.SIGTERM)
        rest_of_it = process.communicate(timeout=20)
    finally:
        process.kill()
    assert rest_of_it == ("", "")
    assert process.returncode == 0


def refused(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(["serve", *map(str, words)])
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return ended.value.code, printed.err


def test_what_cannot_be_asked_for(capsys, models, tmp_path):
    file = models / "serving" / "models.config"
    config = ("--model-config-file", file)
    empty = tmp_path / "empty"
    empty.write_text("x")
    for words, message in (
        ((), "DIR: expected either a run's directory or --model-config-file, got neither"),
        ((models, *config), "--model-config-file, got both"),
        ((models, "--name", "no"), "there is no model 'no' in"),
        ((*config, "--name", "half"), "--name: it chooses a model of a run"),
        ((models, "--name", "half", "--version-labels"), "leave out --name"),
        ((*config, "--version-labels"), "leave out --model-config-file"),
        ((*config, "--threads", "0"), "--threads should be at least 1. Received: 0"),
        ((*config, "--poll-seconds", "nan"), "--poll-seconds should be at least 0"),
        ((*config, "--port", "7", "--rest-port", "7"), "--rest-port should be another port"),
        ((*config, "--batching-parameters-file", file), "come with --enable-batching"),
        ((*config, "--ssl-client-verify"), "--ssl-server-key and --ssl-server-cert should be"),
        ((*config, "--ssl-config-file", empty), "--ssl-config-file: expected a text SSLConfig"),
        ((*config, "--ssl-server-key", empty, "--ssl-server-cert", empty),
         "--ssl-server-key: expected PEM text with a private key, found none"),
        (("--model-config-file", empty), "--model-config-file: "),
        (("--model-config-file", tmp_path / "none"), "does not exist"),
        (("--rest-port", "65536"), "--rest-port"),
    ):  # fmt: skip
        code, error = refused(capsys, *words)
        assert message in error
        assert code == 2


def test_a_run_without_labels(capsys, tmp_path):
    (tmp_path / "serving" / "half" / "1").mkdir(parents=True)
    code, error = refused(capsys, tmp_path, "--version-labels")
    assert code == 2
    assert "has a label; `tfmtl promote` gives one" in error
