"""The encoders and interactions that a configuration describes."""

import keras

from tfmtl.config import HistoryEncoder as HistoryEncoderSpec
from tfmtl.config import Interaction, NumberEncoding, TextEncoder
from tfmtl.layers.cross_network import CrossNetwork
from tfmtl.layers.dot_products import DotProducts
from tfmtl.layers.history import HistoryEncoder
from tfmtl.layers.periodic import Periodic
from tfmtl.layers.piecewise import PiecewiseLinear
from tfmtl.layers.recurrent import Recurrent
from tfmtl.layers.self_attention import SelfAttention
from tfmtl.layers.target_attention import TargetAttention
from tfmtl.layers.text_cnn import TextCnn
from tfmtl.layers.text_transformer import TextTransformer

_HISTORIES: dict[str, type[HistoryEncoder]] = {
    "din": TargetAttention,
    "gru": Recurrent,
    "lstm": Recurrent,
    "sasrec": SelfAttention,
}
_NUMBERS: dict[str, type[keras.layers.Layer]] = {
    "periodic": Periodic,
    "piecewise": PiecewiseLinear,
}
_INTERACTIONS: dict[str, type[keras.layers.Layer]] = {"dcn_v2": CrossNetwork, "dot": DotProducts}


def build_history_encoder(
    spec: HistoryEncoderSpec, dim: int, length: int, dtype: str, name: str
) -> HistoryEncoder:
    """The encoder of a history.

    Args:
        spec: any but the mean, which takes each feature's embeddings for themselves.
        dim: width of an item.
        length: longest history.
        dtype: dtype policy.
        name: name of the layer.
    """
    options = spec.model_dump(exclude={"kind"})
    if spec.kind in ("gru", "lstm"):
        options["cell"] = spec.kind
    elif spec.kind == "sasrec":
        options["length"] = length
    return _HISTORIES[spec.kind](dim, dtype=dtype, name=name, **options)


def build_text_encoder(
    spec: TextEncoder, dim: int, length: int, dtype: str, name: str
) -> keras.layers.Layer:
    """The encoder of a text that reads its tokens in order, a `cnn` or a `transformer`.

    Args:
        spec: one of these two.
        dim: width of a token.
        length: most tokens.
        dtype: dtype policy.
        name: name of the layer.
    """
    options = spec.model_dump(exclude={"kind"})
    if spec.kind == "cnn":
        return TextCnn(dtype=dtype, name=name, **options)
    return TextTransformer(dim, length, dtype=dtype, name=name, **options)


def build_number_encoding(spec: NumberEncoding, dtype: str, name: str) -> keras.layers.Layer:
    """What maps numbers `[batch]` to vectors `[batch, dim]`."""
    return _NUMBERS[spec.kind](dtype=dtype, name=name, **spec.model_dump(exclude={"kind"}))


def build_interaction(spec: Interaction | None, dtype: str) -> keras.layers.Layer | None:
    """What maps the features, joined and one by one, to what is read in their place."""
    if spec is None:
        return None
    return _INTERACTIONS[spec.kind](dtype=dtype, **spec.model_dump(exclude={"kind"}))
