"""How the model is served."""

from typing import Annotated, Literal

from pydantic import Field

from tfmtl.config.base import Spec
from tfmtl.config.fusion import Fuse, Fusion
from tfmtl.config.index import Index
from tfmtl.config.quality import Quality
from tfmtl.config.recommend import Recommend
from tfmtl.config.variants import Variant

SignatureName = Literal[
    "rank_rows",
    "rank",
    "retrieve",
    "recommend",
    "classify",
    "regress",
    "predict_examples",
    "embed_user",
    "embed_item",
]


class Serving(Spec):
    """How the model is served."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    """Name under which TF Serving knows the model; the configuration's where not given."""
    keep_versions: Annotated[int, Field(ge=1)] = 5
    """The newest versions that stay when one is pushed; older ones are removed."""
    signatures: list[SignatureName] | None = None
    """What the model can be asked for; all that its tasks make possible where not given. Each costs
    a run some seconds of validation and a version some of warming up. `rank_rows`, of a model that
    only retrieves `retrieve`, is what a request without a signature means and is always there."""
    variants: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")], Variant] = {}
    """Smaller models to push beside the full one by name, e.g. `{int8: {}, small: {storage: int8,
    prune: {fewer_than: 5}}}`."""
    fuse: Fuse = Fusion()
    """The score by which `recommend` puts items in order."""
    recommend: Recommend = Recommend()
    index: Index = Index()
    """How retrieval finds the items."""
    quality: Quality | None = None
    """How good items are by their ratings, as columns of items; none where it is not given."""
    columns: dict[str, Literal["text", "number"]] = {}
    """Columns of `source.items` that no feature reads, for formulas and filters, e.g. `{bid:
    number, in_stock: number, seller: text}`."""
