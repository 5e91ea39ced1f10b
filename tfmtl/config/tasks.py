"""What the model predicts, and in which scenarios."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tfmtl.config.base import Spec
from tfmtl.config.losses import BinaryLoss, CrossEntropy, Focal, RankingLoss
from tfmtl.config.retrieval_losses import InBatch, RetrievalLoss


class Scenario(Spec):
    """The column that says where a row comes from: search results, product feed, ads."""

    column: str
    values: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _values_are_unique(self) -> Self:
        if len(set(self.values)) < len(self.values):
            raise ValueError(f"values should all differ, got {self.values}")
        return self


class TaskBase(Spec):
    """What tasks of every kind have."""

    weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the task's loss; a balancer may multiply it."""
    scenarios: Annotated[list[str], Field(min_length=1)] | None = None
    """Scenarios in which the task exists; all where it is not given."""


def _names(values: list[str]) -> list[str]:
    for value in values:
        if not value or value != value.strip() or "\n" in value or "\r" in value:
            raise ValueError(f"a name should be a line of text without outer spaces, got {value!r}")
    if len(set(values)) < len(values):
        raise ValueError(f"names should all differ, got {values}")
    return values


Classes = Annotated[list[Annotated[str, Field(coerce_numbers_to_str=True)]], AfterValidator(_names)]
"""Names of classes; numbers are names too. Spaces around them do not count in the data."""


TUNED: Final = "tuned"


def _probability(value: Any) -> Any:
    number = isinstance(value, int | float) and 0 < value < 1
    if not number and value != TUNED:
        raise ValueError(f"give a probability between 0 and 1, or '{TUNED}', got {value!r}")
    return value


Threshold = Annotated[
    Annotated[float, Field(gt=0, lt=1)] | Literal["tuned"], BeforeValidator(_probability)
]
"""A probability, or that of the best F1 on the validation rows."""


class RetrievalTask(TaskBase):
    """Finds items for a query: a softmax over the inner products of two towers."""

    kind: Literal["retrieval"]
    positive: str | None = None
    """Label column that must be positive for a row to count; every row where it is not given."""
    loss: RetrievalLoss = InBatch()
    """Over which items the softmax goes."""
    positions: Literal["last", "all"] = "last"
    """`all` learns a user's whole sequence at once: of the latest training row of every user, each
    item of the history is the query's last one, and the item after it the one to be found (Kang and
    McAuley 2018). For query towers that read nothing but one history, in order."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    sampling_correction: Annotated[float, Field(ge=0, le=1)] = 1.0
    """In a batch: strength of the sampling-bias correction, 0 none, 1 the whole log probability."""
    remove_accidental_hits: bool = True
    """In a batch: whether items equal to a query's own are no negatives of it; of drawn items they
    never are."""
    hard_negatives: Annotated[int, Field(ge=1)] | None = None
    """In a batch: how many of its items count as negatives of a query, those with the highest
    scores; all where it is not given. A batch with fewer items counts all of them."""
    reduction: Literal["mean", "sum"] = "mean"
    """`sum` lets the loss grow with the batch, as TFRS does unless told otherwise."""

    @model_validator(mode="after")
    def _in_batch_only(self) -> Self:
        if self.loss.kind != "in_batch" and self.hard_negatives is not None:
            raise ValueError(
                f"hard_negatives: they are chosen among a batch's items, and the loss is "
                f"{self.loss.kind}; leave out one of the two"
            )
        if self.loss.kind == "in_batch" and self.positions == "all":
            raise ValueError(
                "positions: all positions are compared with the items of the catalogue; choose "
                "loss: all_items or sampled"
            )
        return self


class BinaryTask(TaskBase):
    """The probability of an event: label 0 or 1, missing where unknown."""

    kind: Literal["binary"]
    label: str
    positive_from: float | None = None
    """Where the label is a number, such as a rating, it is positive from this one on: `{kind:
    binary, label: rating, positive_from: 4}` is whether a review is a good one. A regression task
    may have the same label."""
    after: str | None = None
    """The binary task that must have happened first, as `click` for `purchase`: the tasks form a
    funnel, which `model.funnel` says how to learn. The prediction is the probability over all
    impressions, never above that of the task before; the one given the task before is served
    beside it, e.g. as `purchase_after_click`.

    Where the task before did not happen the label is 0, even if it is missing. A label of 1 there
    contradicts the funnel and counts as missing."""
    loss: BinaryLoss = CrossEntropy(kind="cross_entropy")
    positive_weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight of the positives in the cross-entropy. Predictions stay probabilities: the score
    that is learnt is corrected by the weight's logarithm."""
    ranking_loss: RankingLoss | None = None
    """Loss on the order within a group of rows, added to the task's loss."""
    calibration: Literal["platt"] | None = None
    """What brings the trained model's probabilities to those of the validation rows, scenario by
    scenario, so that an expected revenue can be computed from them: `platt` scales and shifts the
    logits. None where not given."""

    threshold: Threshold | None = None
    """From this probability on the event counts as predicted: evaluation then has `precision`,
    `recall` and `f1`. `tuned` is that of the best F1 on the validation rows, which is served beside
    the probability as `TASK_thresholds`."""

    @model_validator(mode="after")
    def _one_weight_of_positives(self) -> Self:
        if isinstance(self.loss, Focal) and self.positive_weight != 1:
            raise ValueError("positive_weight: focal weighs the positives by its alpha; leave it")
        return self


