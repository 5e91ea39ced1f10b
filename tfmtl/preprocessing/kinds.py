"""The layers that features of each kind are made by, one function a kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfmtl.config import (
    BagFeature,
    CategoricalFeature,
    Config,
    CrossedFeature,
    Feature,
    HashedFeature,
    IdFeature,
    NumericFeature,
    TextFeature,
    TimestampFeature,
    VectorFeature,
)
from tfmtl.layers.cyclic import CyclicTime
from tfmtl.layers.fitting import Weights, fitted
from tfmtl.layers.hashing import HashBuckets, HashedCross
from tfmtl.layers.lookup import VocabularyLookup
from tfmtl.layers.ranges import Ranges
from tfmtl.layers.standardize import Standardize
from tfmtl.layers.vectors import Vectors
from tfmtl.preprocessing.pretrained import Encoders
from tfmtl.preprocessing.tables import Moments, vocabulary_name, vocabulary_path, vocabulary_size
from tfmtl.preprocessing.tokenizing import tokenizer

Layer = Callable[..., tf.Tensor]
"""Raw tensors, one for each column that an input reads, to the input."""


@dataclass(frozen=True)
class Fitted:
    """Makes lists of one length, value by value.

    Attributes:
        values: what makes a value; tensors of any shape.
        length: values of a list.
    """

    values: Layer
    length: int

    def __call__(self, lists: tf.Tensor) -> tf.Tensor:
        """`[n, k]` to `[n, length]`."""
        return self.values(fitted(lists, self.length))


@dataclass(frozen=True)
class Analysis:
    """What the layers take from the configuration and the analysis of the training rows.

    Attributes:
        config: the configuration.
        directory: where the vocabularies are.
        moments: of numeric features, by name.
        encoders: pretrained encoders of texts.
        lookups: vocabularies that are in use, by name.
    """

    config: Config
    directory: Path
    moments: Mapping[str, Moments]
    encoders: Encoders
    lookups: dict[str, VocabularyLookup] = field(default_factory=dict)

    def lookup(self, feature: Feature, oov_buckets: int = 1) -> VocabularyLookup:
        """The vocabulary of a feature, which others may read too."""
        name = vocabulary_name(feature)
        if name not in self.lookups:
            path = vocabulary_path(self.directory, name)
            size = vocabulary_size(self.directory, name)
            self.lookups[name] = VocabularyLookup(path, size, oov_buckets)
        return self.lookups[name]


def layers(feature: Feature, analysis: Analysis) -> dict[str, Layer]:
    """What makes the model's inputs of a feature, by their names."""
    return _KINDS[feature.kind](feature, analysis)


def _looked_up(feature: IdFeature | CategoricalFeature, analysis: Analysis) -> dict[str, Layer]:
    return {feature.name: analysis.lookup(feature, feature.oov_buckets)}


def _hashed(feature: HashedFeature, _: Analysis) -> dict[str, Layer]:
    return {feature.name: HashBuckets(feature.buckets, feature.salt)}


def _crossed(feature: CrossedFeature, analysis: Analysis) -> dict[str, Layer]:
    cross = HashedCross(feature.buckets, feature.salt)
    texts = [
        _range_names(layers(part, analysis)[part.name])
        if isinstance(part, NumericFeature)
        else tf.identity
        for part in analysis.config.features.of_cross(feature)
    ]

    def crossed(*raws: tf.Tensor) -> tf.Tensor:
        return cross(*[text(raw) for text, raw in zip(texts, raws, strict=True)])

    return {feature.name: crossed}


def _range_names(ranges: Layer) -> Layer:
    """The numbers of ranges as texts, "" where missing."""

    def names(values: tf.Tensor) -> tf.Tensor:
        ids = ranges(values)
        return tf.where(ids == 0, "", tf.strings.as_string(ids))

    return names


def _numeric(feature: NumericFeature, analysis: Analysis) -> dict[str, Layer]:
    layer: Layer
    if feature.bucketize:
        bounds = feature.bucketize.boundaries
        layer = Ranges(analysis.moments[feature.name].boundaries if bounds is None else bounds)
    elif feature.scale == "none":
        layer = Standardize(0.0, 1.0)
    else:
        known = analysis.moments[feature.name]
        layer = Standardize(known.mean, known.deviation, log=feature.scale == "log")
    return {feature.name: layer}


def _timestamp(feature: TimestampFeature, _: Analysis) -> dict[str, Layer]:
    return {feature.name: CyclicTime(feature.parts, feature.utc_offset)}


def _bag(feature: BagFeature, analysis: Analysis) -> dict[str, Layer]:
    ids: Layer = (
        analysis.lookup(feature, feature.oov_buckets)
        if feature.hash_buckets is None
        else HashBuckets(feature.hash_buckets, feature.salt)
    )
    made: dict[str, Layer] = {feature.name: Fitted(ids, feature.length)}
    if feature.weights_input is not None:
        made[feature.weights_input] = Fitted(Weights(), feature.length)
    return made


def _vector(feature: VectorFeature, _: Analysis) -> dict[str, Layer]:
    return {feature.name: Vectors(feature.size)}


def _text(feature: TextFeature, analysis: Analysis) -> dict[str, Layer]:
    encoder = feature.pretrained
    if encoder is not None:
        arguments = (encoder.checkpoint, feature.length, feature.max_bytes)
        if not feature.frozen:
            return {feature.name: analysis.encoders.pieces(*arguments)}
        return {feature.name: analysis.encoders.frozen(*arguments, encoder.pooling)}
    tokens = tokenizer(feature)
    ids: Layer = (
        analysis.lookup(feature, feature.oov_buckets)
        if feature.hash_buckets is None
        else HashBuckets(feature.hash_buckets)
    )
    return {feature.name: lambda texts: ids(tokens(texts))}


_KINDS: dict[str, Callable[[Any, Analysis], dict[str, Layer]]] = {
    "id": _looked_up,
    "categorical": _looked_up,
    "hashed": _hashed,
    "crossed": _crossed,
    "numeric": _numeric,
    "timestamp": _timestamp,
    "bag": _bag,
    "vector": _vector,
    "text": _text,
}
