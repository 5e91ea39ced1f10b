"""Python values of mixed types as Arrow columns: what no fast parser takes, read row by row."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipelines.preprocess.list_values import text_lists
from pipelines.preprocess.rejects import NOT_A_VALUE, NOT_UTF8
from pipelines.preprocess.values import is_list, texts_of

_INT64 = range(-(2**63), 2**63)
_PLAIN = {str, bytes, int, float, bool, type(None)}


def type_of(values: Sequence[Any]) -> pa.DataType:
    """The Arrow type of some values: null where there are none, text where they are mixed."""
    kinds = set(map(type, values)) - {type(None)}
    if list in kinds:
        return pa.list_(type_of([v for value in values for v in _listed(value)]))
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int} and all(value in _INT64 for value in values if value is not None):
        return pa.int64()
    if kinds and kinds <= {int, float}:
        return pa.float64()
    return pa.string() if kinds else pa.null()


def most_common_type(values: Sequence[Any]) -> pa.DataType:
    """The type of the most frequent among lists, truth values, numbers and texts."""
    forms: dict[str, list[Any]] = {}
    for value in values:
        if value is not None and not isinstance(value, dict):
            name = "number" if type(value) in (int, float) else type(value).__name__
            forms.setdefault(name, []).append(value)
    most = max(sorted(forms), key=lambda name: len(forms[name]), default=None)
    return type_of(forms[most]) if most else pa.null()


def unified(values: Sequence[Any]) -> tuple[pa.Array, dict[int, str]]:
    """Values as one column.

    Args:
        values: None, texts, bytes, numbers, truth values and lists of them, as JSON has them.

    Returns:
        The column, of texts where the types are mixed, of lists where any value is one; and the
        rows whose value is none, with the reason; they are null.
    """
    faults: dict[int, str] = {}
    kinds = set(map(type, values))
    if not kinds <= _PLAIN or (str in kinds and not _encodable(values)):
        found = ((row, _fault(value)) for row, value in enumerate(values))
        faults = {row: reason for row, reason in found if reason}
        values = [None if row in faults else value for row, value in enumerate(values)]
    if list not in kinds:
        return _scalars(values), faults
    offsets, flat = [0], []
    for value in values:
        flat += _listed(value)
        offsets.append(len(flat))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), _scalars(flat)), faults


def joined(arrays: Sequence[pa.Array]) -> pa.Array:
    """Columns of parts one after the other, as texts where their types are not the same."""
    if len({array.type for array in arrays}) > 1:
        if any(is_list(array.type) for array in arrays):
            arrays = [text_lists(array, None)[0] for array in arrays]
        else:
            arrays = [texts_of(array)[0] for array in arrays]
    return pa.concat_arrays(arrays)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    missing = value is None or (isinstance(value, str) and not value.strip())
    return [] if missing else [value]


def _encodable(values: Sequence[Any]) -> bool:
    """Whether no text has half of a character, as \\ud83d alone."""
    try:
        "".join(value for value in values if isinstance(value, str)).encode()
    except UnicodeEncodeError:
        return False
    return True


def _fault(value: Any, inside: bool = False) -> str | None:
    if isinstance(value, dict) or (isinstance(value, list) and inside):
        return NOT_A_VALUE
    if isinstance(value, list):
        return next(filter(None, (_fault(v, inside=True) for v in value)), None)
    if isinstance(value, str) and not _encodable([value]):
        return NOT_UTF8
    return None


def _scalars(values: Sequence[Any]) -> pa.Array:
    kind = type_of(values)
    if pa.types.is_null(kind):
        return pa.nulls(len(values), pa.string())
    if not pa.types.is_string(kind):
        return pa.array(values, kind)
    kinds = set(map(type, values))
    if float in kinds:
        values = _floats_as_texts(values)
    if not kinds <= {str, bytes, type(None)}:
        values = [_text(value) for value in values]
    return pa.array(values, pa.binary() if bytes in kinds else pa.string())


def _floats_as_texts(values: Sequence[Any]) -> list[Any]:
    floats = [value for value in values if isinstance(value, float)]
    texts = iter(texts_of(pa.array(floats))[0].to_pylist())
    return [next(texts) if isinstance(value, float) else value for value in values]


def _text(value: Any) -> Any:
    return str(int(value)) if isinstance(value, int) else value
