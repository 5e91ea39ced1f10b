"""Cuts a stream of lines into pieces of whole records, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipelines.preprocess import quoting

RECORD_BYTES = 8 << 20
"""Bytes of the longest record. A longer line is none; of a longer record in quotes each line is
one by itself."""
SHOWN_BYTES = 1000
"""Bytes of a line too long that are kept, to be shown."""


class Readable(Protocol):
    """Where bytes come from."""

    def read(self, size: int, /) -> bytes:
        """The next bytes; fewer only at the end."""


@dataclass(frozen=True)
class Piece:
    """Some whole records of a stream.

    Attributes:
        data: the records; the beginning of a line that is too long.
        start: the first byte's place in the stream.
        stop: place of the byte after the last.
        first_line: number of the first line, the stream's first being 1.
        multiline: whether there may be line breaks inside quotes.
        too_long: whether this is one line that is too long to hold.
    """

    data: bytes
    start: int
    stop: int
    first_line: int
    multiline: bool = False
    too_long: bool = False


def pieces(
    stream: Readable, start: int, first_line: int, piece_bytes: int, delimiter: str | None
) -> Iterator[Piece]:
    """Cuts a stream.

    Args:
        stream: lines, from the byte `start` on.
        start: that byte's place in the stream.
        first_line: its line.
        piece_bytes: bytes of a piece, about.
        delimiter: what parts the fields of a CSV, whose records may go over several lines; None
            where every line is a record.
    """
    held = b""
    while chunk := stream.read(piece_bytes):
        held += chunk
        while True:
            lines, end, multiline = _whole_records(held, delimiter)
            if end:
                yield Piece(held[:end], start, start + end, first_line, multiline)
                held, start, first_line = held[end:], start + end, first_line + lines
            if len(held) <= RECORD_BYTES:
                break
            end = held.find(b"\n") + 1
            if end:
                # A quote that nothing closes: its line goes alone, those below are looked at anew.
                yield Piece(held[:end], start, start + end, first_line, multiline=True)
                held = held[end:]
            else:
                shown, end = held[:SHOWN_BYTES], len(held)
                held, more = _skip_line(stream, piece_bytes)
                end += more
                yield Piece(shown, start, start + end, first_line, too_long=True)
            start, first_line = start + end, first_line + 1
    if held:
        yield Piece(held, start, start + len(held), first_line, multiline=delimiter is not None)


def _whole_records(data: bytes, delimiter: str | None) -> tuple[int, int, bool]:
    """Lines and bytes of the whole records, and whether there are line breaks inside quotes."""
    content = np.frombuffer(data, np.uint8)
    breaks = np.flatnonzero(content == ord("\n"))
    lines, multiline = len(breaks), False
    if lines and delimiter is not None and b'"' in data:
        end = int(breaks[-1]) + 1
        lines, multiline = quoting.whole_lines(content[:end], breaks, delimiter)
    return lines, int(breaks[lines - 1]) + 1 if lines else 0, multiline


def _skip_line(stream: Readable, chunk_bytes: int) -> tuple[bytes, int]:
    """What was read behind the end of the line, and the bytes up to there."""
    passed = 0
    while chunk := stream.read(chunk_bytes):
        end = chunk.find(b"\n") + 1
        if end:
            return chunk[end:], passed + end
        passed += len(chunk)
    return b"", passed
