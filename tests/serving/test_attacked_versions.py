"""Version directories that are no versions, under load: the one that works goes on answering."""

import os
import shutil
import threading
import time

import pytest
from fuzzed import GOOD

import serving
from serving.conformance.case import RestCall
from serving.conformance.reference import export
from serving.conformance.requests import predict, status
from serving.conformance.target import Target
from serving.protocol import GetModelStatusResponse

POLL = 0.05


@pytest.fixture
def base(tmp_path):
    """Version 1 of the reference model, and nothing else."""
    base = export(tmp_path / "secret-place").parent / "reference"
    shutil.rmtree(base / "2")
    return base


@pytest.fixture
def good(base, tmp_path):
    """A good version apart, to be damaged."""
    return shutil.copytree(base / "1", tmp_path / "good")


@pytest.fixture
def target(base):
    options = serving.ServerOptions(
        file_system_poll_wait_seconds=POLL, rest_api_port=0, max_num_load_retries=0
    )
    with (
        serving.EmbeddedServer({"reference": base}, options) as server,
        Target(server.address, "reference", server.rest_address) as target,
    ):
        yield target


class Load:
    """Four clients that ask without a pause, and what they were told when it was not right."""

    def __init__(self, target):
        self.wrong, self.answered = [], 0
        self._ended = threading.Event()
        self._call = predict(GOOD, outputs=["score"])(target)
        self._target = target
        self._threads = [threading.Thread(target=self._ask) for _ in range(4)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self):
        while not self._ended.is_set():
            answer = self._target.send(self._call)
            self.answered += 1
            if answer.code != "OK":
                self.wrong.append(answer)


def seen(target):
    """`{version: (state, message)}` as the server tells it."""
    answer = target.send(status()(target))
    response = GetModelStatusResponse.FromString(answer.body)
    return {
        entry.version: (entry.state, entry.status.error_message)
        for entry in response.model_version_status
    }


def wait_until(holds, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def empty(good, version):
    version.mkdir()


def without_a_graph(good, version):
    shutil.copytree(good, version)
    (version / "saved_model.pb").unlink()


def a_graph_of_noise(good, version):
    shutil.copytree(good, version)
    (version / "saved_model.pb").write_bytes(os.urandom(10_000))


def half_a_graph(good, version):
    shutil.copytree(good, version)
    content = (version / "saved_model.pb").read_bytes()
    (version / "saved_model.pb").write_bytes(content[: len(content) // 2])


def a_graph_of_nothing(good, version):
    shutil.copytree(good, version)
    (version / "saved_model.pb").write_bytes(b"")


def a_graph_that_is_a_directory(good, version):
    shutil.copytree(good, version)
    (version / "saved_model.pb").unlink()
    (version / "saved_model.pb").mkdir()


def warm_up_of_noise(good, version):
    shutil.copytree(good, version)
    (version / "assets.extra").mkdir()
    (version / "assets.extra" / "tf_serving_warmup_requests").write_bytes(os.urandom(500))


def a_link_to_nowhere(good, version):
    version.symlink_to(version.parent / "nowhere")


def a_link_to_itself(good, version):
    version.symlink_to(version)


DAMAGES = [
    empty,
    without_a_graph,
    a_graph_of_noise,
    half_a_graph,
    a_graph_of_nothing,
    a_graph_that_is_a_directory,
    warm_up_of_noise,
]


def test_bad_versions_one_after_the_other(target, base, good):
    with Load(target) as load:
        for number, damage in enumerate(DAMAGES, start=2):
            damage(good, base / str(number))
            wait_until(lambda number=number: seen(target).get(number, (0,))[0] == 50)
        told = seen(target)
    assert load.wrong == []
    assert load.answered > 50
    assert told[1] == (30, "")
    for number, damage in enumerate(DAMAGES, start=2):
        state, message = told[number]
        assert state == 50, damage.__name__
        assert message, damage.__name__
        assert "secret-place" not in message, damage.__name__
        assert str(base) not in message, damage.__name__
    rest = target.send(RestCall("GET", "/v1/models/reference"))
    assert rest.code == "200"
    assert b"secret-place" not in rest.body


@pytest.mark.parametrize("link", [a_link_to_nowhere, a_link_to_itself])
def test_links_that_lead_nowhere(target, base, good, link):
    with Load(target) as load:
        link(good, base / "2")
        time.sleep(POLL * 10)
    assert load.wrong == []
    assert seen(target)[1][0] == 30


@pytest.mark.parametrize(
    "name", ["007x", "-3", "1e3", " 5", "٣", "9" * 40, str(2**63), ".6", "5.tmp"]
)
def test_names_that_are_no_versions(target, base, good, name):
    with Load(target) as load:
        shutil.copytree(good, base / name)
        time.sleep(POLL * 6)
    assert load.wrong == []
    assert set(seen(target)) == {1}


def test_a_file_in_place_of_a_version(target, base):
    with Load(target) as load:
        (base / "7").write_bytes(b"no directory")
        time.sleep(POLL * 10)
    assert load.wrong == []
    assert seen(target)[1][0] == 30


def test_versions_that_vanish_while_they_are_loaded(target, base, good):
    """Each is there for a moment; at last one stays."""
    with Load(target) as load:
        for number in range(2, 22):
            shutil.copytree(good, base / str(number))
            time.sleep(POLL / 3 * (number % 4))
            shutil.rmtree(base / str(number))
        shutil.copytree(good, base / "30")
        wait_until(lambda: seen(target).get(30, (0,))[0] == 30)
    assert load.wrong == []


def test_the_base_path_vanishes_and_comes_back(target, base, good):
    with Load(target) as load:
        base.rename(base.with_name("elsewhere"))
        time.sleep(POLL * 10)
        base.with_name("elsewhere").rename(base)
        shutil.copytree(good, base.with_name("next"))
        base.with_name("next").rename(base / "2")
        wait_until(lambda: seen(target).get(2, (0,))[0] == 30)
    assert load.wrong == []
