"""Vectors of texts that were encoded before, kept from run to run.

DIRECTORY/ENCODING/part-*.parquet   (digest of the text, vector)

ENCODING says what decides the vector of a text: encoder, pooling and length. Files are only added,
each under a name of its content, and carry checksums: one that is damaged is removed, and its texts
are encoded anew. The directory may be deleted at any time.
"""

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.preprocess.encoding import column

DIGEST, VECTOR = "digest", "vector"
_BYTES = 16


def digests(texts: pa.Array) -> np.ndarray:
    """Digests of texts, `[n]`, of 16 bytes each: two texts share one with probability 2^-128."""
    made = [hashlib.blake2b(t.encode(), digest_size=_BYTES).digest() for t in texts.to_pylist()]
    return np.frombuffer(b"".join(made), f"S{_BYTES}")


class VectorCache:
    """The vectors of one encoding.

    Args:
        directory: of its files; made when something is added.
        width: of the vectors.

    Attributes:
        damaged: files found damaged and removed.
    """

    def __init__(self, directory: Path, width: int) -> None:
        self._directory, self._width = directory, width
        self.damaged: list[str] = []

    def fill(self, wanted: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """Writes the vectors that are known to their rows.

        Args:
            wanted: digests, no two alike, `[n]`.
            vectors: float32 `[n, width]`, written to.

        Returns:
            Whether each is known, `[n]`.
        """
        known = np.zeros(len(wanted), bool)
        order = np.argsort(wanted)
        ordered = wanted[order]
        for kept, values in self._parts():
            if not len(wanted):
                break
            places = np.minimum(np.searchsorted(ordered, kept), len(ordered) - 1)
            found = ordered[places] == kept
            rows = order[places[found]]
            vectors[rows] = values[found]
            known[rows] = True
        return known

    def _parts(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for path in sorted(self._directory.glob("part-*.parquet")):
            try:
                table = pq.read_table(path, page_checksum_verification=True)
                kept = np.frombuffer(b"".join(table[DIGEST].to_pylist()), f"S{_BYTES}")
                flat = table[VECTOR].combine_chunks().flatten().to_numpy()
                part = kept, flat.reshape(len(kept), self._width)
            except (OSError, pa.ArrowException, KeyError, ValueError):
                self.damaged.append(path.name)
                path.unlink()
                continue
            yield part


def encoded(marks: np.ndarray, vectors: np.ndarray) -> pa.RecordBatch:
    """Vectors as they are kept.

    Args:
        marks: digests of the texts, `[n]`.
        vectors: float32 `[n, width]`.
    """
    buffers = [None, pa.py_buffer(marks.tobytes())]
    kept = pa.FixedSizeBinaryArray.from_buffers(pa.binary(_BYTES), len(marks), buffers)
    return pa.RecordBatch.from_arrays(
        [kept, column(np.ascontiguousarray(vectors, np.float32))], names=[DIGEST, VECTOR]
    )


def add(rows: pa.RecordBatch, directory: Path) -> Path:
    """Adds vectors, at once or not at all; the same texts give the same file.

    Args:
        rows: as `encoded` makes them.
        directory: of the encoding.

    Returns:
        The file.
    """
    directory.mkdir(parents=True, exist_ok=True)
    marks = b"".join(rows.column(DIGEST).to_pylist())
    name = hashlib.blake2b(marks, digest_size=_BYTES).hexdigest()
    path = directory / f"part-{name}.parquet"
    temporary = directory / f".{path.name}.{uuid.uuid4().hex}"
    table = pa.Table.from_batches([rows])
    pq.write_table(
        table, temporary, compression="none", use_dictionary=False, write_page_checksum=True
    )
    os.replace(temporary, path)
    return path
