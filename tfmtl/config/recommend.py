"""What signature `recommend` answers, and what a request can filter by."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from tfmtl.config.base import Spec


class Recommend(Spec):
    """Items that are retrieved, filtered, ranked and put in order in one request.

    Example:
        `{k: 20, filters: [category, price], available: in_stock}`
    """

    k: Annotated[int, Field(ge=1, le=10_000)] = 10
    """How many items where a request does not say."""
    candidates: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Items that retrieval hands to ranking; as many as are wanted where that is more. A model
    without a retrieval task ranks all items, if they are no more than this."""
    exclude_seen: bool = True
    """Whether the items of a request's histories are left out, where the request does not say."""
    filters: list[str] = []
    """Columns of items by which requests may filter: texts by `allow_COLUMN` and `deny_COLUMN`,
    numbers by `min_COLUMN` and `max_COLUMN`."""
    returns: list[str] = []
    """Columns of items, single numbers, that are answered beside the predictions."""
    available: str | None = None
    """Column of items: those where it is 0, false or missing are never answered."""

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        for key in ("filters", "returns"):
            names = getattr(self, key)
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"{key} names '{twice}' twice; leave one of them out")
        return self
