"""The index of the items' vectors that retrieval searches."""

from typing import Annotated, Literal

from pydantic import Field

from tfmtl.config.base import Spec
from tfmtl.config.variants import Storage


class Index(Spec):
    """How the items nearest to a query are found.

    Example:
        `{kind: inverted_file, storage: int8, recall: 0.98, at: 100}`
    """

    kind: Literal["exact", "inverted_file"] = "exact"
    """`exact` scores every item; `inverted_file` those in the cells nearest to the query, which is
    faster from some 100,000 items on and may miss some."""
    storage: Storage = "float32"
    """How the items' vectors are kept: in full, in half the bytes, or with a scale an item in a
    quarter of them. Scores are computed in float32."""
    cells: Annotated[int, Field(ge=1, le=1_000_000)] | Literal["auto"] = "auto"
    """Cells of an inverted file; `auto` is four times the square root of the number of items."""
    recall: Annotated[float, Field(gt=0, le=1)] = 0.98
    """Share of the best `at` items that an inverted file shall find: export has it look into as
    many cells as that takes."""
    at: Annotated[int, Field(ge=1, le=10_000)] = 100
    """How many of the best items what is found is compared with."""
