"""Requests that are run together: each gets its own answer, with TF Serving's refusals."""

import threading
import time

import numpy as np
import pytest
import tensorflow as tf

import serving
from serving.server.batching.parameters import BatchingParameters
from serving.server.batching.queue import BatchQueue
from serving.server.model import LoadedVersion
from serving.server.options import ServerOptions
from serving.server.status import StatusError


class Recorder:
    """Stands for the model: doubles `x`, keeps the shapes it was run with, can be held up."""

    def __init__(self):
        self.shapes = []
        self.timeouts = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, feeds, fetches, timeout):
        self.shapes.append(feeds["x"].shape)
        self.timeouts.append(timeout)
        assert self.go.wait(10)
        return [feeds["x"] * 2]


def make_queue(run, **parameters):
    parameters = BatchingParameters(num_batch_threads=1, **parameters)
    return BatchQueue(run, ["y"], parameters, threading.Semaphore(1))


def column(*values):
    return {"x": np.array(values, np.float32)}


class Requests:
    """Requests in threads of their own; `results` are answers or failures by place."""

    def __init__(self, queue):
        self.queue = queue
        self.results = {}
        self.threads = []

    def send(self, feeds, timeout=None):
        place = len(self.threads)

        def ask():
            try:
                self.results[place] = self.queue.run(feeds, timeout)[0]
            except (StatusError, tf.errors.OpError) as error:
                self.results[place] = error

        thread = threading.Thread(target=ask)
        self.threads.append(thread)
        thread.start()
        time.sleep(0.02)  # requests are to come in order

    def wait(self):
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()
        return [self.results[place] for place in range(len(self.threads))]


def lists(arrays):
    return [array.tolist() for array in arrays]


def test_a_request_alone_runs_at_once():
    run = Recorder()
    assert make_queue(run).run(column(1, 2), None)[0].tolist() == [2, 4]
    assert run.shapes == [(2,)]


def test_what_waits_for_a_thread_runs_together():
    run = Recorder()
    run.go.clear()
    requests = Requests(make_queue(run))
    for values in ((1,), (2, 3), (4,), (5, 6, 7)):
        requests.send(column(*values))
    run.go.set()
    assert lists(requests.wait()) == [[2], [4, 6], [8], [10, 12, 14]]
    assert run.shapes == [(1,), (6,)]


def test_a_batch_waits_for_its_timeout_or_until_it_is_full():
    run = Recorder()
    requests = Requests(make_queue(run, max_batch_size=3, batch_timeout_micros=10_000_000))
    began = time.monotonic()
    for value in (1, 2, 3):
        requests.send(column(value))
    assert lists(requests.wait()) == [[2], [4], [6]]
    assert run.shapes == [(3,)]
    assert time.monotonic() - began < 5
    alone = make_queue(run, max_batch_size=3, batch_timeout_micros=50_000)
    began = time.monotonic()
    alone.run(column(1), None)
    assert time.monotonic() - began > 0.04


def test_a_batch_is_filled_up_to_an_allowed_size():
    run = Recorder()
    queue = make_queue(run, max_batch_size=8, allowed_batch_sizes=(2, 4, 8))
    assert queue.run(column(1, 2, 3), None)[0].tolist() == [2, 4, 6]
    assert queue.run(column(1, 2), None)[0].tolist() == [2, 4]
    assert run.shapes == [(4,), (2,)]


def test_lists_of_other_lengths_go_together_when_they_are_padded():
    run = Recorder()
    run.go.clear()
    requests = Requests(make_queue(run, pad_variable_length_inputs=True))
    for rows in ([[9]], [[1, 2]], [[3, 4, 5], [6, 7, 8]]):
        requests.send({"x": np.array(rows, np.int32)})
    run.go.set()
    # The shorter one ends in its own first element.
    assert lists(requests.wait()) == [[[18]], [[2, 4, 2]], [[6, 8, 10], [12, 14, 16]]]


def test_without_padding_they_are_refused_together():
    run = Recorder()
    run.go.clear()
    requests = Requests(make_queue(run))
    for rows in ([[9]], [[1, 2]], [[3, 4, 5]]):
        requests.send({"x": np.array(rows, np.int32)})
    run.go.set()
    first, *others = requests.wait()
    assert first.tolist() == [[18]]
    assert {error.code.name for error in others} == {"FAILED_PRECONDITION"}
    assert others[0].message.startswith(
        "Tensors with name 'x' from different tasks have different shapes and padding is turned off"
    )


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "Batching Run() must have at least one input tensor"),
        ({"x": np.float32(1)}, "Batching Run() input tensors must have at least one dimension"),
        (
            {"x": np.ones(2), "y": np.ones(3)},
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
        (column(1, 2, 3, 4), "Task size 4 is larger than maximum input batch size 3"),
    ],
)
def test_requests_that_cannot_be_in_a_batch(feeds, message):
    with pytest.raises(StatusError) as caught:
        make_queue(Recorder(), max_batch_size=3).run(feeds, None)
    assert (caught.value.code.name, caught.value.message) == ("INVALID_ARGUMENT", message)


