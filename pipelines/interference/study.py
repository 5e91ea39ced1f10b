"""The whole study: data steps once, all models, the comparison, and its page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines.artifacts import Transformed
from pipelines.interference.checks import check
from pipelines.interference.comparing import ARTIFACT, REPORT, comparison
from pipelines.interference.models import plan
from pipelines.interference.page import page
from pipelines.pipeline import components, until
from pipelines.runner import run
from pipelines.storage.directories import read_json, replace_file
from tfmtl.config import Config

PAGE = "interference.html"


def study(
    config: Config,
    data: Path,
    output: Path,
    seeds: int = 1,
    tasks: Sequence[str] | None = None,
    scenarios: bool = False,
    console: Console | None = None,
    reuse: Sequence[Path] = (),
) -> dict[str, Any]:
    """Trains all models, compares them and writes `interference.json` and `interference.html`.

    Args:
        config: of the joint model.
        data: directory of the raw files.
        output: the report's directory, a run's.
        seeds: how many seeds every model is trained with: the configuration's and those after it.
        tasks: the tasks that are trained alone; all where not given.
        scenarios: whether every scenario is compared with a model of its rows alone.
        console: where progress is shown.
        reuse: other runs' directories, whose data steps need not run again.

    Returns:
        What was found, as in `interference.json`.

    Raises:
        ConfigError: the configuration has nothing that could interfere.
        PipelineError: a step cannot go on.
    """
    check(config, tasks, scenarios)
    config = config.model_copy(update={"tuner": None, "bulk_inference": None})
    values = config.scenario.values if scenarios and config.scenario else []
    numbers = range(config.seed, config.seed + seeds)
    # A model of the only task would be the joint one again.
    alone = (tasks or list(config.tasks)) if len(config.tasks) > 1 else []
    steps, models = plan(config, numbers, alone, values)
    pipeline = [*until(Transformed, components(config)), *steps, comparison(models)]
    published = {REPORT: f"{ARTIFACT}/{REPORT}"}
    run(pipeline, config, data, output, console, published, reuse=reuse)
    found = read_json(output / REPORT)
    replace_file(output / PAGE, page(found))
    return found
