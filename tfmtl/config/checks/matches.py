"""Pairs of features whose vectors are compared."""

from typing import TYPE_CHECKING

from tfmtl.config.features import embedding_dim
from tfmtl.config.numbers import VectorFeature
from tfmtl.config.texts import TextFeature

if TYPE_CHECKING:
    from tfmtl.config.config import Config


def check_matches(config: "Config") -> None:
    """`model.match` names pairs of texts or vectors of one width."""
    features = config.features.by_name
    if config.model.match_alone and not config.model.match:
        raise ValueError("model.match_alone: there is no match; name pairs in model.match")
    for pair in config.model.match:
        widths = []
        for name in pair:
            feature = features.get(name)
            if not isinstance(feature, TextFeature | VectorFeature):
                known = [f.name for f in config.features if isinstance(f, TextFeature)]
                raise ValueError(
                    f"model.match: '{name}' is no feature of text or vectors; choose among "
                    f"{', '.join(known) or 'none declared'}"
                )
            width = feature.dim if isinstance(feature, VectorFeature) else embedding_dim(feature)
            widths.append(width or getattr(feature, "size", None))
        if widths[0] != widths[1]:
            raise ValueError(
                f"model.match: '{pair[0]}' and '{pair[1]}' should have one dim, got {widths[0]} "
                f"and {widths[1]}"
            )
