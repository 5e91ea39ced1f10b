"""Cuts raw files into blocks that can be read on their own: lines, row groups, or a whole file."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems

from pipelines.preprocess.opening import check_unchanged, open_raw
from pipelines.preprocess.pieces import SHOWN_BYTES, Piece, Readable, pieces
from pipelines.preprocess.raw_files import RawFile

BLOCK_BYTES = 8 << 20
"""Bytes of a block of lines: some fifty thousand rows of a log. Half of that takes an eighth more
processor time in all that follows, as each kernel and lookup is called for each batch."""
_CHUNK = 8 << 20


@dataclass(frozen=True)
class Block:
    """A part of a file.

    Attributes:
        file: the file.
        number: the block's place in the file.
        start: first byte of a block of lines; number of a Parquet file's row group.
        stop: byte after the last of a block of lines; None goes to the file's end.
        first_row: number of the first row in the file, of lines that of its line; the first is 1.
        multiline: whether quoted fields of a CSV block may hold line breaks.
        too_long: whether it is one line that is too long to be read.
    """

    file: RawFile
    number: int
    start: int
    stop: int | None
    first_row: int
    multiline: bool = False
    too_long: bool = False

    @property
    def name(self) -> str:
        """A name no other block of the table has."""
        return f"{self.file.number:05d}-{self.number:05d}"


@dataclass(frozen=True)
class Scan:
    """What one pass over a file's bytes finds.

    Attributes:
        digest: SHA-256 of the content, by which a table's files are numbered.
        blocks: the file's blocks.
    """

    digest: str
    blocks: list[Block]


def scan(file: RawFile, block_bytes: int = BLOCK_BYTES) -> Scan:
    """Reads a file once, cuts it and hashes its content.

    Blocks of lines start and end at a record's end. A compressed file and TFRecord are one block,
    which `block_pieces` and the reader take apart.

    Raises:
        PipelineError: the file changed since it was listed.
    """
    blocks = [Block(file, 0, file.header, None, file.header_lines + 1)]
    with open_raw(file.path, unpack=False) as opened:
        hashed = _Hashed(opened)
        if file.is_lines and file.splittable:
            hashed.read(file.header)
            blocks = [
                _block(file, n, piece) for n, piece in enumerate(_cut(file, hashed, block_bytes))
            ]
        else:
            while hashed.read(_CHUNK):
                pass
    if file.format == "parquet":
        blocks = list(_row_groups(file))
    check_unchanged(file.path, file.size, file.modified)
    return Scan(hashed.digest(), blocks)


def number(scans: Iterable[Scan]) -> Iterator[Block]:
    """Blocks of all files, the files of each table numbered by their content.

    So the same content gives the same rows whatever the files' names and the order of listing.
    """
    numbers: dict[str, int] = {}
    for one in sorted(scans, key=lambda s: (s.digest, s.blocks[0].file.path if s.blocks else "")):
        for block in one.blocks:
            table = block.file.table
            place = numbers.get(table, 0)
            yield replace(block, file=replace(block.file, number=place))
        if one.blocks:
            numbers[table] = place + 1


def block_pieces(block: Block, block_bytes: int = BLOCK_BYTES) -> Iterator[tuple[Block, bytes]]:
    """Reads the lines of a block; of one that is a compressed file, piece by piece."""
    file = block.file
    with open_raw(file.path) as opened:
        if block.stop is not None:
            opened.seek(block.start)
            size = block.stop - block.start
            yield block, opened.read(min(size, SHOWN_BYTES) if block.too_long else size)
            return
        opened.read(block.start)
        for n, piece in enumerate(_cut(file, opened, block_bytes)):
            yield _block(file, n, piece), piece.data


def _cut(file: RawFile, stream: Readable, block_bytes: int) -> Iterator[Piece]:
    delimiter = file.delimiter if file.format == "csv" else None
    return pieces(stream, file.header, file.header_lines + 1, block_bytes, delimiter)


def _block(file: RawFile, place: int, piece: Piece) -> Block:
    return Block(
        file, place, piece.start, piece.stop, piece.first_line, piece.multiline, piece.too_long
    )


def _row_groups(file: RawFile) -> Iterator[Block]:
    first_row = 1
    with FileSystems.open(file.path) as opened:
        metadata = pq.read_metadata(opened)
        for group in range(metadata.num_row_groups):
            yield Block(file, group, group, group + 1, first_row)
            first_row += metadata.row_group(group).num_rows


class _Hashed:
    """A stream that hashes what is read from it."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._hash.update(data)
        return data

    def digest(self) -> str:
        return self._hash.hexdigest()
