"""Smaller models that are served beside the full one."""

from typing import Annotated, Literal

from pydantic import Field

from tfmtl.config.base import Spec

Storage = Literal["float32", "bfloat16", "int8"]
"""How numbers are stored: in four bytes, two or one."""
SmallStorage = Literal["bfloat16", "int8"]


class Variant(Spec):
    """The model with its weights in fewer bytes, pushed as `NAME-bfloat16` or `NAME-int8`."""

    tolerance: Annotated[float, Field(ge=0)] = 0.002
    """How much worse any task's main metric may be on the test split than the full model's: AUC,
    recall at the largest `evaluation.top_k`, accuracy and micro F1 in absolute terms, RMSE in
    shares of the full model's. A variant that is worse is not pushed."""
