"""One HTTP/1.1 request as it is read from a connection, and one answer as it is written.

Strict where leniency would let two readers see two requests: one Content-Length or chunks, never
both; no folded headers; no spaces before a colon. Everything has a bound: a head 64 KiB, a body
what the server's options say.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

HEAD_BYTES = 64 * 1024

_MOST_HEADERS = 100
_BLOCK = 64 * 1024
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~\x80-\xff]+) HTTP/1\.([01])")
_ANY_VERSION = re.compile(rb"\S+ \S+ HTTP/\d\.\d")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")
_GZIP = b"\x1f\x8b"
_CLIENT_CLOSED_REQUEST = 499


class HttpError(Exception):
    """A request that cannot be read; the connection ends with the answer to it.

    Args:
        code: The HTTP status code.
        message: What was wrong, for the client.
    """

    def __init__(self, code: int, message: str):
        self.code = code
        self.message = message
        super().__init__(message)


@dataclass
class Request:
    """What a client asks.

    Attributes:
        method: `GET`, `POST`, ... as it was sent.
        target: The path with its query, percent-encoded.
        headers: By name in lower case; those sent more than once are joined by commas.
        body: The content, as it was sent.
        keep: Whether the connection is to stay open.
    """

    method: str
    target: str
    headers: dict[str, str]
    keep: bool
    body: bytes = b""


@dataclass
class Answer:
    """What the client gets: a status code and a body, always of known length."""

    code: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


Reserve = Callable[[int], None]
"""Sets memory aside for so many more bytes of a body, or raises `HttpError`."""


async def read_head(first: bytes, reader: asyncio.StreamReader) -> Request | None:
    """Reads a request up to its body; `None` when the client has closed before one.

    Args:
        first: The byte that has been read already.
        reader: The connection past it.

    Raises:
        HttpError: When it is no HTTP/1 request or too long.
    """
    try:
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if (first + error.partial).strip():
            raise HttpError(400, "the request ends within its headers") from None
        return None
    except asyncio.LimitOverrunError:
        raise HttpError(431, f"the headers are longer than {HEAD_BYTES} bytes") from None
    line, *lines = head.lstrip(b"\r\n").removesuffix(b"\r\n\r\n").split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        if _ANY_VERSION.fullmatch(line):
            raise HttpError(505, "expected HTTP/1.1")
        raise HttpError(400, "expected a request line such as GET /v1/models/shop HTTP/1.1")
    headers = _headers(lines)
    connection = headers.get("connection", "").lower()
    keep = "close" not in connection if match[3] == b"1" else "keep-alive" in connection
    target = match[2].decode("latin-1")
    return Request(match[1].decode(), _path(target), headers, keep)


async def read_body(
    reader: asyncio.StreamReader,
    request: Request,
    reserve: Reserve,
    go_on: Callable[[], Awaitable[None]],
) -> bytes:
    """Reads the body that a request announces.

    Args:
        reader: The connection, past the head.
        request: The head.
        reserve: Called before bytes are taken in.
        go_on: Tells a client that waits for leave to send its body that it may.

    Raises:
        HttpError: When the body is malformed, larger than what is reserved, or ends early.
    """
    length = _content_length(request.headers)
    coding = request.headers.get("transfer-encoding")
    if coding is not None and coding.lower() != "chunked":
        raise HttpError(501, "expected no Transfer-Encoding but chunked")
    if coding is not None and length is not None:
        raise HttpError(400, "expected either Content-Length or Transfer-Encoding")
    if not length and coding is None:
        return b""
    if length is not None:
        reserve(length)
    if request.headers.get("expect", "").lower() == "100-continue":
        await go_on()
    try:
        if length is not None:
            body = await reader.readexactly(length)
        else:
            body = await _read_chunks(reader, reserve)
    except asyncio.IncompleteReadError as error:
        announced = "its last chunk" if length is None else f"{length} bytes"
        raise HttpError(
            400, f"the body ends before {announced}; {len(error.partial)} bytes came last"
        ) from None
    except asyncio.LimitOverrunError:
        raise HttpError(400, "a chunk's header is too long") from None
    if is_gzip(request):
        reserve(unzipped_size(body))
    return body


def is_gzip(request: Request) -> bool:
    """Whether a request says that its body is compressed."""
    return "gzip" in request.headers.get("content-encoding", "").lower()


def unzipped_size(body: bytes) -> int:
    """The bytes a gzip stream says, in its last four, that it had before; 0 for no such stream."""
    return int.from_bytes(body[-4:], "little") if body.startswith(_GZIP) else 0


def encode_answer(answer: Answer, method: str, keep: bool) -> bytes:
    """The bytes of an answer; one to HEAD has no body."""
    lines = [
        f"HTTP/1.1 {answer.code} {_reason(answer.code)}",
        f"Content-Type: {answer.content_type}",
        f"Date: {formatdate(usegmt=True)}",
        f"Content-Length: {len(answer.body)}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
        f"Connection: {'keep-alive' if keep else 'close'}",
    ]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head if method == "HEAD" else head + answer.body


def _headers(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > _MOST_HEADERS:
        raise HttpError(431, f"more than {_MOST_HEADERS} headers")
    headers: dict[str, str] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise HttpError(400, "expected headers such as Content-Type: application/json")
        name, value = match[1].decode().lower(), match[2].decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _content_length(headers: dict[str, str]) -> int | None:
    text = headers.get("content-length")
    if text is None:
        return None
    lengths = {part.strip() for part in text.split(",")}
    if len(lengths) != 1 or not re.fullmatch(r"[0-9]{1,18}", next(iter(lengths))):
        raise HttpError(400, "expected one Content-Length, a whole number")
    return int(lengths.pop())


def _path(target: str) -> str:
    """The path and query of a target, which a client of a proxy sends with the host before it."""
    match = re.match(r"(?i)https?://[^/?#]*", target)
    return (target[match.end() :] or "/") if match else target


async def _read_chunks(reader: asyncio.StreamReader, reserve: Reserve) -> bytes:
    body = bytearray()
    while True:
        match = _CHUNK.fullmatch(await reader.readuntil(b"\r\n"))
        if match is None:
            raise HttpError(400, "expected a chunk's length in hexadecimal")
        size = int(match[1], 16)
        if not size:
            break
        # What a chunk announces is taken for true only as it arrives.
        while size:
            block = min(size, _BLOCK)
            reserve(block)
            body += await reader.readexactly(block)
            size -= block
        if await reader.readexactly(2) != b"\r\n":
            raise HttpError(400, "a chunk is longer than its length")
    trailers = 0
    while await reader.readuntil(b"\r\n") != b"\r\n":
        trailers += 1
        if trailers > _MOST_HEADERS:
            raise HttpError(431, f"more than {_MOST_HEADERS} trailers")
    return bytes(body)


def _reason(code: int) -> str:
    return "Client Closed Request" if code == _CLIENT_CLOSED_REQUEST else HTTPStatus(code).phrase
