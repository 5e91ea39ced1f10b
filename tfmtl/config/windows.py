"""Counts and rates over past windows: how often, and at which share, something happened before."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tfmtl.config.base import Spec
from tfmtl.config.durations import Duration, seconds
from tfmtl.config.encoders import NumberEncoding
from tfmtl.config.feature_base import Name

ROWS = "rows"
"""What `of` says where every row counts, whatever its labels."""
LEAST_RATE = 1e-6
"""Smallest rate that is told apart from 0, and its distance from 1."""


class Window(Spec):
    """A number of the rows before: those with the same keys, strictly earlier, in a window of time.

    A label counts once it is known, which may be later than its row's time. The number is an input
    of the model, and of a request under the same name; where a request does not know it, NaN stands
    for the mean.

    Example:
        `{name: item_ctr_30d, kind: rate, of: click, by: [item], window: 30d, smoothing: 20}`
    """

    name: Name
    """Name of the model's input."""
    kind: Literal["count", "rate"]
    """`count`: how many. `rate`: (positives + smoothing * prior) / (rows + smoothing), where the
    prior is the label's mean over the training rows."""
    of: Name
    """Label column that must be positive, e.g. `click`; `rows` counts rows whatever their labels.
    """
    by: Annotated[list[Name], Field(min_length=1, max_length=4)]
    """What must be the same: `user`, `item`, `scenario`, or id, categorical and hashed features."""
    window: Duration
    """How far the window reaches back, e.g. `7d`."""
    smoothing: Annotated[float, Field(gt=0, le=1e9)] | None = None
    """Rows at the prior rate that every rate begins with; 20 where not given."""
    encoding: NumberEncoding | None = None
    """How the scaled number becomes a vector; as it is where not given."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.kind == "rate" and self.of == ROWS:
            raise ValueError(f"'{self.name}': a rate is of a label; choose kind: count for rows")
        if self.kind == "count" and self.smoothing is not None:
            raise ValueError(f"'{self.name}': smoothing is for rates; leave it out of a count")
        if len(set(self.by)) < len(self.by):
            raise ValueError(f"'{self.name}': by names something twice, got {', '.join(self.by)}")
        if not self.seconds:
            raise ValueError(f"'{self.name}': window must not be empty, got {self.window!r}")
        return self

    @property
    def seconds(self) -> int:
        """Length of the window."""
        return seconds(self.window)

    @property
    def rows_of_prior(self) -> float:
        """Rows at the prior rate that a rate begins with."""
        return 20.0 if self.smoothing is None else self.smoothing
