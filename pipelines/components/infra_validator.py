"""InfraValidator: the SavedModel, and whether stock TF Serving would load and run it.

The SavedModel is loaded through TensorFlow's C API in a fresh process. Every signature runs at
batch 1 and 4, its answers must equal those of the model in memory, the warm-up requests are
replayed, and memory and latency are measured. Nothing but what is fit is pushed.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.artifacts import Examples, Infra, Model, Output
from pipelines.components.base import Context, Progress, Summary, component
from pipelines.storage.directories import read_marker
from tfmtl.config import Config

if TYPE_CHECKING:
    import numpy as np

    from tfmtl.models.compression import Compression
    from tfmtl.models.multi_task import MultiTaskModel

SAVED_MODEL, INFRA = "saved_model", "infra.json"
_BATCH, _TIMED = 4, (1, 100)


def _reads(config: Config) -> Any:
    read = config.model_dump(mode="json", include={"features", "scenario", "source", "tasks"})
    served = config.serving.model_dump(mode="json", exclude={"name", "keep_versions", "variants"})
    return [read, config.served_name, served]


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
    signature and batch, the number of `warmup_records`, and what the `index` says of itself. A
    model that is not fit does not end the run; the Pusher refuses it.
    """
    from pipelines.served_rows import served_rows
    from serving.validation.parity import TOLERANCE
    from tfmtl.models.saved import load_model

    home = model.path
    rows = served_rows(examples.path, context.config)
    marker = read_marker(home)
    # A model that was trained before may be served otherwise now.
    trained = load_model(home, context.config.serving)
    told = checked(trained, home, infra.path / SAVED_MODEL, rows, context.progress)
    told["model"] = marker.fingerprint if marker else None
    (infra.path / INFRA).write_text(json.dumps(told, indent=2), encoding="utf-8")
    if told["reasons"]:
        headline = f"unfit: TF Serving would refuse the model: {told['reasons'][0]}"
    else:
        headline = (
            f"loads in {told['load_seconds']:.2f} s as in TF Serving, answers equal to {TOLERANCE}"
        )
    summary = {key: told[key] for key in ("fit", "load_seconds", "memory", "latency")}
    return {**summary, "headline": headline, "lines": _lines(told)}


def checked(
    trained: "MultiTaskModel",
    home: Path,
    directory: Path,
    rows: Mapping[str, "np.ndarray"],
    progress: Progress,
    compression: "Compression | None" = None,
) -> dict[str, Any]:
    """Writes a model's SavedModel, asks it as TF Serving would, and compares its answers.

    Args:
        trained: the model.
        home: its directory.
        directory: where the SavedModel goes.
        rows: rows of the log by raw column, which requests are made of.
        progress: told how many of the two halves are done.
        compression: the weights of a variant; its answers are compared with the model's as the
            weights then are.

    Returns:
        What `infra.json` holds, but for the model's fingerprint.
    """
    from serving.exporting import write_saved_model
    from serving.index.describing import read_index
    from serving.validation.examples import example_requests, timed_requests
    from serving.validation.infra import validate
    from serving.validation.parity import Parity

    progress(0, 2, "checks", "export")
    parameters = write_saved_model(trained, home, directory, rows, compression)
    progress(1, 2, "checks", "requests")
    asked = [example_requests(trained, home, batch) for batch in (1, _BATCH)]
    report = validate(
        directory,
        *asked,
        timed={batch: timed_requests(trained, home, batch, rows) for batch in _TIMED},
        batching=True,
        parameters=parameters,
    )
    reasons = list(report.reasons)
    index = read_index(directory)
    parity = Parity(compression.unpacked() if compression else trained, home, index)
    for requests, answers in zip(asked, report.answers, strict=True):
        reasons += parity.differences(requests, answers)
    return {
        "fit": not reasons,
        "reasons": reasons,
        "finished": report.finished,
        "load_seconds": round(report.load_seconds, 3),
        "memory": report.memory,
        "latency": report.latency,
        "warmup_records": report.warmup_records,
        "index": index,
    }


def _lines(told: Mapping[str, Any]) -> list[str]:
    """What is printed below the headline: further reasons, or what serving costs."""
    from serving.index.describing import described

    if told["reasons"]:
        return list(told["reasons"][1:])
    used = {name: size / 1e6 for name, size in told["memory"].items()}
    lines = [
        f"memory {used['loaded'] - used['before']:,.0f} MB for the model, {used['peak']:,.0f} MB "
        f"at the peak of the process; {told['warmup_records']} warm-up requests replayed"
    ]
    if told["index"]:
        lines.append(described(told["index"]))
    for signature, batches in told["latency"].items():
        figures = (
            f"batch {batch} {times['p50']:.2f} / {times['p99']:.2f}"
            for batch, times in batches.items()
        )
        lines.append(f"{signature}: {', '.join(figures)} ms (p50 / p99)")
    return lines
