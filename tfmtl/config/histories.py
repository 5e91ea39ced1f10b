"""Histories: what a user did before, as sequences of items."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from tfmtl.config.base import Spec
from tfmtl.config.encoders import HistoryEncoder, Mean
from tfmtl.config.feature_base import Name


def _listed(value: Any) -> Any:
    """`click` stands for `[click]`."""
    return [value] if isinstance(value, str) else value


Behaviours = Annotated[
    list[Name],
    Field(min_length=1),
    BeforeValidator(_listed, json_schema_input_type=Name | list[Name]),
]


class History(Spec):
    """The user's last items with a positive label, strictly before the row's time.

    Example:
        `{name: acts, of: [item_id, brand], where: [click, cart, purchase], last: 50, gaps: true}`
    """

    of: Annotated[list[Name], Field(min_length=1)]
    """Item features of which the history consists; the first is usually the item's id."""
    where: Behaviours
    """Label column that must be positive, e.g. `click`. Of several, one sequence holds what any of
    them tells, an entry for each, and the model sees which it was."""
    last: Annotated[int, Field(ge=1, le=1024)] = 20
    """Items kept, the latest first; shorter histories are padded with 0."""
    gaps: bool = False
    """The model also sees how long ago each of them was, in ranges of powers of two seconds. A
    request gives seconds."""
    context: list[Name] = []
    """Context features of the rows in which it happened, such as hour, place and weather: single
    ids, numbers and times. Joined and projected, they are added to the items' embeddings."""
    name: Name | None = None
    encoder: HistoryEncoder = Mean()
    """What makes a vector of the items' embeddings, which are shared with the item's own features.
    A name stands for the encoder with its defaults."""

    @model_validator(mode="after")
    def _behaviours_differ(self) -> Self:
        twice = next((name for name in self.where if self.where.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"where names '{twice}' twice; leave one of them out")
        return self

    @model_validator(mode="after")
    def _context_has_an_order(self) -> Self:
        if self.context and self.encoder.kind in ("mean", "din"):
            raise ValueError(
                f"context: encoder {self.encoder.kind} reads items only; choose gru, lstm or sasrec"
            )
        named = [*self.of, *self.context]
        twice = next((name for name in self.context if named.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"context: '{twice}' is named twice; leave one of them out")
        return self

    @property
    def title(self) -> str:
        """The history's name, `WHERE_history` where none was given."""
        return self.name or f"{'_'.join(self.where)}_history"

    def input_name(self, feature: str) -> str:
        """Name of the model input that holds this history of one item feature."""
        return f"{self.title}_{feature}"

    @property
    def item_inputs(self) -> dict[str, str]:
        """Names of the model inputs that hold items, and the item feature of each."""
        return {self.input_name(feature): feature for feature in self.of}

    @property
    def context_inputs(self) -> dict[str, str]:
        """Names of the model inputs that hold context, and the context feature of each."""
        return {self.input_name(feature): feature for feature in self.context}

    @property
    def gap_input(self) -> str | None:
        """Name of the model input that holds how long ago; None where none does."""
        return f"{self.title}_gaps" if self.gaps else None

    @property
    def behaviour_input(self) -> str | None:
        """Name of the model input that holds which label it was; None where there is one."""
        return f"{self.title}_behaviour" if len(self.where) > 1 else None

    @property
    def input_names(self) -> list[str]:
        """Names of all model inputs of this history."""
        more = [name for name in (self.gap_input, self.behaviour_input) if name is not None]
        return [*self.item_inputs, *more, *self.context_inputs]
