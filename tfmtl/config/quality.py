"""How good an item is by its ratings, as a score of the item."""

from typing import Annotated

from pydantic import Field

from tfmtl.config.base import Spec

QUALITY = ("quality", "quality_low", "quality_high")
"""Columns of items that are made: the mean, and the ends of its interval."""


class Quality(Spec):
    """The mean label of each item over the training rows, drawn towards that of all items the more
    the fewer rows there are, with its credible interval.

    It is served as the columns of items `quality`, `quality_low` and `quality_high`, which formulas
    and filters may read and answers may show. An item without a row has the mean of all items, and
    the widest interval; one that comes into the catalogue later, by `tfmtl reindex`, has none.

    Example:
        `{of: rating, interval: 0.9}`
    """

    of: str
    """Name of a task of kind regression or binary, whose label it is the mean of."""
    interval: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Probability that the interval holds an item's true mean."""
