"""A search: trial after trial, each a run of the pipeline up to the Trainer.

A trial runs in a directory of its own. It adopts every artifact that the main run or an earlier
trial has made from the same inputs, so that a search over learning rates transforms the data once.
"""

import gc
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines.caching.planning import ARTIFACTS
from pipelines.components.base import Component, Context, PipelineError, Summary
from pipelines.components.example_gen import ExampleGen
from pipelines.components.example_validator import ExampleValidator
from pipelines.components.schema_gen import SchemaGen
from pipelines.components.statistics_gen import StatisticsGen
from pipelines.components.trainer import Trainer
from pipelines.components.transform import Transform
from pipelines.failures import InterruptedRunError, is_disk_full, one_line
from pipelines.preprocess.writing import write_json
from pipelines.runner import run
from pipelines.tuner.best import RUN, write_best
from pipelines.tuner.hearing import Heard
from pipelines.tuner.measuring import figures, objective
from pipelines.tuner.sampling import size, suggest
from pipelines.tuner.table import best_lines
from pipelines.tuner.trials import Trial, Trials, best_of, same_values
from tfmtl.config import Config, ConfigError, parse
from tfmtl.config.durations import seconds
from tfmtl.config.searched import with_values

STEPS: tuple[Component, ...] = (
    ExampleGen,
    StatisticsGen,
    SchemaGen,
    ExampleValidator,
    Transform,
    Trainer,
)
"""What a trial runs. The examples are those of the main run."""

TRIALS = "trials.json"


def search(context: Context, output: Path) -> Summary:
    """Searches until all trials are done or their time is over.

    Args:
        context: the runner's, with the search in its configuration. A search that was killed goes
            on with the trials that `context.work` tells of.
        output: where the artifact goes.

    Returns:
        Trials, failures, the best values and figures.

    Raises:
        PipelineError: no trial has made a model.
    """
    tuner = context.config.tuner
    assert tuner is not None
    assert context.work is not None
    trials = Trials(context.work)
    done, total = trials.read(), size(tuner)
    _drop_models(trials, done, tuner.minimise)
    limit = seconds(tuner.timeout) if tuner.timeout else None
    while len(done) < total and (limit is None or sum(t.seconds for t in done) < limit):
        done.append(_next(context, trials, done, total))
        trials.record(done[-1])
        _drop_models(trials, done, tuner.minimise)
    best = next(iter(best_of(done, tuner.minimise)), None)
    if best is None:
        # Nothing is left to go on from, so that the next run tries anew.
        shutil.rmtree(context.work, ignore_errors=True)
        number = f"all {len(done)} trials" if len(done) > 1 else "the only trial"
        raise PipelineError(f"{number} failed; the first: {done[0].error}")
    _write(context.config, trials, done, best, output)
    failed = sum(trial.state == "failed" for trial in done)
    note = f", {failed} failed" if failed else ""
    return {
        "headline": f"{len(done)} trials{note}, best is {best.number}: {_told(best)}",
        "lines": best_lines(best_of(done, tuner.minimise), list(tuner.values)),
        "trials": len(done),
        "failed": failed,
        "best": best.number,
        "values": dict(best.values),
        "objective": best.objective,
        "figures": dict(best.figures),
    }


def _next(context: Context, trials: Trials, done: Sequence[Trial], total: int) -> Trial:
    """Draws the values of the next trial and makes its model, or takes over what an earlier one of
    the same values has shown."""
    tuner, number = context.config.tuner, len(done)
    assert tuner is not None
    values = suggest(tuner, context.config.seed, done)
    known = same_values(done, values)
    if known is not None:
        return Trial(number, values, known.state, known.objective, known.figures, 0.0, known.error)
    best = next(iter(best_of(done, tuner.minimise)), None)
    note = f"best so far {_told(best)}" if best else ""

    def hear(text: str) -> None:
        parts = (f"trial {number + 1} of {total}", note, text)
        context.progress(number, total, "trials", "; ".join(part for part in parts if part))

    hear("")
    others = [trials.directory(trial.number) for trial in done]
    reuse = [context.run, *(path for path in others if path.is_dir())]
    began = time.monotonic()
    try:
        found = _run(context, values, trials.directory(number), reuse, hear)
    except (PipelineError, ConfigError) as error:
        if isinstance(error, InterruptedRunError) or is_disk_full(error):
            raise
        lasted = round(time.monotonic() - began, 3)
        return Trial(number, values, "failed", None, {}, lasted, one_line(error))
    lasted = round(time.monotonic() - began, 3)
    return Trial(number, values, "complete", objective(tuner, found), found, lasted)


def _run(
    context: Context,
    values: dict[str, Any],
    directory: Path,
    reuse: Sequence[Path],
    hear: Callable[[str], None],
) -> dict[str, float]:
    """Makes a trial's model and measures it on the validation rows."""
    tuner = context.config.tuner
    assert tuner is not None
    config = parse(with_values(context.config, values), "a trial")
    _forget_models()
    console = Console(file=Heard(hear), width=200, markup=False, highlight=False)
    result = run(STEPS, config, context.data, directory, console, reuse=reuse)
    hear("measuring")
    epoch = result.steps[Trainer.name].summary["best_epoch"]
    return figures(tuner, config, directory / ARTIFACTS, epoch)


def _forget_models() -> None:
    """Frees what Keras keeps of earlier trials, and has it name layers as in a new process."""
    keras = sys.modules.get("keras")
    if keras is not None:
        keras.utils.clear_session()
        gc.collect()


def _drop_models(trials: Trials, done: Sequence[Trial], minimise: bool) -> None:
    """Removes the models of all trials but the best: with large tables the disk would fill."""
    best = next(iter(best_of(done, minimise)), None)
    for trial in done:
        if best is None or trial.number != best.number:
            model = trials.directory(trial.number) / ARTIFACTS / Trainer.produces
            shutil.rmtree(model, ignore_errors=True)


def _write(
    config: Config, trials: Trials, done: Sequence[Trial], best: Trial, output: Path
) -> None:
    """Writes the artifact; the best trial's artifacts are linked, not copied."""
    write_best(config, dict(best.values), output)
    rows = [
        {
            "number": trial.number,
            "values": dict(trial.values),
            "objective": trial.objective,
            "figures": dict(trial.figures),
            "state": trial.state,
            "seconds": trial.seconds,
            "error": trial.error,
        }
        for trial in done
    ]
    write_json({"best": best.number, "trials": rows}, output / TRIALS)
    made = trials.directory(best.number) / ARTIFACTS
    for step in STEPS[1:]:
        target = output / RUN / ARTIFACTS / step.produces
        shutil.copytree(made / step.produces, target, copy_function=os.link)


def _told(trial: Trial) -> str:
    """What a trial has shown, in a few words."""
    return ", ".join(f"{title} {value:.4f}" for title, value in trial.figures.items())
