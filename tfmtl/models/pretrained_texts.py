"""Texts that pretrained encoders read within a model, which learn with it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfmtl.config import Config, Pretrained, TextFeature
from tfmtl.layers import lora
from tfmtl.layers.pretrained.encoder import PretrainedEncoder
from tfmtl.layers.pretrained.shape import Shape

Tensors = Mapping[str, tf.Tensor]


class TunedText(NamedTuple):
    """A text that an encoder of the model reads.

    Attributes:
        encoder: how it is encoded.
        shape: of the encoder's network.
    """

    encoder: Pretrained
    shape: Shape

    @property
    def key(self) -> tuple[str, str]:
        """What texts of one encoder have in common."""
        return self.encoder.checkpoint, self.encoder.tuning


def tuned_texts(config: Config, encoders: Mapping[str, Mapping[str, Any]]) -> dict[str, TunedText]:
    """Features of text whose encoders are tuned, by name.

    Args:
        config: the configuration.
        encoders: what is known of encoders by checkpoint, their `shape` at least.

    Raises:
        ValueError: an encoder that is not known.
    """
    found = {}
    for feature in config.features:
        encoder = feature.pretrained if isinstance(feature, TextFeature) else None
        if encoder is None or encoder.tuning == "frozen":
            continue
        known = encoders.get(encoder.checkpoint)
        if known is None:
            raise ValueError(
                f"`encoders` should have the checkpoint '{encoder.checkpoint}' of feature "
                f"'{feature.name}'. Received: {list(encoders)}"
            )
        found[feature.name] = TunedText(encoder, Shape(**known["shape"]))
    return found


class PretrainedTexts(keras.layers.Layer):
    """The pretrained encoders of a model, one for each checkpoint and tuning.

    Texts that a batch has several times, in several rows or features, are encoded once.

    Args:
        texts: those that they read, by input.
        dtype: dtype policy of the encoders.

    Attributes:
        texts: as above.
        encoders: by checkpoint and tuning.

    Call arguments:
        inputs: `{input: ids}` of word pieces, int32 `[batch, length]`.

    Returns:
        `{input: vectors}`, float32 `[batch, width]`.
    """

    def __init__(
        self, texts: Mapping[str, TunedText], dtype: str = "float32", name: str = "texts"
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self.texts = dict(texts)
        self.encoders: dict[tuple[str, str], PretrainedEncoder] = {}
        for text in self.texts.values():
            if text.key not in self.encoders:
                number = len(self.encoders)
                with keras.name_scope(name):
                    self.encoders[text.key] = PretrainedEncoder(
                        text.shape, dtype=dtype, name=f"pretrained_{number}"
                    )
        self.built = True
        self.hold()

    @property
    def adaptable(self) -> bool:
        """Whether an encoder learns by adapters."""
        return any(tuning == "lora" for _, tuning in self.encoders)

    def hold(self) -> None:
        """Keeps the weights of encoders that learn by adapters as they are."""
        for (_, tuning), encoder in self.encoders.items():
            if tuning == "lora":
                for variable in encoder.variables:
                    variable.trainable = "lora_kernel" in variable.name

    def adapt(self) -> list[str]:
        """Gives encoders the adapters that they learn by.

        Returns:
            Names of the weights that have some now.

        Raises:
            ConfigError: a target that there is not.
            ValueError: a rank above a weight's.
        """
        names = []
        for key, encoder in self.encoders.items():
            text = next(text for text in self.texts.values() if text.key == key)
            if text.encoder.tuning == "lora" and not lora.has_adapters(encoder):
                spec = text.encoder.lora
                names += lora.adapt(
                    encoder, spec.rank, spec.alpha, spec.targets, "features.encoder.lora.targets"
                )
        self.hold()
        return names

    def call(self, inputs: Tensors) -> dict[str, tf.Tensor]:
        vectors: dict[str, tf.Tensor] = {}
        for key, encoder in self.encoders.items():
            ids = {name: inputs[name] for name in inputs if self.texts[name].key == key}
            poolings = {self.texts[name].encoder.pooling for name in ids}
            for pooling in sorted(poolings):
                own = {n: i for n, i in ids.items() if self.texts[n].encoder.pooling == pooling}
                vectors |= _encoded(encoder, own, pooling)
        return vectors


def _encoded(encoder: PretrainedEncoder, ids: Tensors, pooling: Any) -> dict[str, tf.Tensor]:
    longest = max(int(given.shape[1]) for given in ids.values())
    padded = [tf.pad(given, [[0, 0], [0, longest - given.shape[1]]]) for given in ids.values()]
    texts, places = tf.raw_ops.UniqueV2(x=tf.concat(padded, axis=0), axis=[0])
    # Padding that all share costs as much as word pieces.
    present = tf.reduce_max(tf.math.count_nonzero(texts, axis=1, dtype=tf.int32))
    found = encoder(texts[:, : tf.maximum(present, 1)], pooling=pooling)
    rows = [tf.shape(given)[0] for given in ids.values()]
    return {
        name: tf.gather(found, own) for name, own in zip(ids, tf.split(places, rows), strict=True)
    }
