"""The options of `tfmtl serve` as flags: every option has one, or is refused by name."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from pipelines.commands.server_flags import model_config, served_paths, server_flags
from pipelines.components.base import PipelineError
from serving.server.options import ServerOptions
from tests.serving.tf_serving_flags import wrong_flags

MODELS = {"shop": Path("/srv/shop")}
# A value other than the default for every option, and the flag it must come out as.
CHANGED = {
    "port": (8600, "--port=8600"),
    "rest_api_port": (8601, "--rest_api_port=8601"),
    "model_config_file_poll_wait_seconds": (7.0, "--model_config_file_poll_wait_seconds=7"),
    "allow_version_labels_for_unavailable_models": (
        True,
        "--allow_version_labels_for_unavailable_models=true",
    ),
    "file_system_poll_wait_seconds": (9.0, "--file_system_poll_wait_seconds=9"),
    "max_num_load_retries": (2, "--max_num_load_retries=2"),
    "load_retry_interval_micros": (5, "--load_retry_interval_micros=5"),
    "num_load_threads": (3, "--num_load_threads=3"),
    "enable_model_warmup": (False, "--enable_model_warmup=false"),
    "enable_batching": (True, "--enable_batching=true"),
    "tensorflow_session_parallelism": (4, "--tensorflow_session_parallelism=4"),
    "grpc_max_threads": (5, "--grpc_max_threads=5"),
    "rest_api_num_threads": (6, "--rest_api_num_threads=6"),
    "rest_api_timeout_in_ms": (700, "--rest_api_timeout_in_ms=700"),
}
IN_FILES = {
    "model_config_file",
    "batching_parameters_file",
    "ssl_config_file",
    "ssl_server_key",
    "ssl_server_cert",
    "ssl_custom_ca",
    "ssl_client_verify",
    "monitoring",
    "keep",
}
REFUSED = {
    "max_request_bytes": (1000, "--max-request-bytes"),
    "rest_max_connections": (3, "--rest-connections"),
    "rest_read_timeout_seconds": (2.0, "--rest-read-timeout"),
}
# Which interface ports are published on, and how long the end may take: not the server's business.
AROUND = {"host", "grace"}


def file_of(flags, name):
    (value,) = [word.partition("=")[2] for word in flags if word.startswith(f"--{name}=")]
    return Path(value)


def test_every_option_is_accounted_for():
    known = set(CHANGED) | IN_FILES | set(REFUSED) | AROUND
    assert known == {field.name for field in fields(ServerOptions)}


@pytest.mark.parametrize("name", CHANGED)
def test_an_option_becomes_a_flag(name, tmp_path):
    value, flag = CHANGED[name]
    before = server_flags(MODELS, ServerOptions(port=1), tmp_path)
    after = server_flags(MODELS, replace(ServerOptions(port=1), **{name: value}), tmp_path)
    assert wrong_flags(after) == []
    assert flag in after
    assert flag not in before


@pytest.mark.parametrize("name", REFUSED)
def test_what_tf_serving_cannot_do_is_refused(name, tmp_path):
    value, word = REFUSED[name]
    options = replace(ServerOptions(), **{name: value})
    with pytest.raises(PipelineError, match=f"serve: {word}: .* has no such option"):
        server_flags(MODELS, options, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_seconds_are_whole(tmp_path):
    options = ServerOptions(file_system_poll_wait_seconds=0.5)
    with pytest.raises(PipelineError, match=r"--poll-seconds: .* takes whole seconds, got 0\.5"):
        server_flags(MODELS, options, tmp_path)


def test_models_are_written_as_tf_serving_reads_them(tmp_path):
    flags = server_flags(MODELS, ServerOptions(keep=3), tmp_path)
    text = file_of(flags, "model_config_file").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (entry,) = config.model_config_list.config
    assert (entry.name, entry.base_path) == ("shop", "/srv/shop")
    assert entry.model_platform == "tensorflow"
    assert entry.model_version_policy.latest.num_versions == 3


def test_names_and_paths_are_quoted():
    nasty = {'a" } evil: "': 'C:\\n\t"', "é\x07": "/späte/Wörter"}
    config = text_format.Parse(model_config(nasty), model_server_config_pb2.ModelServerConfig())
    assert {entry.name: entry.base_path for entry in config.model_config_list.config} == nasty


def test_given_files_are_named_as_they_are(tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    (given / "m.config").write_text(model_config({"a": "/x", "b": "/y"}))
    options = ServerOptions(
        model_config_file=given / "m.config",
        enable_batching=True,
        batching_parameters_file=given / "b.config",
        ssl_config_file=given / "s.config",
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    flags = server_flags({}, options, scratch)
    assert file_of(flags, "model_config_file") == given / "m.config"
    assert file_of(flags, "batching_parameters_file") == given / "b.config"
    assert file_of(flags, "ssl_config_file") == given / "s.config"
    assert list(scratch.iterdir()) == []
    assert served_paths({}, options) == {"a": Path("/x"), "b": Path("/y")}


def test_keys_go_into_a_file_for_the_owner_alone(tmp_path):
    pems = {name: tmp_path / f"{name}.pem" for name in ("key", "cert", "ca")}
    for name, path in pems.items():
        path.write_text(f'-----BEGIN {name}-----\na"b\\c\n')
    options = ServerOptions(
        ssl_server_key=pems["key"],
        ssl_server_cert=pems["cert"],
        ssl_custom_ca=pems["ca"],
        ssl_client_verify=True,
    )
    written = file_of(server_flags(MODELS, options, tmp_path), "ssl_config_file")
    assert written.stat().st_mode & 0o777 == 0o600
    # Text protocol buffers escape as C does, which Python's literals do as well.
    found = dict(line.split(": ", 1) for line in written.read_text().splitlines())
    assert found["client_verify"] == "true"
    assert eval(found["server_key"]) == pems["key"].read_text()
    assert eval(found["server_cert"]) == pems["cert"].read_text()
    assert eval(found["custom_ca"]) == pems["ca"].read_text()


def test_a_key_that_cannot_be_read_is_named(tmp_path):
    cert = tmp_path / "cert.pem"
    cert.write_bytes(b"\xff\xfe")
    missing = ServerOptions(ssl_server_key=tmp_path / "none", ssl_server_cert=cert)
    with pytest.raises(PipelineError, match="none: No such file or directory"):
        server_flags(MODELS, missing, tmp_path)
    binary = ServerOptions(ssl_server_key=cert, ssl_server_cert=cert)
    with pytest.raises(PipelineError, match="it is no PEM file"):
        server_flags(MODELS, binary, tmp_path)


def test_metrics_are_asked_for_with_rest_only(tmp_path):
    def names(options):
        return {word.partition("=")[0] for word in server_flags(MODELS, options, tmp_path)}

    assert "--monitoring_config_file" not in names(ServerOptions())
    assert "--monitoring_config_file" in names(ServerOptions(rest_api_port=8501))
    assert "--monitoring_config_file" not in names(
        ServerOptions(rest_api_port=8501, monitoring=False)
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "No such file or directory"), (b"nonsense {", "expected a ModelServerConfig as text")],
)
def test_a_bad_model_config_is_one_line(tmp_path, content, problem):
    path = tmp_path / "models.config"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PipelineError, match=problem) as caught:
        served_paths({}, ServerOptions(model_config_file=path))
    assert "\n" not in str(caught.value)
