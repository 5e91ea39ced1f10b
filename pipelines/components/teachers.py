"""Teachers: what trained models say of the training rows, for a student to learn from.

A teacher is a model that is there, or one that is trained here, on the same examples and with
another trunk, other dims or a single task. Each is asked once about every training row.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.artifacts import Anomalies, Output, SoftLabels, Transformed
from pipelines.caching.fingerprints import content_fingerprint
from pipelines.components.base import Context, PipelineError, Summary, component
from pipelines.components.trainer import Trainer
from pipelines.components.transform import Transform
from tfmtl.config import Config, ConfigError, Teacher, parse
from tfmtl.config.searched import with_values

MODELS, TEACHERS = "models", "teachers.json"


def _reads(config: Config) -> Any:
    if config.distillation is None:
        return None
    teachers = [
        content_fingerprint(home_of(one, place))
        if one.run is not None
        else Trainer.reads(teacher_config(config, place))
        for place, one in enumerate(config.distillation.teachers)
    ]
    hinted = [task for task in config.tasks if config.distillation.hint_of(task)]
    taught = [one.tasks for one in config.distillation.teachers]
    tasks = config.model_dump(mode="json", include={"tasks"})
    return [teachers, hinted, taught, tasks, config.evaluation.top_k]


@component(reads=_reads)
def Teachers(
    context: Context,
    transformed: Transformed,
    anomalies: Anomalies,
    soft_labels: Output[SoftLabels],
) -> Summary:
    """Asks the teachers about the training rows, and measures them on the test rows.

    The artifact holds `train/`, whose files have the rows of the examples of the same name,
    `teachers.json`, and in `models/` the teachers that were trained here.
    """
    from tfmtl.training.distillation import Teaching, write_soft_labels
    from tfmtl.training.errors import TrainingError

    spec = context.config.distillation
    if spec is None:
        raise PipelineError("expected `distillation` in the configuration; add it")
    teachings = []
    for place, one in enumerate(spec.teachers):
        if one.run is not None:
            teachings.append(Teaching(one.run, home_of(one, place), one.tasks))
            continue
        home = soft_labels.path / MODELS / str(place)
        _train(context, transformed.path, teacher_config(context.config, place), home, place)
        teachings.append(Teaching(f"{place + 1}, trained here", home, one.tasks, translated=False))
    try:
        told = write_soft_labels(
            context.config,
            transformed.path,
            teachings,
            soft_labels.path,
            lambda done, total, note: context.progress(done, total, "examples", note),
        )
    except TrainingError as error:
        raise PipelineError(str(error)) from None
    (soft_labels.path / TEACHERS).write_text(json.dumps(told, indent=2), encoding="utf-8")
    untaught = [task for task in context.config.tasks if task not in told["tasks"]]
    lines = [f"labels alone: {', '.join(untaught)}"] if untaught else []
    return {**told, "headline": _headline(told), "lines": lines}


def teacher_config(config: Config, place: int) -> Config:
    """The configuration of a teacher that is trained here.

    Raises:
        ConfigError: it could not be trained on the student's examples.
    """
    assert config.distillation is not None
    one = config.distillation.teachers[place]
    where = f"distillation.teachers[{place}].changes"
    raw = with_values(config, one.changes or {})
    aside = {"distillation", "gate", "bulk_inference"}
    raw = {key: value for key, value in raw.items() if key not in aside}
    if one.tasks is not None:
        # After a task that it is not trained for a step of a funnel would stand behind nothing.
        raw["tasks"] = {
            name: {k: v for k, v in task.items() if k != "after" or v in one.tasks}
            for name, task in raw["tasks"].items()
            if name in one.tasks
        }
        raw["serving"] = {}
    found = parse(raw, where)
    for part in ("features", "scenario", "sampling", "resampling"):
        if Transform.reads(found.model_copy(update={"seed": config.seed})).get(
            part
        ) != Transform.reads(config).get(part):
            raise ConfigError(
                f"{where}: such a teacher would read other examples than the student; of "
                "features change `dim` and `encoder` alone"
            )
    return found


def home_of(teacher: Teacher, place: int) -> Path:
    """The directory of the model that a teacher is.

    Raises:
        ConfigError: there is none.
    """
    from tfmtl.models.saved import NETWORK

    directory = Path(str(teacher.run))
    for home in (directory / "model", directory):
        if (home / NETWORK).is_file():
            return home
    raise ConfigError(
        f"distillation.teachers[{place}].run: expected the directory of a finished run or of a "
        f"model, there is no {NETWORK} in {directory}; make one with tfmtl run"
    )


def _train(context: Context, transformed: Path, config: Config, home: Path, place: int) -> None:
    from tfmtl.training.artifact import make_model
    from tfmtl.training.errors import TrainingError

    name = f"teacher {place + 1}"

    def on_batch(done: int, total: int, note: str) -> None:
        context.progress(done, total, "examples", f"{name}, {note}")

    try:
        make_model(config, transformed, home, on_batch)
    except TrainingError as error:
        raise PipelineError(f"{name}: {error}") from None


def _headline(told: Mapping[str, Any]) -> str:
    taught = ", ".join(told["tasks"])
    largest = max(one["parameters"] for one in told["teachers"])
    count = len(told["teachers"])
    return (
        f"{count} teacher{'s' * (count != 1)} of {taught}, "
        f"{'the largest of ' * (count != 1)}{largest:,} parameters"
    )
