"""What the tasks a model had have lost in its fine-tuning."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.components.base import Context, PipelineError
from pipelines.failures import one_line
from pipelines.main_metrics import loss, main_figure, main_metric
from tfmtl.config import Config, load
from tfmtl.evaluation.verdicts import Outcome

NEW, RUN = "new", "run"
"""The test rows of the tuning's data, and those of the run that is tuned."""
_SLACK = 1e-12
TITLES = {NEW: "new test rows", RUN: "the run's test rows"}


@dataclass(frozen=True)
class Base:
    """What a tuning starts from.

    Attributes:
        model: directory of the trained model.
        run: directory of the run that it is of.
        version: its number among the pushed ones.
    """

    model: Path
    run: Path
    version: int

    @property
    def rows(self) -> Path:
        """The run's transformed examples."""
        return self.run / "artifacts" / "transformed"


def forgetting(
    context: Context, base: Base, model: Path, transformed: Path, evaluation: Mapping[str, Any]
) -> dict[str, Any]:
    """Measures the tasks that both models have on the same rows, before and after.

    Args:
        context: the runner's.
        base: what was tuned.
        model: directory of the tuned model.
        transformed: Transform's artifact of the newer data.
        evaluation: what Evaluator measured of both on these.

    Returns:
        `{"version": of the base, "tasks": {task: {"metric": name, "limit": x, "rows": {"new":
        {"before": x, "after": x, "loss": x}, "run": ...}}}, "reasons": [which rows could not be
        read, and why]}`.
    """
    config = context.config
    found: dict[str, dict[str, tuple[Any, Any]]] = {}
    reasons: list[str] = []
    rows = {NEW: (config, transformed)}
    if (base.rows / "test").is_dir() and (base.run / "model" / "config.yaml").is_file():
        rows[RUN] = (load(base.run / "model" / "config.yaml"), base.rows)
    else:
        reasons.append(f"{TITLES[RUN]} are gone")
    known, compared_with = evaluation["tasks"], evaluation["baseline"]
    same = compared_with["version"] == base.version and compared_with["tasks"]
    for name, (made_with, directory) in rows.items():
        try:
            before, after = compared_with["tasks"], known
            if name == RUN or not same:
                before = _measured(context, base.model, made_with, directory, TITLES[name])
            if name == RUN:
                after = _measured(context, model, made_with, directory, TITLES[name])
        except PipelineError:  # someone stopped the run
            raise
        except Exception as error:  # rows of another release, or changed by hand, fail in any way
            reasons.append(f"{TITLES[name]}: {one_line(error)}")
            continue
        found[name] = {task: (before[task], after[task]) for task in before if task in after}
    compared = {task: _task(config, task, found) for task in config.tasks}
    compared = {t: one for t, one in compared.items() if one["rows"] or one["limit"] is not None}
    return {
        "version": base.version,
        "tasks": compared,
        "reasons": reasons,
    }


def outcomes(tasks: Mapping[str, Any]) -> Iterator[Outcome]:
    """What came of every limit; one of a task that could be measured nowhere does not hold.

    Args:
        tasks: as `forgetting` gives them.
    """
    for task, one in tasks.items():
        limit, metric = one["limit"], one["metric"]
        if limit is None:
            continue
        known = {name: f for name, f in one["rows"].items() if f["loss"] is not None}
        if not known:
            text = f"{task} {metric}: undefined on these rows, so its loss by tuning is not known"
            yield Outcome(task, metric, "finetuning.limit", "overall", None, limit, False, text)
        for name, figures in known.items():
            holds = figures["loss"] <= limit + _SLACK
            text = (
                f"{task} {metric} went from {figures['before']:.4f} to {figures['after']:.4f} on "
                f"{TITLES[name]}, {'within' if holds else 'beyond'} finetuning.limit {limit:g}"
            )
            yield Outcome(
                task, metric, "finetuning.limit", "overall", figures["after"], limit, holds, text
            )


def lines_of(found: Mapping[str, Any]) -> list[str]:
    """What was found, a line for every task and every kind of rows."""
    lines = []
    for task, one in found["tasks"].items():
        for name, figures in one["rows"].items():
            before, after = figures["before"], figures["after"]
            if before is None or after is None:
                continue
            limit = f", may lose {one['limit']:g}" if one["limit"] is not None else ""
            lines.append(
                f"{task} {one['metric']} on {TITLES[name]}: {before:.4f} -> {after:.4f} "
                f"({after - before:+.4f}{limit})"
            )
    return [*lines, *(f"not compared: {reason}" for reason in found["reasons"])]


def _task(config: Config, task: str, found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    metric = main_metric(config, task)
    for name, measured in found.items():
        if task not in measured:
            continue
        before, after = (main_figure(config, task, one["overall"]) for one in measured[task])
        lost = None if before is None or after is None else loss(metric, before, after)
        rows[name] = {"before": before, "after": after, "loss": lost}
    return {"metric": metric, "limit": config.finetuning.limit.get(task), "rows": rows}


def _measured(
    context: Context, model: Path, config: Config, rows: Path, note: str
) -> dict[str, Any]:
    """A model's metrics on rows that were made for another, by task."""
    from tfmtl.models.saved import load_model
    from tfmtl.training.evaluating import measure
    from tfmtl.training.translation import Translation

    def on_batch(done: int, total: int, _: str) -> None:
        context.progress(done, total, "examples", note)

    translation = Translation(config, rows, model)
    return measure(
        load_model(model), config, rows, translate=translation, on_batch=on_batch, in_full=False
    ).tasks
