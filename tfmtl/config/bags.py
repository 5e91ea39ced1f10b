"""Features of several values a row."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tfmtl.config.feature_base import Dimension, FeatureBase
from tfmtl.config.ids import Buckets
from tfmtl.config.inputs import Input, Raw, Side


class BagFeature(FeatureBase):
    """Several values a row, in a list column or a text: tags, genres, interests.

    Their embeddings become one vector.

    Example:
        `{name: tags, kind: bag, separator: "|", weights: tag_scores, combiner: mean, length: 10}`
    """

    kind: Literal["bag"]
    dim: Dimension = 16
    length: Annotated[int, Field(ge=1, le=2048)] = 20
    """Values kept, the first of the list; shorter lists are padded with 0."""
    separator: Annotated[str, Field(min_length=1)] | None = None
    """What stands between the values, and between the weights, where the columns are texts."""
    weights: str | None = None
    """Column of the values' weights; a weight that is missing is 1, a negative one 0."""
    combiner: Literal["mean", "sum", "sqrtn"] = "mean"
    """The weighted mean, the weighted sum, or that sum divided by the root of the sum of the
    squared weights."""
    hash_buckets: Buckets | None = None
    """Ids to which the values are hashed; where not given, they are looked up in a vocabulary."""
    salt: str = ""
    """As of a hashed feature."""
    min_count: Annotated[int, Field(ge=1)] = 1
    """Values found fewer times in the training rows are unknown."""
    max_size: Annotated[int, Field(ge=1)] = 1_000_000
    """The most frequent values that are kept."""
    oov_buckets: Buckets = 1
    """Ids that unknown values share, by their hash."""

    @model_validator(mode="after")
    def _is_given(self) -> "BagFeature":
        if self.serve_as is not None:
            raise ValueError(
                f"feature '{self.name}': serve_as is one value, and a bag has several; leave it out"
            )
        if self.salt and self.hash_buckets is None:
            raise ValueError(
                f"feature '{self.name}': salt is of hashed values; set hash_buckets, or leave it "
                "out"
            )
        return self

    @property
    def weights_input(self) -> str | None:
        """Name of the model input that holds the weights; None where all are 1."""
        return None if self.weights is None else f"{self.name}_weights"

    def inputs(self, side: Side) -> list[Input]:
        values = Raw(side, self.raw, "texts", self.separator)
        made = [Input(self.name, self.name, (values,), "int32", self.length)]
        if self.weights is not None and self.weights_input is not None:
            weights = Raw(side, self.weights, "numbers", self.separator)
            made.append(Input(self.weights_input, self.name, (weights,), "float32", self.length))
        return made
