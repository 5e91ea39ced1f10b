"""A pipeline of three small components that write real files, for tests of the runner and the CLI.

Run as a script it is `tfmtl` with this pipeline: `python fake_pipeline.py run CONFIG ...`. What a
component shall do wrong is said in the environment, FAKE_TROUBLE=COMPONENT:TROUBLE.
"""

import errno
import json
import os
import signal
import sys
import time
import types
from pathlib import Path

from pipelines.artifacts import Evaluation, Examples, Model, Output, Pushed
from pipelines.components.base import Context, PipelineError, Summary, component
from tfmtl.config import Config, parse

RULES = [
    {
        "rule": "click auc at_least",
        "figure": 0.71,
        "limit": 0.65,
        "holds": True,
        "text": "click auc is 0.71, at least 0.65",
    }
]
EPOCHS = [
    {
        "epoch": n,
        "seconds": 2.0,
        "examples_per_second": 1500.0,
        "loss/click": 0.3 / n,
        "val_loss/click": 0.4 / n,
        "loss/retrieve": 7.0 - n,
    }
    for n in (1, 2, 3)
]
FIGURES = {"rows": 1200, "auc": 0.71, "log_loss": 0.19, "gauc": None}


def make_config(**changes: object) -> Config:
    raw = {
        "name": "tiny",
        "source": {"impressions": {"path": "rows.csv"}},
        "features": {"item": [{"name": "item_id", "kind": "id"}]},
        "tasks": {"click": {"kind": "binary", "label": "click"}},
    }
    return parse({**raw, **changes})


def make_data(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "rows.csv").write_text("user_id,item_id,timestamp,click\nu,i,1,0\n")
    return directory


def executed(output: Path) -> list[str]:
    """Names of the components that ran, in their order."""
    log = output / "executed.txt"
    return log.read_text().split() if log.exists() else []


def _begin(context: Context, output: Output, name: str) -> None:
    with (context.run / "executed.txt").open("a") as log:
        log.write(f"{name}\n")
    (output.path / "begun").write_text("half")
    wanted, _, trouble = os.environ.get("FAKE_TROUBLE", "").partition(":")
    if wanted != name:
        return
    if trouble == "refuse":
        raise PipelineError("every row is bad, expected at least one good;\n check the delimiter")
    if trouble == "disk":
        raise OSError(errno.ENOSPC, "No space left on device")
    if trouble == "wrapped-disk":
        raise RuntimeError("worker died: OSError: [Errno 28] No space left on device")
    if trouble == "bug":
        raise KeyError("nobody foresaw this")
    if trouble == "hang":
        print("hanging", flush=True)
        time.sleep(60)


@component(reads=lambda config: config.source.model_dump(), raw=True)
def ExampleGen(context: Context, examples: Output[Examples]) -> Summary:
    _begin(context, examples, "ExampleGen")
    rows = (context.data / "rows.csv").read_text().splitlines()[1:]
    context.progress(len(rows), len(rows), "rows")
    (examples.path / "rows.txt").write_text("\n".join(rows))
    return {
        "headline": f"{len(rows)} rows",
        "rows": len(rows) + 2,
        "kept": len(rows),
        "rejected": {"wrong number of fields": 2},
        "dead_letters": {"rows": 2, "path": "dead_letters"},
    }


@component(reads=lambda config: config.training.model_dump())
def Trainer(context: Context, examples: Examples, model: Output[Model]) -> Summary:
    _begin(context, model, "Trainer")
    rows = (examples.path / "rows.txt").read_text()
    for epoch in range(3):
        context.progress(len(rows), len(rows), "examples", f"epoch {epoch + 1}")
    (model.path / "model.keras").write_text(rows)
    (model.path / "history.json").write_text(json.dumps({"epochs": EPOCHS}))
    return {"headline": f"lr {context.config.training.optimizer.dense.learning_rate}"}


@component(reads=lambda config: [rule.model_dump() for rule in config.gate], cached=False)
def Evaluator(
    context: Context, examples: Examples, model: Model, evaluation: Output[Evaluation]
) -> Summary:
    _begin(context, evaluation, "Evaluator")
    blessed = bool(context.config.gate)
    tasks = {
        "click": {"overall": FIGURES, "slices": {"device": {"<b>web</b>": FIGURES}}},
        "retrieve": {"overall": {"recall@10": 0.3}, "slices": {}},
    }
    found = {"tasks": tasks, "blessed": blessed, "rules": RULES if blessed else []}
    (evaluation.path / "evaluation.json").write_text(json.dumps(found))
    return {"headline": "blessed" if blessed else "no thresholds declared"}


@component(reads=lambda config: config.served_name)
def Pusher(context: Context, evaluation: Evaluation, pushed: Output[Pushed]) -> Summary:
    _begin(context, pushed, "Pusher")
    blessed = json.loads((evaluation.path / "evaluation.json").read_text())["blessed"]
    path = context.run / "serving" / "tiny" / "1"
    if blessed:
        path.mkdir(parents=True, exist_ok=True)
    told = {"version": 1 if blessed else None, "name": "tiny"}
    (pushed.path / "pushed.json").write_text(json.dumps({**told, "blessed": blessed}))
    return {}


COMPONENTS = (ExampleGen, Trainer, Evaluator, Pusher)
PUBLISHED = {"evaluation.json": "evaluation/evaluation.json", "model": "model"}


if __name__ == "__main__":
    stand_in = types.ModuleType("pipelines.pipeline")
    vars(stand_in).update(components=lambda config: COMPONENTS, PUBLISHED=PUBLISHED)
    sys.modules["pipelines.pipeline"] = stand_in
    # A shell that runs the tests in the background has SIGINT ignored in all it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from pipelines.cli import main

    main()