def test_a_full_queue_refuses():
    run = Recorder()
    run.go.clear()
    requests = Requests(make_queue(run, max_batch_size=2, max_enqueued_batches=1))
    for value in (1, 2, 3, 4):  # one runs, two wait in the one batch there may be
        requests.send(column(value))
    run.go.set()
    *answers, refused = requests.wait()
    assert lists(answers) == [[2], [4], [6]]
    assert refused.code.name == "UNAVAILABLE"
    assert refused.message == "The batch scheduling queue to which this task was submitted is full"


def test_the_longest_time_of_a_batch_counts():
    run = Recorder()
    run.go.clear()
    requests = Requests(make_queue(run, max_batch_size=2))
    for timeout in (None, 0.01, 5.0, 0.01, 0.02):
        requests.send(column(1), timeout)
    time.sleep(0.1)
    run.go.set()
    *answers, late, later = requests.wait()
    assert lists(answers) == [[2], [2], [2]]
    assert {(error.code.name, error.message) for error in (late, later)} == {
        ("RESOURCE_EXHAUSTED", "Run() timeout exceeded while waiting in batching queue")
    }
    assert run.timeouts[0] is None
    assert 4 < run.timeouts[1] < 5


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.float32(1), "Batched output tensor has 0 dimensions"),
        (np.ones(3), "Batched output tensor's 0th dimension does not equal the sum"),
    ],
)
def test_answers_that_cannot_be_taken_apart(answer, message):
    with pytest.raises(StatusError, match=message) as caught:
        make_queue(lambda *_: [answer]).run(column(1, 2), None)
    assert caught.value.code.name == "FAILED_PRECONDITION"


def test_a_failed_run_fails_for_all_and_the_next_is_answered():
    run = Recorder()
    run.go.clear()
    failing = [True]

    def fail(feeds, fetches, timeout):
        if len(feeds["x"]) > 1 and failing:
            raise tf.errors.InvalidArgumentError(None, None, "no")
        return run(feeds, fetches, timeout)

    queue = make_queue(fail)
    requests = Requests(queue)
    for value in (1, 2, 3):
        requests.send(column(value))
    run.go.set()
    first, *others = requests.wait()
    assert first.tolist() == [2]
    assert all(isinstance(error, tf.errors.InvalidArgumentError) for error in others)
    failing.clear()
    assert queue.run(column(1, 2), None)[0].tolist() == [2, 4]


@pytest.fixture(scope="module")
def batching_model(shop_one):
    model = LoadedVersion(shop_one, 1, ServerOptions(enable_batching=True))
    yield model
    model.close()


def feeds_of(model, items, x):
    names = {alias: info.name for alias, info in model.signatures["serving_default"].inputs.items()}
    return {names["item"]: np.array(items, object), names["x"]: np.array(x, np.float32)}


def test_a_model_answers_each_of_many_clients_its_own(batching_model):
    outputs = batching_model.signatures["serving_default"].outputs
    fetches = [outputs[alias].name for alias in ("score", "item")]
    failures = []

    def ask(seed):
        random = np.random.default_rng(seed)
        for _ in range(30):
            rows = int(random.integers(1, 6))
            items = [f"{seed}-{n}".encode() for n in range(rows)]
            x = random.standard_normal((rows, 2)).astype(np.float32)
            score, item = batching_model.run(feeds_of(batching_model, items, x), fetches, 10.0)
            if item.tolist() != items or not np.allclose(score[:, 0], x.sum(axis=1), atol=1e-5):
                failures.append((seed, rows))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_what_does_not_fit_the_signature_runs_by_itself(batching_model):
    outputs = batching_model.signatures["serving_default"].outputs
    one = [outputs["score"].name]
    scores = batching_model.run(feeds_of(batching_model, [b"a"], [[1, 2]]), one)[0]
    assert scores.tolist() == [[3]]
    fetches = sorted(info.name for info in outputs.values())
    wrong = feeds_of(batching_model, [b"a"], [[1, 2]])
    wrong = {name: array.astype(np.float64, copy=False) if array.dtype != object else array
             for name, array in wrong.items()}  # fmt: skip
    with pytest.raises(tf.errors.InvalidArgumentError, match="to be float but double is provided"):
        batching_model.run(wrong, fetches)


def test_the_server_batches_as_the_file_says(tmp_path, shop_one):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "1").symlink_to(shop_one)
    (tmp_path / "batching.config").write_text("max_batch_size { value: 2 }")
    options = ServerOptions(
        enable_batching=True, batching_parameters_file=tmp_path / "batching.config"
    )
    with (
        serving.EmbeddedServer({"shop": tmp_path / "served"}, options) as server,
        serving.Client(server.address, model="shop") as client,
    ):
        inputs = {"item": ["bread", "wine"], "x": np.ones((2, 2))}
        answer = client.predict("serving_default", inputs)
        assert answer["score"].tolist() == [[2], [2]]
        inputs = {"item": ["bread"] * 3, "x": np.ones((3, 2))}
        with pytest.raises(serving.ServingError, match="Task size 3 is larger than maximum"):
            client.predict("serving_default", inputs)
