"""Smaller models that are served beside the full one."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tfmtl.config.base import Spec

Storage = Literal["float32", "bfloat16", "int8"]
"""How numbers are stored: in four bytes, two or one."""


class Prune(Spec):
    """Values that lose their row of an embedding table: to the model they are unknown ones.

    Example:
        `{fewer_than: 5}`, or `{keep: 0.5, by: norm}`
    """

    fewer_than: Annotated[int, Field(ge=2)] | None = None
    """Values that were looked up fewer times in the training rows, those in histories included."""
    keep: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of each vocabulary's values that stays, those that stand out most."""
    by: Literal["count", "norm", "importance"] = "count"
    """By what: how often values were looked up, the length of their rows, or both multiplied."""
    tables: list[str] | None = None
    """Names of vocabularies; all with a row a value where not given."""

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.fewer_than is None) == (self.keep is None):
            raise ValueError("give fewer_than, a count, or keep, a share of the values")
        if self.fewer_than is not None and self.by != "count":
            raise ValueError("fewer_than is a count; leave out by, or give keep")
        return self


class Variant(Spec):
    """The model in fewer bytes, pushed as `NAME-VARIANT`."""

    storage: Storage | None = None
    """How the weights are stored: as the variant's name says where that is one of them, otherwise
    in full."""
    prune: Prune | None = None
    """Which values lose their rows; none where not given."""
    tolerance: Annotated[float, Field(ge=0)] = 0.002
    """How much worse any task's main metric may be on the test split than the full model's: AUC,
    recall at the largest `evaluation.top_k`, accuracy and micro F1 in absolute terms, RMSE in
    shares of the full model's. A variant that is worse is not pushed."""

    def stored_as(self, name: str) -> Storage:
        """How a variant of this name stores its weights."""
        if self.storage is not None:
            return self.storage
        return "int8" if name == "int8" else "bfloat16" if name == "bfloat16" else "float32"
