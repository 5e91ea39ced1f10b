"""The messages a server answers with as what the client's calls return."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import grpc
import numpy as np

from serving import protocol
from serving.client.results import Classification, Predictions, Ranking, Recommendations
from serving.dtypes import TensorError
from serving.errors import ServingError
from serving.inputs import Batch
from serving.metadata import Signature, parse_signature
from serving.signatures import (
    CLASSES,
    COUNT,
    EMBED_ITEM,
    EMBED_USER,
    EMBEDDING,
    ITEM_ID,
    RANK,
    RANK_ROWS,
    RECOMMEND,
    RETRIEVAL_SCORE,
    RETRIEVE,
    SCORE,
)
from serving.tensors import decode

_CODES = {code.value[0]: code.name for code in grpc.StatusCode}


class VersionStatus(NamedTuple):
    """One version of a model on the server.

    Attributes:
        version: The version number.
        state: `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
        error: Why it ended, empty when nothing went wrong.
    """

    version: int
    state: str
    error: str


class Answer(NamedTuple):
    """A signature's outputs, and what they answer.

    Attributes:
        outputs: By name; strings as `object` arrays of `bytes`.
        version: The model version that answered.
        batch: What was asked.
        key: The input that names the candidates, where there is one.
    """

    outputs: dict[str, np.ndarray]
    version: int
    batch: Batch
    key: str | None


def outputs(response: Any) -> dict[str, np.ndarray]:
    """The outputs of a Predict answer by name.

    Raises:
        ServingError: INTERNAL when one cannot be read.
    """
    try:
        return {name: decode(response.outputs[name]) for name in sorted(response.outputs)}
    except TensorError as error:
        raise ServingError("INTERNAL", f"unreadable answer: {error}") from error


def signatures(response: Any) -> dict[str, Signature]:
    """The signatures of a version, from an answer about its metadata.

    Raises:
        ServingError: UNIMPLEMENTED when one has a tensor that has no array.
    """
    packed = protocol.SignatureDefMap.FromString(response.metadata[protocol.SIGNATURE_DEF].value)
    version = response.model_spec.version.value
    try:
        return {
            name: parse_signature(name, version, packed.signature_def[name])
            for name in sorted(packed.signature_def)
            if not name.startswith("__saved_model")
        }
    except TensorError as error:
        raise ServingError("UNIMPLEMENTED", str(error)) from error


def states(response: Any) -> list[VersionStatus]:
    """The versions of a model, newest first."""
    return [
        VersionStatus(
            entry.version,
            protocol.VERSION_STATES.get(entry.state, str(entry.state)),
            entry.status.error_message,
        )
        for entry in response.model_version_status
    ]


def check_reloaded(response: Any) -> None:
    """Looks at the answer to a new configuration.

    Raises:
        ServingError: What the server says went wrong.
    """
    if response.status.error_code:
        code = _CODES.get(response.status.error_code, "UNKNOWN")
        raise ServingError(code, response.status.error_message)


def classifications(response: Any) -> list[Classification]:
    """The classes of every example."""
    return [
        Classification([kind.label for kind in found.classes], [k.score for k in found.classes])
        for found in response.result.classifications
    ]


def regressions(response: Any) -> np.ndarray:
    """The number of every example."""
    return np.array([found.value for found in response.result.regressions], np.float32)


def ranking(answer: Answer) -> Ranking:
    """The answer of RANK, each user's cut to the candidates that were given."""
    tasks, classes = _tasks(answer.outputs, beside=(SCORE,))
    counts = answer.batch.candidates or []
    keys: Any = [] if answer.key is None else answer.batch.arrays[answer.key]
    rows = _Rows(counts, answer.batch.single)
    return Ranking(
        version=answer.version,
        items=rows.of([_plain(row) for row in keys]),
        scores=rows.of(answer.outputs.get(SCORE)),
        tasks={task: rows.of(values) for task, values in tasks.items()},
        classes=classes,
        several=not answer.batch.single,
    )


def recommendations(answer: Answer) -> Recommendations:
    """The answer of RETRIEVE or RECOMMEND, each user's cut to the items that were found."""
    found = answer.outputs
    tasks, classes = _tasks(found, beside=(ITEM_ID, SCORE, RETRIEVAL_SCORE, COUNT))
    keys = _output(found, ITEM_ID)
    counts = found[COUNT].tolist() if COUNT in found else [keys.shape[1]] * len(keys)
    rows = _Rows(counts, answer.batch.single)
    return Recommendations(
        version=answer.version,
        items=rows.of([_plain(row) for row in keys]),
        scores=rows.of(found.get(SCORE)),
        tasks={task: rows.of(values) for task, values in tasks.items()},
        classes=classes,
        several=not answer.batch.single,
        retrieval_scores=rows.of(found.get(RETRIEVAL_SCORE)),
    )


def predictions(answer: Answer) -> Predictions:
    """The answer of RANK_ROWS."""
    tasks, classes = _tasks(answer.outputs, beside=())
    if answer.batch.single:
        tasks = {task: values[0] for task, values in tasks.items()}
    return Predictions(answer.version, tasks, classes)


def embedding(answer: Answer) -> np.ndarray:
    """The answer of EMBED_USER or EMBED_ITEM."""
    vectors = _output(answer.outputs, EMBEDDING)
    return vectors[0] if answer.batch.single else vectors


READERS: Mapping[str, Callable[[Answer], Any]] = {
    RANK: ranking,
    RANK_ROWS: predictions,
    RETRIEVE: recommendations,
    RECOMMEND: recommendations,
    EMBED_USER: embedding,
    EMBED_ITEM: embedding,
}
"""How the answer of each signature with a typed call is read."""


class _Rows(NamedTuple):
    """Cuts what is of every user to that user's items."""

    counts: list[int]
    single: bool

    def of(self, values: Any) -> Any:
        """Rows as a list of what is real of each; the only row where one was asked for."""
        if values is None:
            return None
        rows = [row[:count] for row, count in zip(values, self.counts, strict=True)]
        return rows[0] if self.single else rows


def _tasks(
    found: Mapping[str, np.ndarray], beside: tuple[str, ...]
) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
    """The outputs of tasks, and the names of their classes."""
    named = {CLASSES(name): name for name in found if CLASSES(name) in found}
    classes = {
        task: _plain(found[output].reshape(-1, found[output].shape[-1])[0])
        for output, task in named.items()
        if found[output].size
    }
    tasks = {
        name: values for name, values in found.items() if name not in beside and name not in named
    }
    return tasks, classes


def _output(found: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name not in found:
        raise ServingError(
            "UNIMPLEMENTED",
            f"the signature should have an output `{name}`; it has: {', '.join(found)}. "
            "Ask it with `predict`",
        )
    return found[name]


def _plain(values: np.ndarray) -> list[Any]:
    """Text and numbers of Python's; bytes that are no text stay."""
    return [_text(value) if isinstance(value, bytes) else value for value in values.tolist()]


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
