"""InfraValidator: the SavedModel, and whether stock TF Serving would load and run it.

The SavedModel is loaded through TensorFlow's C API in a fresh process. Every signature runs at
batch 1 and 4, its answers must equal those of the model in memory, the warm-up requests are
replayed, and memory and latency are measured. Nothing but what is fit is pushed.
"""

import json
from pathlib import Path
from typing import Any

from pipelines.artifacts import Examples, Infra, Model, Output
from pipelines.components.base import Context, Summary, component
from pipelines.storage.directories import read_marker
from tfmtl.config import Config

SAVED_MODEL, INFRA = "saved_model", "infra.json"
_BATCH, _TIMED = 4, (1, 100)


def _reads(config: Config) -> Any:
    read = config.model_dump(mode="json", include={"features", "scenario", "source", "tasks"})
    return [read, config.served_name]


def _finished(artifact: Path, base_path: Path) -> bool:
    """Whether the model has told: a process that a short machine ended is asked again."""
    finished: bool = json.loads((artifact / INFRA).read_bytes())["finished"]
    return finished


@component(reads=_reads, valid=_finished)
def InfraValidator(
    context: Context, examples: Examples, model: Model, infra: Output[Infra]
) -> Summary:
    """Writes the SavedModel and asks it in the place of TF Serving.

    The artifact holds `saved_model/` and `infra.json`: `fit`, the `reasons` where it is not,
    whether the process `finished`, `load_seconds`, `memory` in bytes, `latency` in milliseconds by
    signature and batch, and the number of `warmup_records`. A model that is not fit does not end
    the run; the Pusher refuses it.
    """
    from pipelines.served_rows import served_rows
    from serving.exporting import parameters, write_saved_model
    from serving.validation.examples import example_requests
    from serving.validation.infra import validate
    from serving.validation.parity import TOLERANCE, differences
    from tfmtl.models.saved import load_model

    home, directory = model.path, infra.path / SAVED_MODEL
    trained = load_model(home)
    rows = served_rows(examples.path, context.config)
    context.progress(0, 2, "checks", "export")
    write_saved_model(trained, home, directory, rows)
    context.progress(1, 2, "checks", "requests")
    asked = [example_requests(trained, home, batch) for batch in (1, _BATCH)]
    report = validate(
        directory,
        *asked,
        timed={batch: example_requests(trained, home, batch, rows) for batch in _TIMED},
        batching=True,
        parameters=parameters(trained, home),
    )
    reasons = list(report.reasons)
    for requests, answers in zip(asked, report.answers, strict=True):
        reasons += differences(trained, home, requests, answers)
    marker = read_marker(home)
    told = {
        "fit": not reasons,
        "reasons": reasons,
        "finished": report.finished,
        "load_seconds": round(report.load_seconds, 3),
        "memory": report.memory,
        "latency": report.latency,
        "warmup_records": report.warmup_records,
        "model": marker.fingerprint if marker else None,
    }
    (infra.path / INFRA).write_text(json.dumps(told, indent=2), encoding="utf-8")
    if reasons:
        headline = f"unfit: TF Serving would refuse the model: {reasons[0]}"
    else:
        headline = (
            f"loads in {report.load_seconds:.2f} s as in TF Serving, answers equal to {TOLERANCE}"
        )
    summary = {key: told[key] for key in ("fit", "load_seconds", "memory", "latency")}
    return {**summary, "headline": headline, "lines": _lines(report, reasons)}


def _lines(report: Any, reasons: list[str]) -> list[str]:
    """What is printed below the headline: further reasons, or what serving costs."""
    if reasons:
        return reasons[1:]
    used = {name: size / 1e6 for name, size in report.memory.items()}
    lines = [
        f"memory {used['loaded'] - used['before']:,.0f} MB for the model, {used['peak']:,.0f} MB "
        f"at the peak of the process; {report.warmup_records} warm-up requests replayed"
    ]
    for signature, batches in report.latency.items():
        figures = (
            f"batch {batch} {times['p50']:.2f} / {times['p99']:.2f}"
            for batch, times in batches.items()
        )
        lines.append(f"{signature}: {', '.join(figures)} ms (p50 / p99)")
    return lines
