"""The layer that splits the texts of a feature, in the analysis, in Transform and when serving."""

import keras

from tfmtl.config import CharacterTokens, TextFeature
from tfmtl.layers.characters import Characters
from tfmtl.layers.words import Words


def tokenizer(feature: TextFeature) -> keras.layers.Layer:
    """Makes the layer.

    Returns:
        A layer that turns strings `[batch]` into tokens `[batch, length]`, padded with "".
    """
    kind = Characters if isinstance(feature.tokens, CharacterTokens) else Words
    return kind(feature.length, feature.tokens.ngrams, feature.max_bytes)
