"""Whether a student is as good as its teachers, as far as it must be."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.main_metrics import loss, main_figure, main_metric
from tfmtl.config import Config
from tfmtl.config.evaluation import is_lower_better
from tfmtl.evaluation.verdicts import Outcome

_SLACK = 1e-12


def outcomes(
    config: Config, teachers: Mapping[str, Any], tasks: Mapping[str, Any]
) -> Iterator[Outcome]:
    """One for each task that is taught, held against the best of its teachers.

    Args:
        config: the student's configuration.
        teachers: what `teachers.json` holds.
        tasks: what was measured of the student, `{task: {"overall": {metric: x}}}`.
    """
    gate = config.distillation and config.distillation.gate
    if not gate:
        return
    for task in teachers["tasks"]:
        metric = main_metric(config, task)
        figure = main_figure(config, task, tasks[task]["overall"])
        best = _best(config, task, teachers)
        tolerance = gate.tolerance_of(task)
        if figure is None or best is None:
            text = f"{task} {metric}: undefined on these rows, so it cannot be compared"
            yield Outcome(task, metric, "teacher", "overall", figure, None, False, text)
            continue
        lower = is_lower_better(metric)
        limit = best * (1 + tolerance) if lower else best - tolerance
        holds = loss(metric, best, figure) <= tolerance + _SLACK
        allowed = f"{tolerance:.1%}" if lower else f"{tolerance:g}"
        side = ("above" if lower else "below") if not holds else "within"
        text = (
            f"{task} {metric} is {figure:.4f}, {side} {limit:.4f}: the teacher's {best:.4f} may be "
            f"missed by {allowed}"
        )
        yield Outcome(task, metric, "teacher", "overall", figure, limit, holds, text)


def _best(config: Config, task: str, teachers: Mapping[str, Any]) -> float | None:
    found = [
        main_figure(config, task, one["metrics"][task])
        for one in teachers["teachers"]
        if task in one["tasks"]
    ]
    known = [figure for figure in found if figure is not None]
    if not known:
        return None
    return min(known) if is_lower_better(main_metric(config, task)) else max(known)
