"""What the model reads: features by the side they belong to, and histories of behaviour."""

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from tfmtl.config.bags import BagFeature
from tfmtl.config.base import Spec
from tfmtl.config.encoders import SasRec
from tfmtl.config.histories import History
from tfmtl.config.ids import (
    CategoricalFeature,
    CrossedFeature,
    HashedFeature,
    IdFeature,
    Vocabular,
)
from tfmtl.config.inputs import SIDES, Input, Raw, Side
from tfmtl.config.numbers import NumericFeature, TimestampFeature, VectorFeature
from tfmtl.config.texts import TextFeature
from tfmtl.config.windows import Window

Feature = Annotated[
    IdFeature
    | CategoricalFeature
    | HashedFeature
    | CrossedFeature
    | NumericFeature
    | TimestampFeature
    | BagFeature
    | VectorFeature
    | TextFeature,
    Field(discriminator="kind"),
]


class Features(Spec):
    """All features, by the side they belong to."""

    user: list[Feature] = []
    item: Annotated[list[Feature], Field(min_length=1)]
    query: list[Feature] = []
    context: list[Feature] = []
    history: list[History] = []
    windows: list[Window] = []

    def __iter__(self) -> Iterator[Feature]:  # type: ignore[override]
        yield from (*self.user, *self.item, *self.query, *self.context)

    @property
    def by_name(self) -> dict[str, Feature]:
        """Features by name, histories left out."""
        return {feature.name: feature for feature in self}

    @property
    def sided(self) -> list[tuple[Side, Feature]]:
        """Features with the side they belong to."""
        return [(side, feature) for side in SIDES for feature in getattr(self, side)]

    @property
    def inputs(self) -> dict[str, Input]:
        """The model's inputs by name, those of histories and windows left out."""
        made: dict[str, Input] = {}
        for side, feature in self.sided:
            given = (
                feature.crossing(self._parts(side, feature))
                if isinstance(feature, CrossedFeature)
                else feature.inputs(side)
            )
            made |= {one.name: one for one in given}
        return made

    @property
    def past_inputs(self) -> dict[str, Input]:
        """Inputs that hold the context of histories, by name: the row's own input of each, of
        which they have one after the other for as many events as the history keeps."""
        made = self.inputs
        return {
            name: made[feature] for h in self.history for name, feature in h.context_inputs.items()
        }

    @property
    def int64_columns(self) -> set[str]:
        """Raw columns of ids that requests give as int64."""
        return {f.raw for f in self if isinstance(f, IdFeature) and f.dtype == "int64"}

    def inputs_of(self, feature: str) -> list[str]:
        """Names of the model inputs that a feature makes; the name itself where it is none's."""
        return [i.name for i in self.inputs.values() if i.feature == feature] or [feature]

    def of_cross(self, cross: CrossedFeature) -> list[Feature | None]:
        """The features a cross is of, in its order; None for a raw column."""
        return [self.by_name.get(name) for name in cross.of]

    def _parts(self, side: Side, cross: CrossedFeature) -> tuple[Raw, ...]:
        sides = {feature.name: side for side, feature in self.sided}
        return tuple(
            Raw(side, name, "text") if part is None else part.inputs(sides[part.name])[0].reads[0]
            for name, part in zip(cross.of, self.of_cross(cross), strict=True)
        )

    @model_validator(mode="after")
    def _crosses_are_of_single_values(self) -> Self:
        for side, cross in self.sided:
            if not isinstance(cross, CrossedFeature):
                continue
            for name, part in zip(cross.of, self.of_cross(cross), strict=True):
                if part is None or isinstance(part, Vocabular | HashedFeature):
                    continue
                if isinstance(part, NumericFeature) and part.bucketize:
                    continue
                raise ValueError(
                    f"feature '{cross.name}': of names '{name}', which is {part.kind}; choose id, "
                    "categorical, hashed or bucketized numeric features, or text columns"
                )
            parts = self._parts(side, cross)
            if side == "item" and any(part.side != "item" for part in parts):
                raise ValueError(
                    f"features.item '{cross.name}': it reads more than the item; put it into "
                    "features.context"
                )
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        seen: set[str] = {"scenario"}
        inputs = [feature.name for feature in self]
        inputs += [f.weights_input for f in self if isinstance(f, BagFeature) and f.weights_input]
        inputs += [name for h in self.history for name in (h.title, *h.input_names)]
        inputs += [window.name for window in self.windows]
        for name in inputs:
            if name in seen:
                raise ValueError(f"two features are named '{name}'; rename one of them")
            seen.add(name)
        return self

    @model_validator(mode="after")
    def _tables_are_of_texts(self) -> Self:
        others = {f.name for f in self if not isinstance(f, TextFeature)} | {"scenario"}
        known: dict[str, TextFeature] = {}
        for feature in self:
            if not isinstance(feature, TextFeature):
                continue
            table = feature.table or feature.name
            if table in others:
                raise ValueError(
                    f"feature '{feature.name}': table '{table}' is that of a feature which is no "
                    "text; choose another name"
                )
            first = known.setdefault(table, feature)
            for key in ("dim", "hash_buckets", "oov_buckets"):
                theirs, own = getattr(first, key), getattr(feature, key)
                if theirs != own:
                    raise ValueError(
                        f"feature '{feature.name}': table '{table}' has {key} {theirs} elsewhere, "
                        f"got {own}; features that share a table need one {key}"
                    )
        return self

    @model_validator(mode="after")
    def _histories_consist_of_item_ids(self) -> Self:
        dims = {f.name: embedding_dim(f) for f in self.item if _is_of_history(f)}
        for history in self.history:
            for name in history.of:
                if name not in dims:
                    raise ValueError(
                        f"history.of names '{name}', which is no id or categorical item feature; "
                        f"choose among {', '.join(dims) or 'none declared'}"
                    )
            width = sum(dims[name] or 0 for name in history.of)
            if isinstance(history.encoder, SasRec) and width % history.encoder.heads:
                raise ValueError(
                    f"history '{history.title}': {history.encoder.heads} heads do not divide the "
                    f"{width} dimensions of {', '.join(history.of)} together"
                )
        return self

    @model_validator(mode="after")
    def _histories_have_context(self) -> Self:
        single = {f.name for f in self.context if _is_single(f)}
        for history in self.history:
            for name in history.context:
                if name not in single:
                    raise ValueError(
                        f"history '{history.title}': context names '{name}', which is no id, "
                        f"number or time in features.context; choose among "
                        f"{', '.join(sorted(single)) or 'none declared'}"
                    )
        return self


def embedding_dim(feature: Feature) -> int | None:
    """Width of what a feature's embeddings become; None where it has none."""
    if isinstance(feature, TimestampFeature | VectorFeature):
        return None
    return feature.width if isinstance(feature, TextFeature) else feature.dim


def _is_single(feature: Feature) -> bool:
    """Whether a feature is made of one value of one column, as a history's context is."""
    return isinstance(feature, Vocabular | HashedFeature | NumericFeature | TimestampFeature)


def _is_of_history(feature: Feature) -> bool:
    """Whether a feature is one id made of one column, so that a history may hold it."""
    bucketized = isinstance(feature, NumericFeature) and feature.bucketize is not None
    return bucketized or isinstance(feature, Vocabular | HashedFeature)
