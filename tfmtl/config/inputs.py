"""What features read of the raw rows, and what they give the model."""

from typing import Literal, NamedTuple

RawKind = Literal["text", "number", "time", "texts", "numbers"]
"""What a raw column holds: one text, one number, one time, a list of texts, a list of numbers."""
Side = Literal["user", "item", "query", "context"]
SIDES: tuple[Side, ...] = ("user", "item", "query", "context")


class Raw(NamedTuple):
    """A raw column as a feature reads it.

    Attributes:
        side: whose column it is, which says from which tables it may come.
        column: its name.
        kind: what it holds.
        separator: what stands between the values of a list that is written as a text.
        size: values that a list of numbers must have.
        constant: what stands in for it when serving; None where a request gives it.
    """

    side: Side
    column: str
    kind: RawKind
    separator: str | None = None
    size: int | None = None
    constant: str | float | None = None


class Input(NamedTuple):
    """An input of the model that a feature makes.

    Attributes:
        name: its name.
        feature: name of the feature.
        reads: raw columns that it is made from, in the order in which its layer takes them.
        dtype: `int32` for ids, `float32` for numbers.
        length: values a row; None where there is one that is no list.
        encoded: a vector made by a frozen encoder of texts, as wide as that one is, which only
            the analysis knows.
    """

    name: str
    feature: str
    reads: tuple[Raw, ...]
    dtype: Literal["int32", "float32"] = "int32"
    length: int | None = None
    encoded: bool = False
