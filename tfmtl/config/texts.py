"""Features of free text."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tfmtl.config.base import Spec
from tfmtl.config.encoders import Mean
from tfmtl.config.feature_base import Dimension, FeatureBase, Name
from tfmtl.config.ids import Buckets
from tfmtl.config.inputs import Input, Side
from tfmtl.config.text_encoders import Cnn, Pretrained, TextEncoder, Transformer

_OF_TOKENS = ("tokens", "min_count", "max_size", "hash_buckets", "oov_buckets", "table")
_MARKED = 3


def _in_order(sizes: tuple[int, int]) -> tuple[int, int]:
    if sizes[0] > sizes[1]:
        raise ValueError(
            f"the fewest come first, then the most, as in [1, 2]; got {list(sizes)}, which is "
            "the other way round"
        )
    return sizes


_Size = Annotated[int, Field(ge=1, le=8)]
Sizes = Annotated[tuple[_Size, _Size], AfterValidator(_in_order)]
"""The fewest and the most members of a sequence."""


class WordTokens(Spec):
    """Words: runs of letters and digits. Each letter of a script without spaces, as Han, Kana or
    Thai, is a word of its own; with `ngrams: [1, 2]` pairs of them are tokens, too."""

    kind: Literal["words"] = "words"
    ngrams: Sizes = (1, 1)
    """The fewest and the most words of a token."""


class CharacterTokens(Spec):
    """Sequences of characters within words, the words' ends marked (Bojanowski et al. 2017).

    They stand up to typing errors and endings.
    """

    kind: Literal["characters"] = "characters"
    ngrams: Sizes = (2, 4)
    """The fewest and the most characters of a token, the marks `<` and `>` included."""


def _by_name(value: Any) -> Any:
    """`characters` stands for `{kind: characters}`."""
    return {"kind": value} if isinstance(value, str) else value


AnyTokens = Annotated[WordTokens | CharacterTokens, Field(discriminator="kind")]
Tokens = Annotated[
    AnyTokens,
    BeforeValidator(_by_name, json_schema_input_type=AnyTokens | Literal["words", "characters"]),
]


class TextFeature(FeatureBase):
    """Free text, lower-cased and split into tokens; the tokens are looked up like ids.

    Example:
        `{name: title, kind: text, tokens: {kind: words, ngrams: [1, 2]}, length: 32}`
    """

    kind: Literal["text"]
    tokens: Tokens = WordTokens()
    """What a text is split into. A name stands for the kind with its defaults."""
    dim: Dimension = 16
    length: Annotated[int, Field(ge=1, le=2048)] = 12
    """Words kept, or sequences of words or characters; shorter texts are padded with 0."""
    max_bytes: Annotated[int, Field(ge=1, le=1 << 20)] = 16_384
    """Of a longer text only so many bytes of UTF-8, from its start, are read."""
    hash_buckets: Buckets | None = None
    """Ids to which the tokens are hashed; where not given, they are looked up in a vocabulary."""
    min_count: Annotated[int, Field(ge=1)] = 2
    """Tokens found fewer times in the training rows are unknown."""
    max_size: Annotated[int, Field(ge=1)] = 50_000
    """The most frequent tokens that are kept."""
    oov_buckets: Buckets = 1
    """Ids that unknown tokens share, by their hash."""
    table: Name | None = None
    """Text features that name the same table share vocabulary and embeddings."""
    encoder: TextEncoder = Mean()
    """How tokens become one vector: their mean, whatever their order; `cnn` and `transformer`,
    which read them in order. `pretrained` has word pieces of its own, of which `length` are kept,
    marks included, and its vectors are projected to `dim`. A name stands for the encoder with its
    defaults."""

    @property
    def width(self) -> int:
        """Width of a text's vector."""
        return self.encoder.filters if isinstance(self.encoder, Cnn) else self.dim

    @property
    def pretrained(self) -> Pretrained | None:
        """The encoder where it is pretrained."""
        return self.encoder if isinstance(self.encoder, Pretrained) else None

    @property
    def frozen(self) -> bool:
        """Whether the model reads vectors of a pretrained encoder that stays as it is."""
        return self.pretrained is not None and self.pretrained.tuning == "frozen"

    @model_validator(mode="after")
    def _has_one_kind_of_tokens(self) -> "TextFeature":
        if self.pretrained is None:
            return self
        for key in _OF_TOKENS:
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(
                    f"feature '{self.name}': {key} is of texts that the model splits itself; leave "
                    "it out, a pretrained encoder has word pieces of its own"
                )
        if self.length < _MARKED:
            raise ValueError(
                f"feature '{self.name}': length should be at least {_MARKED}, for a word piece "
                f"between two marks, got {self.length}"
            )
        return self

    @model_validator(mode="after")
    def _heads_divide(self) -> "TextFeature":
        if isinstance(self.encoder, Transformer) and self.dim % self.encoder.heads:
            raise ValueError(
                f"feature '{self.name}': heads should divide dim, got {self.encoder.heads} heads "
                f"and dim {self.dim}; choose another of the two"
            )
        return self

    def inputs(self, side: Side) -> list[Input]:
        if self.frozen:
            return [Input(self.name, self.name, (self._text(side),), "float32", encoded=True)]
        return [Input(self.name, self.name, (self._text(side),), "int32", self.length)]
