"""What a query's item is told apart from when the retrieval task learns."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tfmtl.config.base import Spec


class InBatch(Spec):
    """The items of the other positives in the batch (Yi et al. 2019)."""

    kind: Literal["in_batch"] = "in_batch"


class AllItems(Spec):
    """Every item of the catalogue: cross-entropy over all of them. For catalogues of some ten
    thousand items."""

    kind: Literal["all_items"] = "all_items"


class Sampled(Spec):
    """Some items of the catalogue, drawn anew for every batch (Bengio and Senecal 2008): a step
    costs the same whatever the number of items."""

    kind: Literal["sampled"] = "sampled"
    negatives: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    """Items drawn for a batch, with replacement; all its queries are compared with them."""
    power: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Items are drawn in proportion to this power of their frequency among the training rows'
    positives, one being added to each: 0 draws all alike, 1 as they were met."""


def _by_name(value: Any) -> Any:
    """`all_items` stands for `{kind: all_items}`."""
    return {"kind": value} if isinstance(value, str) else value


AnyRetrievalLoss = Annotated[InBatch | AllItems | Sampled, Field(discriminator="kind")]
RetrievalLoss = Annotated[
    AnyRetrievalLoss,
    BeforeValidator(
        _by_name,
        json_schema_input_type=AnyRetrievalLoss | Literal["in_batch", "all_items", "sampled"],
    ),
]
