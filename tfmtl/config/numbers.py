"""Features that are numbers: scaled, put into buckets, turned into cyclic parts, whole vectors."""

import itertools
import math
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tfmtl.config.base import Spec
from tfmtl.config.encoders import NumberEncoding
from tfmtl.config.feature_base import Dimension, FeatureBase
from tfmtl.config.inputs import Input, Raw, Side


def _served_number(value: str | int | float | None) -> str | int | float | None:
    try:
        known = value is None or math.isfinite(float(value))
    except (ValueError, OverflowError):
        known = False
    if not known:
        raise ValueError(f"a numeric feature is served as a number, got {value!r}")
    return value


class Bucketize(Spec):
    """Ranges of a number, each with an embedding. Exactly one of `buckets` and `boundaries`.

    Example:
        `{boundaries: [10, 50, 200], dim: 4}`
    """

    buckets: Annotated[int, Field(ge=2, le=1000)] | None = None
    """Ranges that hold equally many of the training rows; fewer where numbers are often alike."""
    boundaries: Annotated[list[float], Field(min_length=1, max_length=999)] | None = None
    """First numbers of all ranges but the first, ascending."""
    dim: Dimension = 8

    @model_validator(mode="after")
    def _one_way(self) -> "Bucketize":
        if (self.buckets is None) == (self.boundaries is None):
            raise ValueError("give exactly one of 'buckets' and 'boundaries'")
        bounds = self.boundaries or []
        right = all(math.isfinite(b) and abs(b) < 3e38 for b in bounds)
        if not right or any(a >= b for a, b in itertools.pairwise(bounds)):
            raise ValueError(f"boundaries must be finite and ascending, got {bounds}")
        return self

    @property
    def ids(self) -> int:
        """Ids of the ranges, at most."""
        return self.buckets or len(self.boundaries or []) + 1


class NumericFeature(FeatureBase):
    """A number, standardised with the training rows' mean and deviation; missing is the mean."""

    kind: Literal["numeric"]
    scale: Literal["standard", "log", "none"] = "standard"
    """`log` standardises log(1 + x) and takes negative numbers for missing."""
    encoding: NumberEncoding | None = None
    """How the scaled number becomes a vector; as it is where not given."""
    bucketize: Bucketize | None = None
    """Makes an id of the number, by the range it is in: 0 missing, then the ranges. Then nothing
    is scaled."""

    _serves_a_number = field_validator("serve_as")(_served_number)

    @model_validator(mode="after")
    def _is_number_or_id(self) -> "NumericFeature":
        if self.bucketize and (self.encoding or self.scale == "log"):
            key = "encoding" if self.encoding else "scale: log"
            raise ValueError(
                f"feature '{self.name}': bucketize makes an id, which has no {key}; leave one of "
                "them out"
            )
        return self

    @property
    def dim(self) -> int | None:
        """Width of its embedding; None where it is a number."""
        return self.bucketize.dim if self.bucketize else None

    def inputs(self, side: Side) -> list[Input]:
        constant = None if self.serve_as is None else float(self.serve_as)
        number = Raw(side, self.raw, "number", constant=constant)
        return [
            Input(self.name, self.name, (number,), "int32" if self.bucketize else "float32", None)
        ]


Part = Literal["hour", "weekday", "month_day", "year_day"]


class TimestampFeature(FeatureBase):
    """A unix time, as places on circles: sine and cosine of the hour, the weekday and so on.

    Missing is the middle of every circle. It tells midnight from noon and a Monday from a Sunday,
    not one year from another.

    Example:
        `{name: when, column: timestamp, kind: timestamp, parts: [hour, weekday], utc_offset: 8}`
    """

    kind: Literal["timestamp"]
    parts: Annotated[list[Part], Field(min_length=1)] = ["hour", "weekday"]
    """`hour` is the minute of the day, `weekday` the day of the week, `month_day` that of the
    month, `year_day` that of the year."""
    utc_offset: Annotated[float, Field(ge=-14, le=14, multiple_of=0.25)] = 0.0
    """Hours by which local time is ahead of UTC, all year round."""

    _serves_a_number = field_validator("serve_as")(_served_number)

    @field_validator("parts")
    @classmethod
    def _named_once(cls, value: list[Part]) -> list[Part]:
        if len(set(value)) < len(value):
            raise ValueError(f"name each part once, got {value}")
        return value

    def inputs(self, side: Side) -> list[Input]:
        constant = None if self.serve_as is None else float(self.serve_as)
        time = Raw(side, self.raw, "time", constant=constant)
        return [Input(self.name, self.name, (time,), "float32", 2 * len(self.parts))]


class VectorFeature(FeatureBase):
    """A vector made elsewhere, of an image or a text, in a list column; missing is all zeros.

    Example:
        `{name: image, column: image_vector, kind: vector, size: 512, dim: 32}`
    """

    kind: Literal["vector"]
    size: Annotated[int, Field(ge=1, le=16_384)]
    """Numbers of the vector; rows with another number of them are bad."""
    dim: Dimension | None = None
    """Width it is projected to by a dense layer; as it is where not given."""
    separator: Annotated[str, Field(min_length=1)] | None = None
    """What stands between the numbers where the column is text."""

    @model_validator(mode="after")
    def _is_given(self) -> "VectorFeature":
        if self.serve_as is not None:
            raise ValueError(
                f"feature '{self.name}': serve_as is one value, and a vector has {self.size}; "
                "leave it out"
            )
        return self

    def inputs(self, side: Side) -> list[Input]:
        numbers = Raw(side, self.raw, "numbers", self.separator, self.size)
        return [Input(self.name, self.name, (numbers,), "float32", self.size)]
