"""How the model is served."""

from typing import Annotated, Literal

from pydantic import Field

from tfmtl.config.base import Spec
from tfmtl.config.fusion import Fuse, Fusion
from tfmtl.config.index import Index
from tfmtl.config.recommend import Recommend
from tfmtl.config.variants import SmallStorage, Variant


class Serving(Spec):
    """How the model is served."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    """Name under which TF Serving knows the model; the configuration's where not given."""
    keep_versions: Annotated[int, Field(ge=1)] = 5
    """The newest versions that stay when one is pushed; older ones are removed."""
    variants: dict[SmallStorage, Variant] = {}
    """Smaller models to push beside the full one, e.g. `{int8: {tolerance: 0.002}}`."""
    fuse: Fuse = Fusion()
    """The score by which `recommend` puts items in order."""
    recommend: Recommend = Recommend()
    index: Index = Index()
    """How retrieval finds the items."""
    columns: dict[str, Literal["text", "number"]] = {}
    """Columns of `source.items` that no feature reads, for formulas and filters, e.g. `{bid:
    number, in_stock: number, seller: text}`."""
