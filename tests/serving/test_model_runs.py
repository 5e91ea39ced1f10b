"""How a loaded version runs: in whose thread, for how long, and what is left when it is closed."""

import gc
import os
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from serving.server.loops import loop_free
from serving.server.model import LoadedVersion
from serving.server.predict import predict
from serving.server.status import StatusError


@pytest.fixture
def shop(shop_one):
    model = LoadedVersion(shop_one, 1)
    yield model
    model.close()


def names_of(model, signature):
    definition = model.signatures[signature]
    return (
        {alias: info.name for alias, info in definition.inputs.items()},
        sorted(info.name for info in definition.outputs.values()),
    )


def run_rows(model, rows=2):
    inputs, outputs = names_of(model, "serving_default")
    feeds = {inputs["item"]: np.array([b"bread"] * rows, object),
             inputs["x"]: np.ones((rows, 2), np.float32)}  # fmt: skip
    return model.run(feeds, outputs, 10.0)


def run_slow(model, steps, timeout):
    inputs, outputs = names_of(model, "slow")
    return model.run({inputs["steps"]: np.array(steps, np.int32)}, outputs, timeout)


def used_in_this_thread(run):
    """CPU seconds of this thread and of the whole process."""
    thread, process = time.thread_time(), time.process_time()
    run()
    return time.thread_time() - thread, time.process_time() - process


def test_a_short_run_goes_on_in_the_thread_that_asks(shop):
    for _ in range(50):
        run_rows(shop)
    thread, process = used_in_this_thread(lambda: [run_rows(shop) for _ in range(300)])
    assert thread > 0.8 * process


def test_a_loop_keeps_its_deadline_however_short_it_was_before(shop):
    for _ in range(50):
        run_slow(shop, 1, 10.0)
    with pytest.raises(tf.errors.DeadlineExceededError):
        run_slow(shop, 2**31 - 1, 0.2)


def test_loops_are_found_in_functions_and_behind_them():
    @tf.function
    def loop(x):
        return tf.while_loop(lambda i: i < x, lambda i: [i + 1], [0])[0]

    @tf.function
    def calls(x):
        return loop(x) + 1

    @tf.function
    def chooses(x):
        return tf.cond(x > 1, lambda: calls(x), lambda: x)

    @tf.function
    def plain(x):
        return tf.cond(x > 1, lambda: x + 1, lambda: x)

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.int32, [], "x")
        outputs = {each: each.get_concrete_function(x)(x).name for each in (calls, chooses, plain)}
        behind = (x + tf.add(graph.get_tensor_by_name(outputs[chooses]), 1)).name
    named = [*outputs.values(), behind, "x:0"]
    assert loop_free(graph.as_graph_def(), named) == {outputs[plain], "x:0"}


def test_the_order_of_the_outputs_asked_for_is_one_run(shop):
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.inputs["item"].CopyFrom(tf.make_tensor_proto(["bread"]))
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.ones((1, 2), np.float32)))
    answers = []
    for wanted in (["score", "id"], ["id", "score"]):
        request.output_filter[:] = wanted
        answers.append(predict(shop, request).outputs)
    assert set(answers[0]) == {"score", "id"}
    assert dict(answers[0]) == dict(answers[1])


def test_a_closed_version_says_so_and_ends_what_runs(shop_one):
    model = LoadedVersion(shop_one, 1)
    failures = []

    def run():
        try:
            run_slow(model, 2**31 - 1, 60.0)
        except tf.errors.OpError as error:
            failures.append(type(error))

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.3)
    model.close()
    thread.join(20)
    assert failures == [tf.errors.CancelledError]
    with pytest.raises(StatusError, match="closed") as caught:
        run_rows(model)
    assert caught.value.code.name == "CANCELLED"


class Heavy(tf.Module):
    """20 MB of weights, so that one that stays is seen."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(tf.ones([5000, 1000]))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "x")])
    def look_up(self, x):
        return {"y": tf.reduce_sum(tf.gather(self.weights, x), axis=1)}


@pytest.fixture(scope="module")
def heavy(tmp_path_factory) -> Path:
    module, path = Heavy(), tmp_path_factory.mktemp("heavy") / "1"
    tf.saved_model.save(module, str(path), signatures=module.look_up)
    return path


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_memory_does_not_grow_with_the_versions_that_came_and_went(heavy):
    def come_and_go():
        model = LoadedVersion(heavy, 1)
        inputs, outputs = names_of(model, "serving_default")
        assert model.run({inputs["x"]: np.array([3], np.int32)}, outputs)[0].tolist() == [1000]
        session = weakref.ref(model._session)
        operations = [weakref.ref(each) for each in model._graph.get_operations()]
        model.close()
        assert session() is None
        # What initialises the tables is in a collection of the graph, and goes with that.
        assert sum(each() is not None for each in operations) <= 1
        return resident_mb()

    gc.collect()
    gc.disable()  # what is freed is freed without its help
    try:
        for _ in range(3):
            settled = come_and_go()
        after = [come_and_go() for _ in range(4)]
    finally:
        gc.enable()
    assert max(after) < 1.05 * settled
