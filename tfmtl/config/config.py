"""The whole configuration."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from tfmtl.config.base import Spec
from tfmtl.config.bulk_inference import BulkInference
from tfmtl.config.checks import (
    check_balancer,
    check_budget,
    check_bulk_inference,
    check_distillation,
    check_early_stopping,
    check_factorised,
    check_features,
    check_finetuning,
    check_gate,
    check_log,
    check_matches,
    check_next_event,
    check_quality,
    check_sampling,
    check_sequences,
    check_serving,
    check_sources,
    check_tasks,
    check_tuner,
    check_validation,
    check_windows,
)
from tfmtl.config.distillation import Distillation
from tfmtl.config.evaluation import Evaluation, Rule
from tfmtl.config.feature_base import Name
from tfmtl.config.features import Features
from tfmtl.config.finetuning import Finetuning
from tfmtl.config.ids import IdFeature
from tfmtl.config.inputs import Input
from tfmtl.config.model import Model
from tfmtl.config.next_event import NextEvent
from tfmtl.config.pipeline import Pipeline
from tfmtl.config.sampling import Resampling, Sampling
from tfmtl.config.serving import Serving
from tfmtl.config.source import Source
from tfmtl.config.tasks import (
    BinaryTask,
    ClassTask,
    MultiClassTask,
    MultiLabelTask,
    RankingTask,
    RegressionTask,
    RetrievalTask,
    Scenario,
    Task,
)
from tfmtl.config.training import Split, Training
from tfmtl.config.tuner import Tuner
from tfmtl.config.validation import Validation
from tfmtl.config.windows import ROWS


class Config(Spec):
    """Everything that decides what a run does. Read it with `tfmtl.config.load`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 7
    source: Source
    pipeline: Pipeline = Pipeline()
    features: Features
    scenario: Scenario | None = None
    tasks: Annotated[dict[Name, Task], Field(min_length=1)]
    model: Model = Model()
    training: Training = Training()
    tuner: Tuner | None = None
    """A search for better values of the other keys, before the model is trained."""
    distillation: Distillation | None = None
    """Trained models that the model learns from beside the labels."""
    finetuning: Finetuning = Finetuning()
    """What fine-tuning may cost the tasks that the model has."""
    split: Split = Split()
    validation: Validation = Validation()
    sampling: Sampling = Sampling()
    resampling: Resampling | None = None
    evaluation: Evaluation = Evaluation()
    gate: list[Rule] = []
    serving: Serving = Serving()
    bulk_inference: BulkInference | None = None
    """What the model is asked for in bulk when it is blessed."""

    @property
    def served_name(self) -> str:
        """The model's name in TF Serving."""
        return self.serving.name or self.name

    @property
    def ranking_tasks(self) -> dict[str, RankingTask]:
        """All tasks but the retrieval task, in the order of the configuration."""
        return {n: t for n, t in self.tasks.items() if not isinstance(t, RetrievalTask)}

    @property
    def retrieval_task(self) -> tuple[str, RetrievalTask] | None:
        """The retrieval task and its name, if there is one."""
        for name, task in self.tasks.items():
            if isinstance(task, RetrievalTask):
                return name, task
        return None

    @property
    def whole_sequences(self) -> bool:
        """Whether the retrieval task learns every position of a user's sequence."""
        task = self.retrieval_task
        return task is not None and task[1].positions == "all"

    @property
    def class_tasks(self) -> dict[str, ClassTask]:
        """Multi-class and multi-label tasks, in the order of the configuration."""
        return {
            n: t for n, t in self.tasks.items() if isinstance(t, MultiClassTask | MultiLabelTask)
        }

    @property
    def funnel(self) -> dict[str, str]:
        """Tasks that come after another one -> that task; a task stands behind the one before."""
        after = {n: t.after for n, t in self.tasks.items() if isinstance(t, BinaryTask) and t.after}
        ordered: dict[str, str] = {}
        while len(ordered) < len(after):
            ordered |= {n: a for n, a in after.items() if a not in after or a in ordered}
        return ordered

    @property
    def ranking_group(self) -> list[str] | None:
        """Columns that say which rows the ranking losses compare."""
        for task in self.tasks.values():
            if isinstance(task, BinaryTask | RegressionTask) and task.ranking_loss:
                return task.ranking_loss.group
        return None

    @property
    def query_group(self) -> list[str] | None:
        """Columns that say which rows belong to one query, for NDCG."""
        return self.evaluation.query or self.ranking_group

    @property
    def label_columns(self) -> dict[str, RankingTask | None]:
        """Raw columns of labels that are numbers -> the ranking task that reads them, None for
        those of retrieval, histories and windows alone."""
        columns: dict[str, RankingTask | None] = {}
        for task in self.tasks.values():
            if isinstance(task, RetrievalTask):
                if task.positive:
                    columns.setdefault(task.positive, None)
            elif isinstance(task, MultiLabelTask):
                columns |= dict.fromkeys(task.labels or [], task)
            elif isinstance(task, MultiClassTask):
                continue
            elif not isinstance(columns.get(task.label), RegressionTask):
                # What a number may be is said by the task that predicts it.
                columns[task.label] = task
        for history in self.features.history:
            columns |= {label: columns.get(label) for label in history.where}
        for window in self.features.windows:
            if window.of != ROWS:
                columns.setdefault(window.of, None)
        return columns

    @property
    def class_columns(self) -> dict[str, ClassTask]:
        """Raw columns of labels that are texts -> the task that reads them."""
        return {task.label: task for task in self.class_tasks.values() if task.label is not None}

    @property
    def next_event(self) -> NextEvent | None:
        """How events are predicted from those before them; None where rows are something else."""
        events = self.source.events
        return events.next if events else None

    @property
    def row_inputs(self) -> dict[str, Input]:
        """The inputs that features make of a row itself, by name: all, or, where the next event is
        predicted, those that are known before it, and its item's."""
        made = self.features.inputs
        spec = self.next_event
        if spec is None:
            return made
        context = {feature.name for feature in self.features.context}
        return {
            one.name: one
            for one in made.values()
            if one.feature not in context or all(raw.column in spec.known for raw in one.reads)
        }

    @property
    def hidden_inputs(self) -> set[str]:
        """The inputs that ranking tasks do not read: those of the item that comes next."""
        if self.next_event is None:
            return set()
        return {
            one.name
            for one in self.row_inputs.values()
            if any(raw.side == "item" for raw in one.reads)
        }

    @property
    def factorised_ids(self) -> list[str]:
        """The ids that are factorised: the first of the user, the first of the item."""
        sides = (self.features.user, self.features.item)
        return [
            name
            for side in sides
            for name in [feature.name for feature in side if isinstance(feature, IdFeature)][:1]
        ]

    @property
    def query_features(self) -> list[str]:
        """Inputs of the query tower."""
        if self.model.retrieval.kind == "factorised":
            return self.factorised_ids[:1]
        chosen = self.model.retrieval.query
        if chosen is None:
            histories = [name for h in self.features.history for name in h.input_names]
            sides = (*self.features.user, *self.features.query)
            chosen = [feature.name for feature in sides] + histories
        return [name for one in chosen for name in self.features.inputs_of(one)]

    @property
    def item_features(self) -> list[str]:
        """Inputs of the item tower."""
        if self.model.retrieval.kind == "factorised":
            return self.factorised_ids[1:]
        chosen = self.model.retrieval.item
        if chosen is None:
            chosen = [feature.name for feature in self.features.item]
        return [name for one in chosen for name in self.features.inputs_of(one)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_tasks(self)
        check_log(self)
        check_sources(self)
        check_next_event(self)
        check_factorised(self)
        check_features(self)
        check_matches(self)
        check_windows(self)
        check_sampling(self)
        check_gate(self)
        check_validation(self)
        check_early_stopping(self)
        check_balancer(self)
        check_budget(self)
        check_bulk_inference(self)
        check_quality(self)
        check_serving(self)
        check_sequences(self)
        check_tuner(self)
        check_distillation(self)
        check_finetuning(self)
        return self
