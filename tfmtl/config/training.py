"""How the model learns: optimisers, precision, split of the rows."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tfmtl.config.base import Spec
from tfmtl.config.budgets import Budget
from tfmtl.config.durations import seconds
from tfmtl.config.early_stopping import EarlyStopping
from tfmtl.config.lora import Lora, Pattern
from tfmtl.config.optimizers import DenseOptimizer, TableAdagrad, TableOptimizer


class Optimizers(Spec):
    """One optimiser for the embedding tables and one for everything else."""

    tables: TableOptimizer = TableAdagrad()
    dense: DenseOptimizer = DenseOptimizer()
    rates: dict[Pattern, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    """Factors of the learning rates by pattern of the parts' names, such as
    `{encoders: 0.1, trunk: 0.3}`; of several that match a part the last one counts."""


class Checkpoints(Spec):
    """When training writes down how far it is, so that a killed run goes on from there."""

    seconds: Annotated[float, Field(gt=0)] = 60.0
    """Time between two, at the least; more where writing one takes over a hundredth of it."""
    steps: Annotated[int, Field(ge=1)] | None = None
    """Steps between two, in place of the time."""


class Training(Spec):
    """One training run."""

    epochs: Annotated[int, Field(ge=1)] = 3
    batch_size: Annotated[int, Field(ge=1)] = 4096
    optimizer: Optimizers = Optimizers()
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` computes in bfloat16 where the processor multiplies in it (AMX, AVX-512 BF16)."""
    keep_optimizer: bool = False
    """Fine-tuning goes on with the optimisers' state of the model it starts from, such as Adagrad's
    sums of squares; otherwise they start anew."""
    freeze: list[Pattern] = []
    """Parts that stay as they are, by patterns of their names: `tables`, `encoders`, `trunk`,
    `towers/click`."""
    lora: Lora | None = None
    """Weights that learn by low-rank changes only; where not given every weight learns itself."""
    budget: Budget | None = None
    """What the training may cost and how that is divided; where not given every task and every row
    has a part in every step of every epoch."""
    early_stopping: EarlyStopping | None = None
    """Ends training by the validation rows; where not given every epoch is trained."""
    checkpoints: Checkpoints = Checkpoints()
    tensorboard: bool | str = False
    """Writes every epoch's figures for TensorBoard: `true` to `tensorboard/` in the run's
    directory, a path to there."""
    gradient_cosines: Annotated[int, Field(ge=0)] = 0
    """How often an epoch measures whether tasks and scenarios pull the same way: the cosines of
    their gradients, on some training rows, into the model's history."""
    strategy: Literal["none", "mirrored", "multi_worker"] = "none"
    """`multi_worker` trains in several processes, a part of every batch in each: `batch_size` is
    that of all together, and the result the same but for rounding. `mirrored` takes one device."""
    workers: Annotated[int, Field(ge=1)] = 2
    """Processes on this machine for `multi_worker`; a TF_CONFIG in the environment counts
    instead."""

    @model_validator(mode="after")
    def _one_count_of_steps(self) -> Self:
        parts = self.optimizer.tables, self.optimizer.dense
        if self.keep_optimizer and any(part.schedule.changes for part in parts):
            raise ValueError(
                "keep_optimizer goes on with the count of steps, by which a schedule starts anew; "
                "leave out one of the two"
            )
        if self.keep_optimizer and self.lora:
            raise ValueError(
                "keep_optimizer: adapters are new and have no optimisers' state to go on with; "
                "leave out one of keep_optimizer and lora"
            )
        return self


class Split(Spec):
    """Which rows train, which validate, which test.

    `time`: `validation` and `test` are durations at the end of the log, such as `1d` or `12h`.
    `user` and `random`: they are shares of the users or of the rows, such as `0.1`.
    `column`: `train`, `validation` and `test` are lists of the values of `column` that mean them.

    Example:
        `{by: column, column: fold, train: [a, b, c], validation: [d], test: [e]}`
    """

    by: Literal["time", "user", "random", "column"] = "time"
    column: str | None = None
    """Column of the log whose values name the split."""
    train: list[str] | None = None
    """The values that mean training rows."""
    validation: str | float | list[str] = "1d"
    test: str | float | list[str] = "1d"

    @model_validator(mode="after")
    def _amounts(self) -> Self:
        if self.by == "column":
            self._check_values()
            return self
        for name in ("column", "train"):
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: only a split by column has it; set by: column")
        for name in ("validation", "test"):
            value = getattr(self, name)
            if self.by == "time":
                _check_duration(value, name)
            elif not isinstance(value, int | float) or not 0 <= value < 1:
                raise ValueError(f"{name}: by {self.by}, give a share in [0, 1), got {value!r}")
        if not (self.test_seconds if self.by == "time" else self.test):
            raise ValueError(f"test: the model is measured on these rows, got {self.test!r}")
        if self.by != "time" and sum(self.shares) >= 1:
            raise ValueError(
                f"validation {self.validation} and test {self.test} leave no row to train on; "
                "their sum must be below 1"
            )
        return self

    def _check_values(self) -> None:
        if self.column is None:
            raise ValueError("column: by column, name the column of the log that says the split")
        seen: dict[str, str] = {}
        for name in ("train", "validation", "test"):
            values = getattr(self, name)
            if not isinstance(values, list):
                given = "nothing" if name not in self.model_fields_set else repr(values)
                raise ValueError(
                    f"{name}: by column, give a list of values of '{self.column}', got {given}"
                )
            if not values and name != "validation":
                raise ValueError(f"{name}: name at least one value of '{self.column}'")
            for value in values:
                if value in seen:
                    raise ValueError(
                        f"{name}: '{value}' is in {seen[value]} already; a value means one split"
                    )
                seen[value] = name

    @property
    def values(self) -> dict[str, int]:
        """By column: the number of the split that a value means, 0 train, 1 validation, 2 test."""
        lists = (self.train, self.validation, self.test)
        return {
            value: number
            for number, values in enumerate(lists)
            if isinstance(values, list)
            for value in values
        }

    @property
    def shares(self) -> tuple[float, float]:
        """By user or at random: the shares of validation and test."""
        assert not isinstance(self.validation, list)
        assert not isinstance(self.test, list)
        return float(self.validation), float(self.test)

    @property
    def validation_seconds(self) -> int:
        assert not isinstance(self.validation, list)
        return seconds(self.validation)

    @property
    def test_seconds(self) -> int:
        assert not isinstance(self.test, list)
        return seconds(self.test)


def _check_duration(value: str | float | list[str], name: str) -> None:
    try:
        if isinstance(value, list):
            raise ValueError(f"give a duration such as 12h or 1d, got {value!r}")
        seconds(value)
    except ValueError as error:
        raise ValueError(f"{name}: by time, {error}") from None
