"""Features that are ids: looked up, hashed, crossed."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tfmtl.config.base import Rate
from tfmtl.config.feature_base import Dimension, FeatureBase
from tfmtl.config.inputs import Input, Raw, Side

Buckets = Annotated[int, Field(ge=1, le=2**30)]


class Vocabular(FeatureBase):
    """A string looked up in a vocabulary: 0 missing, then unknown, then the known values."""

    dim: Dimension = 16
    min_count: Annotated[int, Field(ge=1)] = 1
    """Values seen in fewer training rows are unknown."""
    max_size: Annotated[int, Field(ge=1)] = 10_000_000
    """The most frequent values that are kept."""
    buckets: Annotated[int, Field(ge=1)] | None = None
    """Rows of the embedding table that known values share, by the remainder of their rank in
    frequency; where not given, every value has a row of its own."""
    oov_buckets: Buckets = 1
    """Ids that unknown values share, by their hash: with 1, all of them are alike."""


class IdFeature(Vocabular):
    """An identifier of high cardinality: a user, an item."""

    kind: Literal["id"]
    dtype: Literal["string", "int64"] = "string"
    """What requests give for it, and answers where it is the item's key: texts, or whole numbers of
    which negative ones are missing. The log may have either."""
    dropout: Rate = 0.0
    """Share of the training rows in which the id is taken for an unknown one, so that what has no
    history yet is ranked by its text and attributes. Histories keep their ids."""


class CategoricalFeature(Vocabular):
    """A value of low cardinality: a device, a category, a price band."""

    kind: Literal["categorical"]
    dim: Dimension = 8


class HashedFeature(FeatureBase):
    """A string hashed to an id, without a vocabulary: 0 missing, then the buckets."""

    kind: Literal["hashed"]
    buckets: Buckets
    """Ids that all values share; values that fall together cannot be told apart."""
    dim: Dimension = 16
    salt: str = ""
    """Two features of one column with different salts confuse different values."""


class CrossedFeature(FeatureBase):
    """The values of several columns together, hashed to an id: `shoes` on a `phone`.

    Missing where one of them is missing.

    Example:
        `{name: band_on_device, kind: crossed, of: [price, device], buckets: 10000}`
    """

    kind: Literal["crossed"]
    of: Annotated[list[str], Field(min_length=2, max_length=8)]
    """Names of id, categorical, hashed or bucketed numeric features, or of raw text columns of
    the side that this feature belongs to."""
    buckets: Buckets
    """Ids that all combinations share."""
    dim: Dimension = 16
    salt: str = ""
    """Two crosses of the same features with different salts confuse different combinations."""

    @model_validator(mode="after")
    def _has_no_column_of_its_own(self) -> "CrossedFeature":
        for key in ("column", "serve_as"):
            if getattr(self, key) is not None:
                raise ValueError(
                    f"feature '{self.name}': {key} is of one column and a cross is of several; "
                    f"give it to the features named in of"
                )
        if len(set(self.of)) < len(self.of):
            raise ValueError(f"feature '{self.name}': of names something twice, got {self.of}")
        return self

    def crossing(self, parts: tuple[Raw, ...]) -> list[Input]:
        """Its input, given the raw columns of its parts."""
        return [Input(self.name, self.name, parts)]

    def inputs(self, side: Side) -> list[Input]:
        """Not to be asked of a cross alone; `Features.inputs` knows its parts."""
        raise TypeError(f"feature '{self.name}': only `Features` knows the parts of a cross")
