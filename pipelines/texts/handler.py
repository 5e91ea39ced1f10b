"""How Beam's RunInference asks an encoder: texts with their digests in, vectors out."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from apache_beam.ml.inference.base import ModelHandler

from pipelines.texts.cache import digests, encoded
from pipelines.texts.distinct import TEXT

if TYPE_CHECKING:
    from tfmtl.preprocessing.pretrained import FrozenTexts


class TextHandler(ModelHandler[pa.RecordBatch, pa.RecordBatch, "FrozenTexts"]):
    """Loads an encoder once a process and encodes whole batches of texts.

    An element is a batch of a thousand texts already, so that Beam need not make larger ones.

    Args:
        directory: the analysis, with the copy of the checkpoint.
        checkpoint: name that the configuration has for it.
        length: pieces kept of a text.
        max_bytes: bytes read of a text.
        pooling: how the vectors of a text's pieces become one.
    """

    def __init__(
        self, directory: Path, checkpoint: str, length: int, max_bytes: int, pooling: str
    ) -> None:
        super().__init__(min_batch_size=1, max_batch_size=1)
        self._arguments = directory, checkpoint, length, max_bytes, pooling

    def load_model(self) -> "FrozenTexts":
        """Loads the encoder; TensorFlow is imported by the worker alone."""
        from tfmtl.preprocessing.pretrained import Encoders

        directory, checkpoint, length, max_bytes, pooling = self._arguments
        return Encoders(directory).frozen(checkpoint, length, max_bytes, pooling)

    def run_inference(
        self,
        batch: Sequence[pa.RecordBatch],
        model: "FrozenTexts",
        inference_args: Mapping[str, Any] | None = None,
    ) -> Iterable[pa.RecordBatch]:
        """Vectors of batches of texts."""
        columns = [texts.column(TEXT) for texts in batch]
        return [encoded(digests(texts), model.vectors(texts.to_pylist())) for texts in columns]

    def get_num_bytes(self, batch: Sequence[pa.RecordBatch]) -> int:
        """Bytes of a batch, for Beam's metrics."""
        return sum(texts.nbytes for texts in batch)

    def get_metrics_namespace(self) -> str:
        """Where Beam's metrics of this transform are."""
        return "tfmtl"
