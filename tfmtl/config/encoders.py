"""How lists of embeddings and numbers become vectors."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tfmtl.config.base import Rate, Spec, Units

Count = Annotated[int, Field(ge=1)]
Width = Annotated[int, Field(ge=1, le=4096)]


class Mean(Spec):
    """The mean of the items' embeddings, whatever their order."""

    kind: Literal["mean"] = "mean"


class Din(Spec):
    """A sum of the items, weighted by what each has to do with the candidate (Zhou et al. 2018).

    The query tower of a retrieval task knows no candidate and reads the mean.
    """

    kind: Literal["din"] = "din"
    units: Annotated[Units, Field(min_length=1)] = [36]
    """Hidden widths of the activation unit."""


class Gru(Spec):
    """The last state of a gated recurrent unit (Cho et al. 2014)."""

    kind: Literal["gru"] = "gru"
    units: Width | None = None
    """Width of the state, projected onto the items' width; that width where it is not given."""
    dropout: Rate = 0.0
    """Share of an item's numbers dropped in training before they are read."""


class Lstm(Spec):
    """The last state of a long short-term memory (Hochreiter and Schmidhuber 1997)."""

    kind: Literal["lstm"] = "lstm"
    units: Width | None = None
    """Width of the state, projected onto the items' width; that width where it is not given."""
    dropout: Rate = 0.0
    """Share of an item's numbers dropped in training before they are read."""


class SasRec(Spec):
    """Causal self-attention; the latest item's position is the vector (Kang and McAuley 2018)."""

    kind: Literal["sasrec"] = "sasrec"
    blocks: Count = 2
    heads: Count = 1
    """Must divide the width of an item's embeddings together."""
    dropout: Rate = 0.2
    variant: Literal["paper", "code"] = "paper"
    """`code` does what the authors' program does beyond the paper's equations: it multiplies the
    items by the square root of their width before their positions are added, and normalises the
    last block's output."""


def _by_name(value: Any) -> Any:
    """`din` stands for `{kind: din}`."""
    return {"kind": value} if isinstance(value, str) else value


AnyHistoryEncoder = Annotated[Mean | Din | Gru | Lstm | SasRec, Field(discriminator="kind")]
HistoryEncoder = Annotated[
    AnyHistoryEncoder,
    BeforeValidator(
        _by_name,
        json_schema_input_type=AnyHistoryEncoder | Literal["mean", "din", "gru", "lstm", "sasrec"],
    ),
]


class Periodic(Spec):
    """Sines and cosines of learnt frequencies, then a dense layer (Gorishniy et al. 2022)."""

    kind: Literal["periodic"]
    frequencies: Annotated[int, Field(ge=1, le=1024)] = 16
    sigma: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Standard deviation of the frequencies at the start, in periods a unit of the scaled
    number."""
    dim: Width = 8


class Piecewise(Spec):
    """The share of every bin that lies below the number, then a dense layer (Gorishniy et al.
    2022). The bins' bounds are quantiles of the training rows."""

    kind: Literal["piecewise"]
    bins: Annotated[int, Field(ge=1, le=1024)] = 16
    dim: Width = 8


NumberEncoding = Annotated[Periodic | Piecewise, Field(discriminator="kind")]
