"""What features of every kind have."""

from typing import Annotated

from pydantic import Field

from tfmtl.config.base import Spec
from tfmtl.config.inputs import Input, Raw, Side

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Dimension = Annotated[int, Field(ge=1, le=4096)]


class FeatureBase(Spec):
    """What features of every kind have."""

    name: Name
    """Name of the model's input."""
    column: str | None = None
    """Raw column; the name where it is not given."""
    serve_as: str | int | float | None = None
    """Value that stands in for this feature when serving, as for an ad's position: trained on,
    never asked for."""

    @property
    def raw(self) -> str:
        """The raw column this feature is made from."""
        return self.column or self.name

    def inputs(self, side: Side) -> list[Input]:
        """What the feature gives the model: one id made of a text, unless its kind says else."""
        return [Input(self.name, self.name, (self._text(side),))]

    def _text(self, side: Side) -> Raw:
        constant = None if self.serve_as is None else str(self.serve_as)
        return Raw(side, self.raw, "text", constant=constant)
