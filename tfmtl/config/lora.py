"""Which weights learn by low-rank changes."""

from typing import Annotated

from pydantic import Field

from tfmtl.config.base import Spec

Pattern = Annotated[str, Field(min_length=1)]
"""Names of parts of a network, such as `trunk`, `towers/click` or `encoders/*/block_0`."""


class Lora(Spec):
    """Low-rank adapters (Hu et al. 2022) on dense kernels and embedding tables.

    In place of a weight `W` learn two small ones, `W + alpha / rank * A B`; when training ends they
    are taken into `W`. What is no target learns as ever, unless `training.freeze` says otherwise.

    Example:
        `{rank: 8, targets: [trunk, tables/item_id]}`
    """

    rank: Annotated[int, Field(ge=1)] = 8
    alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Scale of the changes; the rank where not given, a scale of 1."""
    targets: Annotated[list[Pattern], Field(min_length=1)]
    """Patterns of the weights' names."""
