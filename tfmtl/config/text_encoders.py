"""How the tokens of a text become one vector."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from tfmtl.config.base import Rate, Spec
from tfmtl.config.encoders import Count, Mean, Width
from tfmtl.config.lora import Lora, Pattern


class Cnn(Spec):
    """Filters over neighbouring tokens, the largest answer of each in the text (Kim 2014).

    Example:
        `{name: title, kind: text, dim: 64, length: 50, encoder: {kind: cnn, filters: 128}}`
    """

    kind: Literal["cnn"] = "cnn"
    filters: Width = 128
    """How many; the text's vector has a number for each."""
    width: Annotated[int, Field(ge=1, le=64)] = 5
    """Tokens that a filter reads at a time."""
    dropout: Rate = 0.0
    """Share of the vector's numbers that are dropped in training."""


class Transformer(Spec):
    """Self-attention in which every token looks at all others, then the mean of the tokens."""

    kind: Literal["transformer"] = "transformer"
    blocks: Count = 2
    heads: Count = 2
    """Must divide the feature's `dim`."""
    dropout: Rate = 0.1


class EncoderLora(Lora):
    """Low-rank adapters within a pretrained encoder, taken into its weights after training."""

    targets: Annotated[list[Pattern], Field(min_length=1)] = ["query", "value"]
    """Patterns of the weights' names: `query`, `key`, `value` and `attended` of the attention,
    `inner` and `outer` of the feed-forward halves, `block_5` or `block_5/query` of one block."""


class Pretrained(Spec):
    """A pretrained encoder of the BERT family.

    Frozen it stays as it is: each text is encoded once, and the model reads the vectors. Tuned it
    is a part of the model, which features of the same checkpoint and tuning share.

    Example:
        `{name: title, kind: text, encoder: {kind: pretrained, checkpoint: all-MiniLM-L6-v2}}`
    """

    kind: Literal["pretrained"]
    checkpoint: Annotated[str, Field(min_length=1)]
    """Directory in Hugging Face layout, relative to the data directory, or a KerasHub preset."""
    tuning: Literal["frozen", "lora", "full"] = "frozen"
    """What training changes: nothing, small adapters beside the weights, or all weights."""
    pooling: Literal["mean", "cls"] = "mean"
    """The mean of the word pieces' vectors, or that of the first, [CLS]."""
    lora: EncoderLora = EncoderLora()
    """The adapters, under `tuning: lora`."""

    @model_validator(mode="after")
    def _has_adapters(self) -> "Pretrained":
        if self.tuning != "lora" and self.lora != EncoderLora():
            raise ValueError(f"lora is of `tuning: lora`, got tuning '{self.tuning}'; leave it out")
        return self


def _by_name(value: Any) -> Any:
    """`cnn` stands for `{kind: cnn}`."""
    return {"kind": value} if isinstance(value, str) else value


AnyTextEncoder = Annotated[Mean | Cnn | Transformer | Pretrained, Field(discriminator="kind")]
TextEncoder = Annotated[
    AnyTextEncoder,
    BeforeValidator(
        _by_name, json_schema_input_type=AnyTextEncoder | Literal["mean", "cnn", "transformer"]
    ),
]
