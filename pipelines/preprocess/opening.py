"""Opens raw files; what is compressed comes out unpacked, or as an error where it is not whole."""

import io
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import IO

import pyarrow as pa
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipelines.components.base import PipelineError

_CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".xz": "xz"}


def compressed(path: str) -> bool:
    """Whether a file is compressed as a whole."""
    return PurePath(path).suffix in _CODECS


@contextmanager
def open_raw(path: str, unpack: bool = True) -> Iterator[IO[bytes]]:
    """Opens a file to read.

    Beam would open compressed files too, but takes a part of one for the whole.

    Args:
        path: the file.
        unpack: whether to unpack what is compressed.

    Raises:
        PipelineError: what was read inside the context is damaged or not all there.
    """
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        if not unpack or not compressed(path):
            yield file
            return
        try:
            yield _unpacked(file, _CODECS[PurePath(path).suffix])
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise PipelineError(
                f"{path}: damaged or truncated before byte {file.tell():,} ({one_line(error)}); "
                f"copy it anew or unpack what is left of it"
            ) from None


def _unpacked(file: IO[bytes], codec: str) -> IO[bytes]:
    if codec == "xz":
        return lzma.open(file)
    stream = pa.CompressedInputStream(pa.PythonFile(file, "r"), codec)
    return io.BufferedReader(stream)


def check_unchanged(path: str, size: int, modified: float) -> None:
    """Checks that a file is the one that was listed, so that parts of two are not put together.

    Args:
        path: the file.
        size: bytes it had.
        modified: unix time of its last change.

    Raises:
        PipelineError: it has changed since.
    """
    try:
        now = FileSystems.get_filesystem(path).metadata(path)
        changed = (now.size_in_bytes, now.last_updated_in_seconds) != (size, modified)
        found = f"it has {now.size_in_bytes:,} bytes, {size:,} before"
    except OSError:
        changed, found = True, "it is gone"
    if changed:
        raise PipelineError(
            f"{path}: changed while it was read ({found}); run again when nothing writes to it"
        )


def one_line(error: BaseException, most: int = 200) -> str:
    """An error's message on one line, shortened."""
    return " ".join(str(error).split())[:most]
