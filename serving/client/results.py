"""What the typed calls answer.

An answer about one user holds plain lists and 1-d arrays; about several, a list with a row for each
of them. `to_arrow()` gives a table with a line for every item, for which pyarrow is needed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

_SHOWN = 10


@dataclass(frozen=True, eq=False, repr=False)
class Ranking:
    """Candidates with their predictions, in the order in which they were given.

    Attributes:
        version: The model version that answered.
        items: Keys of the items; a list for every user where there are several.
        scores: The fused score of each item, `[items]`; a list of such arrays for several users.
        tasks: The prediction of every ranking task, as `scores`; `[items, classes]` of a task of
            classes.
        classes: Names of the classes of such a task.
        several: Whether the answer is about several users.
    """

    version: int
    items: list[Any]
    scores: Any
    tasks: dict[str, Any]
    classes: dict[str, list[str]] = field(default_factory=dict)
    several: bool = False

    @property
    def count(self) -> int | list[int]:
        """How many items there are; of every user where there are several."""
        return [len(row) for row in self.items] if self.several else len(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        """The answers about each of several users; the keys of one user's items."""
        return iter(self.users() if self.several else self.items)

    def users(self) -> list[Self]:
        """The answer about each user on its own."""
        if not self.several:
            return [self]
        return [self._user(row) for row in range(len(self.items))]

    def _user(self, row: int) -> Self:
        numbers = self._numbers()
        changed: dict[str, Any] = {
            name: values[row] for name, values in numbers.items() if values is not None
        }
        changed["tasks"] = {task: values[row] for task, values in self.tasks.items()}
        return replace(self, items=self.items[row], several=False, **changed)

    def _numbers(self) -> dict[str, Any]:
        """The columns of numbers beside the tasks', by attribute."""
        return {"scores": self.scores}

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`: `item_id`, `score` and the tasks, after the user's place `row`."""
        import pyarrow as pa

        tables = []
        for row, user in enumerate(self.users()):
            columns = {"row": pa.array([row] * len(user), pa.int32())} if self.several else {}
            columns["item_id"] = pa.array(user.items)
            for name, values in user._columns().items():
                columns[name] = pa.array(values if values.ndim == 1 else values.tolist())
            tables.append(pa.table(columns))
        return pa.concat_tables(tables, promote_options="permissive")

    def _columns(self) -> dict[str, np.ndarray]:
        """One user's numbers by the name of their column."""
        numbers = {
            name.removesuffix("s"): values
            for name, values in self._numbers().items()
            if values is not None
        }
        return {**numbers, **self.tasks}

    def __repr__(self) -> str:
        kind = type(self).__name__
        if self.several:
            users = self.users()
            head = f"{kind} of {len(users)} users, version {self.version}"
            shown = [repr(user) for user in users[:3]]
            more = [f"... {len(users) - 3} more users"] if len(users) > 3 else []
            return "\n".join([head, *shown, *more])
        head = f"{kind} of {len(self)} items, version {self.version}"
        return "\n".join([head, *_table(self.items, self._columns())])


@dataclass(frozen=True, eq=False, repr=False)
class Recommendations(Ranking):
    """Items the model has chosen, the best first.

    Attributes:
        retrieval_scores: Of the retrieval task, as `scores`; None where `scores` are these.
    """

    retrieval_scores: Any = None

    def _numbers(self) -> dict[str, Any]:
        return {"scores": self.scores, "retrieval_scores": self.retrieval_scores}


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of rows of a user and an item each.

    Attributes:
        version: The model version that answered.
        tasks: The prediction of every ranking task, `[rows]`, or `[rows, classes]`; without the
            rows where one row was given without lists.
        classes: Names of the classes of a task of classes.
    """

    version: int
    tasks: dict[str, np.ndarray]
    classes: dict[str, list[str]] = field(default_factory=dict)

    def __getitem__(self, task: str) -> np.ndarray:
        return self.tasks[task]

    def to_arrow(self) -> Any:
        """A `pyarrow.Table` with a column for every task."""
        import pyarrow as pa

        rows = {task: np.atleast_1d(values) for task, values in self.tasks.items()}
        return pa.table({task: pa.array(values.tolist()) for task, values in rows.items()})


@dataclass(frozen=True)
class Classification:
    """The classes of one example.

    Attributes:
        labels: Names of the classes; empty strings where the model gives none.
        scores: As many.
    """

    labels: list[str]
    scores: list[float]


def _table(items: Sequence[Any], columns: dict[str, np.ndarray]) -> list[str]:
    """The first lines of a table, its columns in line."""
    lines = [["item", *columns]]
    for place, item in enumerate(items[:_SHOWN]):
        values = (np.atleast_1d(column[place]) for column in columns.values())
        lines.append([str(item), *(" ".join(f"{x:.4g}" for x in value) for value in values)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return [*shown, *([f"  ... {len(items) - _SHOWN} more"] if len(items) > _SHOWN else [])]
