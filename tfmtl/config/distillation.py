"""Teachers: trained models whose predictions a smaller model learns beside the labels."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from tfmtl.config.base import Spec
from tfmtl.config.feature_base import Name

Weight = Annotated[float, Field(ge=0, le=1)]
Temperature = Annotated[float, Field(gt=0)]
Hint = Annotated[float, Field(ge=0)]


class Teacher(Spec):
    """A model to learn from: one that is there, or one that the run trains first.

    Example:
        `{run: out/large}`, or `{changes: {model.trunk: {kind: ple, levels: 2}}, tasks: [click]}`
    """

    run: str | None = None
    """Directory of a run, or of a model, relative to the working directory."""
    changes: dict[str, Any] | None = None
    """What the teacher has otherwise than this configuration, by dotted key: keys of `model`,
    `training` and `seed`, and the `dim` and `encoder` of features. The run trains it on the same
    examples."""
    tasks: Annotated[list[Name], Field(min_length=1)] | None = None
    """The tasks it teaches, and of `changes` those it is trained for; all that both models have
    where not given."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.run is None) == (self.changes is None):
            raise ValueError("give run, a trained model, or changes, of which one is trained")
        return self


class TaughtTask(Spec):
    """How one task is taught; what is not given is as for the other tasks."""

    weight: Weight | None = None
    temperature: Temperature | None = None
    hint: Hint | None = None
    unlabelled: bool | None = None


class TeacherGate(Spec):
    """How far the student may be below its teacher to be pushed."""

    tolerance: Annotated[float, Field(ge=0)] = 0.002
    """How much worse a task's main metric may be on the test split than that of the best of its
    teachers: AUC, recall at the largest `evaluation.top_k`, accuracy and micro F1 in absolute
    terms, RMSE in shares of the teacher's."""
    tasks: dict[Name, Annotated[float, Field(ge=0)]] = {}
    """Tolerances of single tasks."""

    def tolerance_of(self, task: str) -> float:
        """How much worse a task may be."""
        return self.tasks.get(task, self.tolerance)


class Distillation(Spec):
    """Learning from teachers' predictions beside the labels (Hinton et al., 2015).

    A task's loss is `(1 - weight) * hard + weight * soft + hint * representation`. Several teachers
    of a task teach the mean of their predictions. Tasks that no teacher has learn from labels
    alone.
    """

    teachers: Annotated[list[Teacher], Field(min_length=1)]
    weight: Weight = 0.5
    """Share of the teachers' predictions in a task's loss; the labels have the rest."""
    temperature: Temperature = 1.0
    """What logits are divided by before they become probabilities, for both models; higher ones
    tell more of what is improbable. Numbers know none."""
    hint: Hint = 0.0
    """Weight of the distance between the two models' representations of the task, the trunk's
    output, after a linear map; 0 for none. It is known for ranking tasks only."""
    unlabelled: bool = False
    """Whether rows without a label are taught, too, in the scenarios that have the task."""
    tasks: dict[Name, TaughtTask] = {}
    """What is otherwise for single tasks."""
    gate: TeacherGate | None = TeacherGate()
    """What the student must reach beside `gate`; nothing where null."""

    def weight_of(self, task: str) -> float:
        own = self._own(task).weight
        return self.weight if own is None else own

    def temperature_of(self, task: str) -> float:
        own = self._own(task).temperature
        return self.temperature if own is None else own

    def hint_of(self, task: str) -> float:
        own = self._own(task).hint
        return self.hint if own is None else own

    def teaches_unlabelled(self, task: str) -> bool:
        own = self._own(task).unlabelled
        return self.unlabelled if own is None else own

    def _own(self, task: str) -> TaughtTask:
        return self.tasks.get(task, TaughtTask())
