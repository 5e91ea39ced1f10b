"""What `tfmtl doctor` says of TF Serving, Docker, ports and TLS, with programs that stand in."""

import socket

import pytest

from pipelines.server_health import look

IMAGE = "tensorflow/serving:9.9.9"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Makes programs, the only ones on PATH, from `{name: shell lines}`."""

    def make(scripts):
        for name, lines in scripts.items():
            path = tmp_path / name
            path.write_text(f"#!/bin/sh\n{lines}\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return {finding.name: finding for finding in look(IMAGE)}

    return make


def server(version, library):
    return f"echo 'TensorFlow ModelServer: {version}'; echo 'TensorFlow Library: {library}'"


def docker(server="28.2.2", size="12345678"):
    return f"""
case "$1" in
  version) [ -n "{server}" ] || exit 1; echo "{server}" ;;
  image) [ -n "{size}" ] || exit 1; [ "$3" = {IMAGE} ] || exit 1; echo {size} ;;
esac"""


def test_nothing_is_there(programs):
    found = programs({})
    assert [found[name].ok for name in ("tensorflow_model_server", "docker", "openssl")] == [
        False
    ] * 3
    assert found["tensorflow_model_server"].found == "not on PATH"
    assert "embedded" in found["tensorflow_model_server"].remedy
    assert "tensorflow/serving" not in found


def test_all_is_there(programs):
    found = programs(
        {
            "tensorflow_model_server": server("2.21.0-rc1+dev.sha.abc", "2.21.0"),
            "docker": docker(),
            "openssl": "echo 'OpenSSL 3.0.2 15 Mar 2022'",
        }
    )
    assert found["tensorflow_model_server"] == (
        "tensorflow_model_server",
        True,
        "2.21.0-rc1+dev.sha.abc",
        "",
    )
    assert found["docker"][1:] == (True, "28.2.2", "")
    assert found["tensorflow/serving"][1:] == (True, f"{IMAGE}, 12 MB", "")
    assert found["openssl"][1:] == (True, "OpenSSL 3.0.2", "")


@pytest.mark.parametrize(("library", "ok"), [("2.9.1", False), ("2.20.0", False), ("3.0.0", True)])
def test_an_older_server_is_told(programs, library, ok):
    found = programs({"tensorflow_model_server": server("x", library)})["tensorflow_model_server"]
    assert found.ok is ok
    assert ("older than TensorFlow 2.21" in found.remedy) is not ok


def test_a_server_that_does_not_run_is_told(programs):
    found = programs({"tensorflow_model_server": "exit 132"})["tensorflow_model_server"]
    assert (found.ok, found.found) == (False, "does not tell its version")


def test_a_daemon_that_does_not_answer_is_told(programs):
    found = programs({"docker": docker(server="")})
    assert (found["docker"].ok, found["docker"].found) == (False, "its daemon does not answer")
    assert "tensorflow/serving" not in found


def test_an_image_that_is_not_here_is_told(programs):
    found = programs({"docker": docker(size="")})["tensorflow/serving"]
    assert not found.ok
    assert f"docker pull {IMAGE}" in found.remedy


def test_a_port_that_is_taken_is_told(programs):
    with socket.socket() as taken:
        try:
            taken.bind(("127.0.0.1", 8501))
            taken.listen()
        except OSError:
            pass  # somebody else has it, which is as good
        found = programs({})["port 8501"]
    assert not found.ok
    assert "another port for REST" in found.remedy
