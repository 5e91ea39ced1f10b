"""One client of the REST port, and the time it has for all it does."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable

from serving.server.rest.http import (
    HEAD_BYTES,
    Answer,
    HttpError,
    Request,
    encode_answer,
    read_body,
    read_head,
)
from serving.server.rest.json_text import error_body

# How long what a refused client still sends is read, so that it gets to read why.
_LINGER_SECONDS = 1.0


class Connection:
    """One client, and the time it has.

    Args:
        reader: What it sends.
        writer: What it gets.
        timeout: Seconds for a whole request, for taking an answer, and for the time between.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float):
        self._reader = reader
        self._writer = writer
        self._timeout = timeout
        self._first = b""
        # An answer counts as sent when all of it has left, not when it lies in a buffer.
        writer.transport.set_write_buffer_limits(0)

    async def has_more(self) -> bool:
        """Waits for the first byte of a request; false when none comes."""
        try:
            async with asyncio.timeout(self._timeout):
                self._first = await self._reader.read(1)
        except TimeoutError:
            return False
        return bool(self._first)

    async def read(self, reserve: Callable[[int], None]) -> Request | None:
        """Reads a request; `None` when the client has closed instead."""
        try:
            async with asyncio.timeout(self._timeout):
                request = await read_head(self._first, self._reader)
                if request is not None:
                    request.body = await read_body(self._reader, request, reserve, self._go_on)
                return request
        except TimeoutError:
            raise HttpError(
                408, f"the request was not complete after {self._timeout:g} seconds"
            ) from None

    async def send(self, content: bytes) -> None:
        """Sends an answer, which the client has to take in time."""
        self._writer.write(content)
        async with asyncio.timeout(self._timeout):
            await self._writer.drain()

    async def refuse(self, error: HttpError) -> None:
        """Sends an error and reads on for a moment, since closing at once could discard it."""
        answer = Answer(error.code, error_body(error.message))
        await self.send(encode_answer(answer, "", keep=False))
        with contextlib.suppress(TimeoutError, OSError):
            self._writer.write_eof()
            async with asyncio.timeout(_LINGER_SECONDS):
                while await self._reader.read(HEAD_BYTES):
                    pass

    def close(self) -> None:
        """Closes when what was written has left."""
        self._writer.close()

    def abort(self) -> None:
        """Closes at once; what the client has not taken is thrown away, also by the system."""
        connected = self._writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _go_on(self) -> None:
        await self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
