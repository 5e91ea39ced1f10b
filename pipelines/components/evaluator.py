"""Evaluator: the model's metrics on the test split, and whether it may be pushed."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.artifacts import Evaluation, Model, Output, Transformed
from pipelines.components.base import Context, PipelineError, Summary, component
from pipelines.components.teachers import TEACHERS
from pipelines.failures import one_line
from pipelines.pushes import led_to_latest
from pipelines.teacher_gate import outcomes
from tfmtl.config import Config

if TYPE_CHECKING:
    from tfmtl.evaluation import Result
    from tfmtl.evaluation.verdicts import Verdict

EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class Baseline:
    """The latest pushed version, beside which the model is measured.

    Attributes:
        version: its number; None before a first push.
        result: what was measured of it on the same rows; None where nothing could be.
        reason: why that is so, or which tasks could not be compared.
    """

    version: int | None = None
    result: "Result | None" = None
    reason: str | None = None


def _reads(config: Config) -> Any:
    read = config.model_dump(
        mode="json",
        include={"seed", "tasks", "scenario", "features", "evaluation", "gate", "serving"},
    )
    gate = config.distillation and config.distillation.gate
    return [read, gate.model_dump(mode="json")] if gate else read


def _holds(artifact: Path, base_path: Path) -> bool:
    """Whether the verdict is still about the latest version, or has led to it."""
    from serving.pushing import versions

    evaluation = json.loads((artifact / EVALUATION).read_bytes())
    compared = evaluation["baseline"]["version"] == versions.latest(base_path)
    return compared or led_to_latest(artifact, base_path)


@component(reads=_reads, valid=_holds)
def Evaluator(
    context: Context, transformed: Transformed, model: Model, evaluation: Output[Evaluation]
) -> Summary:
    """Measures the model and the pushed one on the same rows, and asks the gate."""
    from tfmtl.evaluation import Bounds, check, differences
    from tfmtl.models.saved import load_model
    from tfmtl.training.evaluating import measure

    def on_batch(done: int, total: int, note: str) -> None:
        context.progress(done, total, "examples", note)

    config = context.config
    result = measure(load_model(model.path), config, transformed.path, on_batch=on_batch)
    baseline = _baseline(context, transformed.path)
    other = baseline.result
    tasks, its = result.tasks, other.tasks if other else None

    def bounds(confidence: float) -> Bounds:
        compared = differences(result, other, confidence) if other else None
        return Bounds(result.intervals(confidence), compared)

    unmeasured = None
    if baseline.version and not other:
        unmeasured = f"version {baseline.version}: {baseline.reason}"
    verdict = check(config.gate, tasks, its, unmeasured, bounds)
    verdict = _beside_teachers(config, model.path, tasks, verdict)
    found = {
        "tasks": tasks,
        "blessed": verdict.blessed,
        "reasons": list(verdict.reasons),
        "rules": [
            {"rule": f"{o.task} {o.metric} {o.bound}".strip(), **asdict(o)}
            for o in verdict.outcomes
        ],
        "baseline": {
            "version": baseline.version,
            "tasks": its,
            "differences": differences(result, other) if other else None,
            "reason": baseline.reason,
        },
    }
    path = evaluation.path / EVALUATION
    path.write_text(json.dumps(found, indent=2, allow_nan=False), encoding="utf-8")
    held = sum(outcome.holds for outcome in verdict.outcomes)
    word = "blessed" if verdict.blessed else "not blessed"
    return {
        "blessed": verdict.blessed,
        "headline": f"{word}, {held} of {len(verdict.outcomes)} rules hold",
        "lines": _lines(baseline),
        "metrics": {name: figures["overall"] for name, figures in tasks.items()},
    }


def _beside_teachers(
    config: Config, model: Path, tasks: Mapping[str, Any], verdict: "Verdict"
) -> "Verdict":
    """The verdict on a model that also has to come near its teachers."""
    path = model / TEACHERS
    if not path.is_file():
        return verdict
    beside = tuple(outcomes(config, json.loads(path.read_bytes()), tasks))
    if not beside:
        return verdict
    found = (*verdict.outcomes, *beside)
    reasons = tuple(outcome.text for outcome in found if not outcome.holds)
    return replace(verdict, blessed=not reasons, reasons=reasons, outcomes=found)


def _baseline(context: Context, transformed: Path) -> Baseline:
    """Measures the latest pushed version, whose inputs are translated."""
    from serving.pushing import versions
    from tfmtl.models.saved import load_config, load_model
    from tfmtl.training.evaluating import measure, shared_tasks
    from tfmtl.training.translation import Translation

    config = context.config
    base_path = context.serving / config.served_name
    version = versions.latest(base_path)
    if version is None:
        return Baseline()
    home = base_path / str(version) / versions.KERAS_MODEL

    def on_batch(done: int, total: int, note: str) -> None:
        context.progress(done, total, "examples", f"version {version}")

    try:
        its = load_config(home)
        if not shared_tasks(config, its):
            return Baseline(version, None, f"it has none of the tasks {', '.join(config.tasks)}")
        model, translation = load_model(home), Translation(config, transformed, home)
        result = measure(model, config, transformed, translate=translation, on_batch=on_batch)
    except PipelineError:  # someone stopped the run
        raise
    except Exception as error:  # files of another release, or changed by hand, fail in any way
        return Baseline(version, None, one_line(error))
    return Baseline(version, result, _not_compared(config, its))


def _not_compared(config: Config, other: Config) -> str | None:
    """Which tasks only one of the two models has, in one line; None where both have the same."""
    from tfmtl.training.evaluating import shared_tasks

    shared = shared_tasks(config, other)
    parts = []
    for name, task in config.tasks.items():
        if name in other.tasks and name not in shared:
            kind = other.tasks[name].kind
            parts.append(f"its task '{name}' is of kind {kind}, here it is of {task.kind}")
    new = [f"'{name}'" for name in config.tasks if name not in other.tasks]
    gone = [f"'{name}'" for name in other.tasks if name not in config.tasks]
    parts += [f"it lacks {', '.join(new)}"] * bool(new)
    parts += [f"it alone has {', '.join(gone)}"] * bool(gone)
    return f"not compared: {'; '.join(parts)}" if parts else None


def _lines(baseline: Baseline) -> list[str]:
    if baseline.reason is None:
        return []
    failed = "" if baseline.result else "could not be measured: "
    return [f"pushed version {baseline.version}: {failed}{baseline.reason}"]
