"""TF Serving's file of batching parameters: what is read, what is refused."""

import pytest

from serving.errors import ServingError
from serving.server.batching.parameters import BatchingParameters, batching_parameters
from serving.server.options import ServerOptions

FILE = """
max_batch_size { value: 32 }
batch_timeout_micros { value: 500 }
max_enqueued_batches { value: 7 }
num_batch_threads { value: 3 }
thread_pool_name { value: "ignored" }
allowed_batch_sizes: 8
allowed_batch_sizes: 32
pad_variable_length_inputs: true
"""


def read(tmp_path, text):
    path = tmp_path / "batching.config"
    path.write_text(text)
    return batching_parameters(ServerOptions(enable_batching=True, batching_parameters_file=path))


def test_every_field_is_read(tmp_path):
    assert read(tmp_path, FILE) == BatchingParameters(32, 500, 7, 3, (8, 32), True)


def test_what_is_left_out_has_the_defaults_of_tf_serving(tmp_path):
    parameters = read(tmp_path, "num_batch_threads { value: 3 }")
    assert parameters == BatchingParameters(1000, 0, 10, 3, (), False)
    assert batching_parameters(ServerOptions(enable_batching=True)).max_batch_size == 1000
    assert batching_parameters(ServerOptions()) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size: 32", "batching.config: expected a text BatchingParameters"),
        ("batch_size { value: 3 }", 'no field named "batch_size"'),
        ("max_batch_size { value: 0 }", "max_batch_size must be positive; was 0"),
        ("num_batch_threads { value: 0 }", "num_batch_threads must be positive; was 0"),
        ("batch_timeout_micros { value: -1 }", "must be non-negative; was -1"),
        (
            "max_batch_size { value: 32 } allowed_batch_sizes: 16",
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 16; "
            "expected 32",
        ),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: [16, 8]",
            "allowed_batch_sizes entries must be monotonically increasing",
        ),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, text, message):
    with pytest.raises(ServingError) as caught:
        read(tmp_path, text)
    assert caught.value.code == "INVALID_ARGUMENT"
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named_without_its_directory(tmp_path):
    options = ServerOptions(enable_batching=True, batching_parameters_file=tmp_path / "none.config")
    with pytest.raises(ServingError, match=r"none\.config: No such file") as caught:
        batching_parameters(options)
    assert str(tmp_path) not in str(caught.value)


def test_sizes_to_fill_up_to():
    parameters = BatchingParameters(max_batch_size=8, allowed_batch_sizes=(2, 8))
    assert [parameters.filled(rows) for rows in (1, 2, 3, 8)] == [2, 2, 8, 8]
    assert BatchingParameters().filled(5) == 5