class RegressionTask(TaskBase):
    """A number, such as a rating."""

    kind: Literal["regression"]
    label: str
    range: tuple[float, float] | None = None
    """Smallest and largest label; rows outside are dead-lettered, predictions clipped."""
    ranking_loss: RankingLoss | None = None
    """Loss on the order within a group of rows, added to the task's loss."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.range and self.range[0] >= self.range[1]:
            raise ValueError(f"range must be [smallest, largest], got {list(self.range)}")
        if self.ranking_loss and self.ranking_loss.kind == "softmax":
            raise ValueError(
                "ranking_loss.kind: softmax needs labels of 0 and 1; choose list_mle or a pairwise "
                "one"
            )
        return self


class MultiClassTask(TaskBase):
    """One of several classes, such as a season: its label is a text or a number."""

    kind: Literal["multi_class"]
    label: str
    """Column of the class as a text, numbers as they are written; missing where empty. Spaces
    around it do not count."""
    values: Annotated[Classes, Field(min_length=2)] | None = None
    """The classes in the order of the predictions; rows of another one are dead-lettered. Where
    not given they are those of the training rows, the most frequent first, and the label of
    another one counts as missing."""
    max_classes: Annotated[int, Field(ge=2)] = 1000
    """The most frequent classes that are kept where `values` is not given."""
    class_balance: Annotated[float, Field(ge=0, le=1)] = 0.0
    """How far rare classes count as much as frequent ones: a row's loss is weighed by its class's
    share of the training rows to the power of minus this. Rare classes are then named more often,
    which lifts `macro_f1`; the predictions are probabilities where classes are that much more
    alike."""


class MultiLabelTask(TaskBase):
    """Several independent labels of 0 and 1, such as the genres of a film.

    Either `labels` names a column a label, each missing where empty, or `label` one column that
    holds a row's labels with a separator between them, all of them missing where it is empty.

    Example:
        `{kind: multi_label, label: genres, separator: "|"}` for texts such as `comedy|romance`
    """

    kind: Literal["multi_label"]
    labels: Annotated[Classes, Field(min_length=1)] | None = None
    """Columns of 0 and 1, in the order of the predictions."""
    label: str | None = None
    separator: Annotated[str, Field(min_length=1)] | None = None
    """Stands between the labels of `label`'s texts; spaces around a label do not count."""
    values: Annotated[Classes, Field(min_length=1)] | None = None
    """The labels in `label`, in the order of the predictions; rows with another one are
    dead-lettered. Where not given they are those of the training rows, the most frequent first,
    and others are left aside."""
    max_classes: Annotated[int, Field(ge=1)] = 1000
    """The most frequent labels that are kept where `values` is not given."""
    threshold: Threshold = 0.5
    """From this probability on a label counts as predicted. `tuned`: each label has one of its own,
    that of the best F1 on the validation rows, which is served beside the probabilities as
    `TASK_thresholds`."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.labels is None) == (self.label is None):
            raise ValueError("give exactly one of 'labels' and 'label'")
        if (self.label is None) != (self.separator is None):
            raise ValueError("'label' and 'separator' belong together; give both or neither")
        if self.labels is not None and self.values is not None:
            raise ValueError("'values' belongs to 'label'; the names of 'labels' are the columns")
        for value in self.values or []:
            if self.separator is not None and self.separator in value:
                raise ValueError(f"values: '{value}' contains the separator '{self.separator}'")
        return self


def reads_number(task: object) -> bool:
    """Whether a task's label is a number, rather than 0 or 1."""
    derived = isinstance(task, BinaryTask) and task.positive_from is not None
    return derived or isinstance(task, RegressionTask)


ClassTask = MultiClassTask | MultiLabelTask
"""A task that predicts a number for each of several classes."""
RankingTask = BinaryTask | RegressionTask | MultiClassTask | MultiLabelTask
Task = Annotated[
    RetrievalTask | BinaryTask | RegressionTask | MultiClassTask | MultiLabelTask,
    Field(discriminator="kind"),
]
