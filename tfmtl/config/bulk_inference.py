"""What a blessed model is asked for in bulk, beside being served."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tfmtl.config.base import Spec
from tfmtl.config.tables import TableSource

Output = Literal["scores", "user_vectors", "item_vectors", "top_k"]


def _source(value: Any) -> Any:
    """`rows.parquet` stands for `{path: rows.parquet}`."""
    return {"path": value} if isinstance(value, str) else value


class BulkInference(Spec):
    """Predictions of a blessed model for a whole table, as Parquet.

    A row of the table holds what a request would, in columns of the same names.

    Example:
        `{data: "candidates/*.parquet", outputs: [scores, top_k], top_k: 20}`
    """

    data: Annotated[
        TableSource | None,
        BeforeValidator(_source, json_schema_input_type=str | TableSource | None),
    ] = None
    """The rows, relative to the data directory. Not given, they are the users of the log, one row
    each, with the histories they have at its end."""
    outputs: Annotated[list[Output], Field(min_length=1)] = ["top_k"]
    """`scores`: every ranking task's prediction for each row. `top_k`: for each row, the items of
    the catalogue with the highest scores of the retrieval task. `user_vectors`: each row's vector
    of the query tower. `item_vectors`: those of all items."""
    top_k: Annotated[int, Field(ge=1)] = 50
    """Items in each row of `top_k`."""
    exclude_seen: bool = False
    """Leaves out of `top_k` what the row's user is known to have had: the items of the positives
    of the retrieval task in the log, and of the row's histories."""
    keep: list[str] = []
    """Columns of the rows that are copied to the answers beside the keys, as texts."""
    batch_size: Annotated[int, Field(ge=1)] = 4096
    """Rows that the model takes at once."""

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        for name in ("outputs", "keep"):
            values = getattr(self, name)
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise ValueError(f"{name} names '{twice}' twice; leave one of them out")
        if self.data is None and self.keep:
            raise ValueError("keep: users of the log have no columns to copy; give data")
        return self
