"""The parameters of batching, read from the text file that TF Serving reads.

max_batch_size { value: 128 }
batch_timeout_micros { value: 500 }
num_batch_threads { value: 4 }
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import text_format

from serving.errors import ServingError
from serving.protocol import BatchingParameters as Message
from serving.server.options import ServerOptions

_NUMBERS = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")


@dataclass(frozen=True)
class BatchingParameters:
    """How requests are joined. Names and defaults are TF Serving's.

    Attributes:
        max_batch_size: The rows of a batch at most; a request of more is refused.
        batch_timeout_micros: How long a batch that is not full waits for more, microseconds.
        max_enqueued_batches: The batches of one signature that wait at most; a request that needs
            a further one is refused.
        num_batch_threads: The batches of one model version that run at once; by default as many
            as there are processors.
        allowed_batch_sizes: The sizes a batch is filled up to, ascending; any size when empty.
        pad_variable_length_inputs: Whether inputs of different lengths go together, the shorter
            ones filled up with their first element.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False

    def __post_init__(self) -> None:
        for name in ("max_batch_size", "num_batch_threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive; was {getattr(self, name)}")
        for name in ("batch_timeout_micros", "max_enqueued_batches"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be non-negative; was {getattr(self, name)}")
        sizes = self.allowed_batch_sizes
        if sizes and sizes[-1] != self.max_batch_size:
            raise ValueError(
                "Last entry in allowed_batch_sizes must match max_batch_size; last entry was "
                f"{sizes[-1]}; expected {self.max_batch_size}"
            )
        if list(sizes) != sorted(set(sizes)) or (sizes and sizes[0] < 1):
            raise ValueError("allowed_batch_sizes entries must be monotonically increasing")

    def filled(self, rows: int) -> int:
        """The size that a batch of so many rows is filled up to."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)


def batching_parameters(options: ServerOptions) -> BatchingParameters | None:
    """The parameters a server runs with; `None` when it does not join requests.

    Args:
        options: `enable_batching` and `batching_parameters_file` are read.

    Raises:
        ServingError: INVALID_ARGUMENT when the file is not what it should be.
    """
    if not options.enable_batching:
        return None
    if options.batching_parameters_file is None:
        return BatchingParameters()
    path = options.batching_parameters_file
    try:
        return _parsed(path)
    except OSError as error:
        raise _refused(f"{path.name}: {error.strerror}") from error
    except text_format.ParseError as error:
        raise _refused(f"{path.name}: expected a text BatchingParameters: {error}") from error
    except ValueError as error:
        raise _refused(f"{path.name}: {error}") from error


def _parsed(path: Path) -> BatchingParameters:
    message = text_format.Parse(path.read_text(encoding="utf-8"), Message())
    given = {name: getattr(message, name).value for name in _NUMBERS if message.HasField(name)}
    return BatchingParameters(
        **given,
        allowed_batch_sizes=tuple(message.allowed_batch_sizes),
        pad_variable_length_inputs=message.pad_variable_length_inputs,
    )


def _refused(what: str) -> ServingError:
    return ServingError("INVALID_ARGUMENT", f"batching_parameters_file: {what}")
