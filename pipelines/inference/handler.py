"""How Beam's RunInference asks a model: batches of rows in, batches of answers out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from apache_beam.ml.inference.base import ModelHandler

from pipelines.inference.encoded import decoded_inputs

if TYPE_CHECKING:
    from pipelines.inference.answering import Answerer, Question

Asked = tuple[str, str, pa.RecordBatch]
"""What rows are (`ROWS`, `INPUTS` or `ITEMS`), the part of the output their answers go to, and the
rows: canonical ones, model inputs with keys, or the places of items from `start` to `stop`."""
Answered = tuple[str, pa.RecordBatch]
"""Path of a part below the output, without its ending, and its rows."""

ROWS, INPUTS, ITEMS = "rows", "inputs", "items"


class Handler(ModelHandler[Asked, Answered, "Answerer"]):
    """Loads a model once a process and answers whole batches.

    An element is a batch of thousands of rows already, so that Beam need not make larger ones.

    Args:
        question: what the model is asked.
    """

    def __init__(self, question: "Question") -> None:
        super().__init__(min_batch_size=1, max_batch_size=1)
        self._question = question

    def load_model(self) -> "Answerer":
        """Loads the model; TensorFlow is imported by the worker alone."""
        from pipelines.inference.answering import Answerer

        return Answerer(self._question)

    def run_inference(
        self,
        batch: Sequence[Asked],
        model: "Answerer",
        inference_args: Mapping[str, Any] | None = None,
    ) -> Iterable[Answered]:
        """Answers for batches of rows, an element for each output."""
        return [answered for asked in batch for answered in _answered(asked, model)]

    def get_num_bytes(self, batch: Sequence[Asked]) -> int:
        """Bytes of a batch, for Beam's metrics."""
        return sum(rows.nbytes for _, _, rows in batch)

    def get_metrics_namespace(self) -> str:
        """Where Beam's metrics of this transform are."""
        return "tfmtl"


def _answered(asked: Asked, model: "Answerer") -> Iterator[Answered]:
    kind, part, rows = asked
    if kind == ITEMS:
        (place,) = rows.to_pylist()
        answers: Iterable[Answered] = [model.of_items(place["start"], place["stop"])]
    elif kind == INPUTS:
        answers = model.of_inputs(rows, decoded_inputs(rows))
    else:
        answers = model.of_rows(rows)
    for output, found in answers:
        yield f"{output}/{part}", found
