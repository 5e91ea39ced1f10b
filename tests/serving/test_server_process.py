"""`serve` as a process: one line on standard output, an end on a signal."""

import signal
import subprocess
import sys

import pytest

import serving
from serving.pushing.versions import push

SCRIPT = """
import sys
from serving.server.options import ServerOptions
from serving.server.server import serve
serve({"shop": sys.argv[1]}, ServerOptions())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serves_until_a_signal(number, tmp_path, shop_one):
    push(shop_one, tmp_path / "shop")
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "shop")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        word, _, address = process.stdout.readline().strip().partition(" ")
        assert word == "ready"
        with serving.Client(address, model="shop") as client:
            assert client.predict("slow", {"steps": 1})["weight"] == 1.0
        process.send_signal(number)
        rest, errors = process.communicate(timeout=15)
    finally:
        process.kill()
    assert rest == ""
    assert process.returncode == 0
    assert "Traceback" not in errors
