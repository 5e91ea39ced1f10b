"""`tfmtl query` and `tfmtl loadtest` against a server, as processes would be called."""

import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

import serving
from pipelines.cli import main
from serving.served_model.amending import amend
from serving.served_model.parts import Served

SPEC = {"x": tf.TensorSpec([None], tf.float32, "x"), "by": tf.TensorSpec([None], tf.int32, "by")}
EXAMPLES = {"inputs": tf.TensorSpec([None], tf.string, "inputs")}


def scale(raw):
    x, by = raw["x"], tf.cast(raw["by"], tf.float32)
    return {"name": tf.strings.as_string(raw["by"]), "y": x * by}


def regress(raw):
    number = tf.io.FixedLenFeature([], tf.float32)
    return {"outputs": tf.io.parse_example(raw["inputs"], {"x": number})["x"]}


SERVED = {
    "scale": Served(scale, SPEC, {"by": tf.constant([3]).numpy()}),
    "regress": Served(regress, EXAMPLES, {}, "tensorflow/serving/regress"),
}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    base: Path = tmp_path_factory.mktemp("asked")
    functions = {
        name: tf.function(lambda _run=one.function, **raw: _run(raw)).get_concrete_function(
            **one.spec
        )
        for name, one in SERVED.items()
    }
    functions["serving_default"] = functions["scale"]
    tf.saved_model.save(tf.Module(), str(base / "1"), signatures=functions)
    amend(base / "1", SERVED)
    shutil.copytree(base / "1", base / "2")
    config = base.parent / "asked.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "m" base_path: "{base}" '
        'model_platform: "tensorflow" model_version_policy { all {} } '
        'version_labels { key: "stable" value: 1 } } }'
    )
    options = serving.ServerOptions(
        model_config_file=config, allow_version_labels_for_unavailable_models=True
    )
    with serving.EmbeddedServer({}, options) as server:
        yield server.address


@pytest.fixture
def tfmtl(capsys, tmp_path, address):
    """Runs a command; its exit code and what it wrote."""

    def run(command, *words, request=None):
        if request is not None:
            (tmp_path / "request.json").write_text(json.dumps(request))
            words = (*words, "--json", str(tmp_path / "request.json"))
        with pytest.raises(SystemExit) as ended:
            main([command, address, "--model", "m", *words])
        return ended.value.code, *capsys.readouterr()

    return run


def test_an_answer_is_json(tfmtl):
    code, out, _ = tfmtl("query", "--signature", "scale", request={"x": [1.5, None], "by": 2})
    assert (code, json.loads(out)) == (0, {"name": ["2", "2"], "y": [3.0, None]})


def test_signatures_of_examples(tfmtl):
    asked = {"examples": [{"x": 2.5}, {"x": 3.0}]}
    assert json.loads(tfmtl("query", "--signature", "regress", request=asked)[1]) == [2.5, 3.0]


def test_what_a_signature_takes(tfmtl):
    code, out, _ = tfmtl("query", "--signature", "scale", "--label", "stable", "--describe")
    assert code == 0
    assert out.splitlines() == [
        "scale, version 1",
        "takes",
        "  x   float32 [?]  required",
        "  by  int32 [?]    3",
        "gives",
        "  name  string [?]",
        "  y     float32 [?]",
    ]
    assert tfmtl("query", "--describe", "--version", "2")[1].count("version 2") == 3


@pytest.mark.parametrize(
    ("words", "request_", "message"),
    [
        (["--signature", "scale"], {"y": 1}, "INVALID_ARGUMENT: unknown input `y`; signature"),
        (["--signature", "none"], {}, "NOT_FOUND: model `m` version 2 has no signature `none`"),
        (["--signature", "scale"], None, "--json: expected a file with the request; --describe"),
        ([], {}, "--signature: expected a signature, such as recommend"),
        (
            ["--signature", "scale", "--version", "1", "--label", "a"],
            {},
            "expected --version or --label, got both",
        ),
        (["--signature", "scale", "--label", "a"], {}, "Unrecognized servable version label: a"),
        (["--signature", "scale", "--tls-ca", "none.pem"], {"x": 1}, "tls: ca none.pem: No such"),
    ],
)
def test_errors_are_one_line(tfmtl, words, request_, message):
    code, out, err = tfmtl("query", *words, request=request_)
    assert code in (1, 2)
    assert out == ""
    assert err.startswith("tfmtl: ")
    assert message in err
    assert err.count("\n") == 1


def test_figures_of_a_load_test(tfmtl, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"x": 1.0}\n\n{"x": [1.0, 2.0]}\n')
    words = ("--signature", "scale", "--rows", str(tmp_path / "rows.jsonl"), "--clients", "2")
    code, out, _ = tfmtl("loadtest", *words, "--requests", "20", "--output", "-")
    assert code == 0
    found = json.loads(out)
    assert (found["interrupted"], found["unsent"]) == (False, 0)
    assert found["signatures"]["scale"]["answered"] == 20
    assert found["signatures"]["scale"]["errors"] == {}
    file = tmp_path / "figures.json"
    code, out, _ = tfmtl(
        "loadtest", *words, "--requests", "10", "--rate", "100", "--output", str(file)
    )
    assert out.splitlines()[0].split()[:4] == ["signature", "requests", "a", "second"]
    assert out.splitlines()[1].split()[:2] == ["scale", "10"]
    assert json.loads(file.read_text())["signatures"]["scale"]["requests"] == 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "expected --json or --rows, got neither"),
        (["--json", "a", "--rows", "b"], "expected --json or --rows, got both"),
        (["--json", "a", "--json", "b"], "expected one for each --signature, got 2 for 1"),
        (["--rows", "/nowhere"], "--rows: /nowhere: No such file or directory"),
        (["--rows", "/dev/null"], "--rows: /dev/null: expected a request a line, got none"),
    ],
)
def test_load_tests_that_cannot_be(tfmtl, words, message):
    code, _, err = tfmtl("loadtest", "--signature", "scale", *words)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
