"""JSON as TF Serving reads and writes it: with NaN and Infinity, numbers as short as they can be.

TF Serving uses RapidJSON. Its names for what is wrong with a document, its indentation and its
treatment of bytes that are not UTF-8 (they pass through in strings) are kept here.
"""

import json
import math
import re
import struct
from typing import Any

from serving.server.status import StatusError, invalid_argument

_SHOWN = 1200
_INT64, _UINT64 = 2**63, 2**64
_FLOAT_MAX = 3.4028234e38
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# Python's names of what is wrong with a document, by how they begin, and RapidJSON's.
_PROBLEMS = {
    "Expecting property name": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Unterminated string": "Missing a closing quotation mark in string.",
    "Invalid control character": "Invalid encoding in string.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX": "Incorrect hex digit after \\u escape in string.",
    "Extra data": "The document root must not be followed by other values.",
    "Illegal trailing comma before end of object": "Missing a name for object member.",
}
_COMMA = "Expecting ',' delimiter"
_COMMAS = {
    "{": "Missing a comma or } after an object member.",
    "[": "Missing a comma or ] after an array element.",
}
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)

_ESCAPES = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"'}
_ESCAPED = re.compile(r'["\\\x00-\x1f]')


def parse(body: bytes) -> dict[str, Any]:
    """The object a body holds.

    Args:
        body: JSON in UTF-8. Bytes that are no UTF-8 become what `surrogateescape` makes of them.

    Raises:
        StatusError: INVALID_ARGUMENT with RapidJSON's name of the problem and its place, bytes.
    """
    if not body:
        raise _problem("The document is empty")
    text = body.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", "surrogateescape")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode("utf-8", "surrogateescape"))
        raise _problem(f"{_named(error, text)} at offset: {offset}") from None
    except RecursionError:
        raise _problem("The document is nested too deeply.") from None
    except ValueError:
        raise _problem("Number too big to be stored in double.") from None
    if not isinstance(document, dict):
        raise malformed(document, "Is not object")
    return document


def type_name(value: Any) -> str:
    """RapidJSON's name of a value's type."""
    if value is None or isinstance(value, bool):
        return {None: "Null", False: "False", True: "True"}[value]
    if isinstance(value, (int, float)):
        return "Number"
    return "Object" if isinstance(value, dict) else "Array" if isinstance(value, list) else "String"


def is_integer(value: Any, least: int, most: int) -> bool:
    """Whether a value was written as a whole number within bounds, both included."""
    return type(value) is int and least <= value <= most


def is_double(value: Any) -> bool:
    """Whether a value is a number that RapidJSON holds as a double."""
    return isinstance(value, float) or (type(value) is int and not -_INT64 <= value < _UINT64)


def shown(value: Any) -> str:
    """A value as it appears in an error; only the beginning of a long one."""
    if isinstance(value, float):
        return decimal(value, single=abs(value) <= _FLOAT_MAX)
    parts: list[str] = []
    encoder = json.JSONEncoder(indent=4, ensure_ascii=False)
    lengths = 0
    for part in encoder.iterencode(value):
        parts.append(part)
        lengths += len(part)
        if lengths > _SHOWN:
            break
    return "".join(parts).encode("utf-8", "replace").decode()


def decimal(value: float, single: bool) -> str:
    """A number of six digits, or as many as it takes to read the same one back.

    Args:
        value: The number.
        single: Whether it is a float32.

    Example:
        >>> decimal(3.0, single=True), decimal(0.669074059, single=True)
        ('3.0', '0.669074059')
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if single:
        value = _as_single(value)
    text = f"{value:.6g}"
    if (_as_single(float(text)) if single else float(text)) != value:
        text = f"{value:.{9 if single else 17}g}"
    return text if "." in text or "e" in text else f"{text}.0"


def quoted(text: str) -> str:
    """A JSON string; what stands for bytes that are no UTF-8 stays."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def malformed(document: Any, problem: str) -> StatusError:
    """What is said of a document that is JSON, but not what was expected."""
    return invalid_argument(f"JSON Value: {shown(document)} {problem}")


class Writer:
    """Writes values one after the other, indented by four spaces as RapidJSON's PrettyWriter does.

    Attributes:
        one_line: Whether the values of an array stay on its line.
    """

    def __init__(self) -> None:
        self.one_line = False
        self._parts: list[str] = []
        # Of each open object or array: whether it is an array, and how many values it has.
        self._open: list[list[int]] = []

    def raw(self, text: str) -> None:
        """A value, or a key, as text."""
        self._prefix()
        self._parts.append(text)

    def start(self, bracket: str) -> None:
        """Opens `{` or `[`."""
        self.raw(bracket)
        self._open.append([bracket == "[", 0])

    def end(self, bracket: str) -> None:
        """Closes `}` or `]`."""
        is_array, count = self._open.pop()
        if count and not (is_array and self.one_line):
            self._line()
        self._parts.append(bracket)

    def body(self) -> bytes:
        """What was written."""
        return "".join(self._parts).encode("utf-8", "surrogateescape")

    def _prefix(self) -> None:
        if not self._open:
            return
        is_array, count = self._open[-1]
        self._open[-1][1] += 1
        if not is_array and count % 2:
            self._parts.append(": ")
            return
        if count:
            self._parts.append(", " if is_array and self.one_line else ",")
        if not (is_array and self.one_line):
            self._line()

    def _line(self) -> None:
        self._parts.append("\n" + "    " * len(self._open))


def error_body(message: str) -> bytes:
    """The answer to a request that failed."""
    writer = Writer()
    writer.start("{")
    writer.raw('"error"')
    writer.raw(quoted(message))
    writer.end("}")
    return writer.body()


def _problem(name: str) -> Exception:
    return invalid_argument(f"JSON Parse error: {name}")


def _named(error: json.JSONDecodeError, text: str) -> str:
    if not text.strip():
        return "The document is empty."
    if error.msg == _COMMA:
        return _COMMAS[_innermost(text[: error.pos])]
    for beginning, name in _PROBLEMS.items():
        if error.msg.startswith(beginning):
            return name
    return "Invalid value."


def _innermost(text: str) -> str:
    """The bracket that is open at the end of a document's beginning."""
    stack: list[str] = []
    for token in _TOKENS.findall(text):
        if token in "[{":
            stack.append(token)
        elif token in "]}":
            stack.pop()
    return stack[-1]


def _as_single(value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character == "\\":
        return "\\\\"
    return _ESCAPES.get(character) or f"\\u{ord(character):04X}"
