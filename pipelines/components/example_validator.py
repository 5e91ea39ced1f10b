"""ExampleValidator: says what is wrong with the data, and stops the run where it is too much.

Leaves anomalies.pb and anomalies.pbtxt, which is the same for people, and the statistics of the
training rows for the next run to be compared with: accepted.pb, and baseline.pb for those that
these were compared with.
"""

import shutil
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from pipelines import artifacts
from pipelines.artifacts import Output
from pipelines.components.base import Context, PipelineError, Summary, component
from pipelines.components.schema_gen import SCHEMA, file_digest
from pipelines.preprocess.anomalies import Observed, find
from pipelines.preprocess.findings import Finding, to_proto
from pipelines.preprocess.schemas import read_schema
from pipelines.preprocess.statistics_proto import Statistics, read_statistics, write_statistics
from pipelines.preprocess.writing import read_json
from tfmtl.config import Config
from tfmtl.preprocessing.columns import SPLITS

ANOMALIES = "anomalies.pbtxt"
_ACCEPTED, _BASELINE = "accepted.pb", "baseline.pb"
_LINES = 10
"""Anomalies that are printed; the others are in the file."""


def _reads(config: Config) -> Any:
    return {
        "tasks": {
            name: task.model_dump(
                mode="json", include={"kind", "label", "labels", "positive", "scenarios"}
            )
            for name, task in config.tasks.items()
        },
        "labels": [*config.label_columns, *config.class_columns],
        "split": config.split.model_dump(mode="json"),
        "validation": config.validation.model_dump(
            mode="json", exclude={"pinned", "max_missing", "max_unseen", "drift", "skew", "exempt"}
        ),
        "baseline": file_digest(config.validation.baseline),
    }


@component(reads=_reads)
def ExampleValidator(
    ctx: Context,
    statistics: artifacts.Statistics,
    schema: artifacts.Schema,
    anomalies: Output[artifacts.Anomalies],
) -> Summary:
    """Checks statistics against the tasks, the schema, the baseline and one another.

    Raises:
        PipelineError: an anomaly that stops the run; all of them are then in the run's directory.
    """
    validation = ctx.config.validation
    splits = {
        dataset.name: dataset
        for dataset in read_statistics(statistics.path / "statistics.pb").datasets
    }
    summary = read_json(statistics.path / "summary.json")
    train = splits[SPLITS[0]]
    baseline = _baseline(ctx, train)
    observed = Observed(
        splits, summary["label_means"], summary["classes"], summary["columns"]["unread"], baseline
    )
    expected = read_schema(schema.path / SCHEMA)
    findings, distances = find(ctx.config, observed, expected)
    proto, output = to_proto(findings, distances, expected), anomalies.path
    text = text_format.MessageToString(proto, as_utf8=True)
    (output / ANOMALIES).write_text(text, encoding="utf-8")
    (output / "anomalies.pb").write_bytes(proto.SerializeToString(deterministic=True))
    stopping = [finding for finding in findings if finding.stops(validation)]
    if stopping:
        # The artifact is thrown away when the run stops.
        shutil.copy(output / ANOMALIES, ctx.run / ANOMALIES)
        shutil.copy(schema.path / SCHEMA, ctx.run / SCHEMA)
        more = f" (and {len(stopping) - 1} more)" if len(stopping) > 1 else ""
        raise PipelineError(f"{stopping[0].text}{more}; see {ctx.run / ANOMALIES}")
    write_statistics([train], output / _ACCEPTED)
    if baseline is not None:
        write_statistics([baseline], output / _BASELINE)
    return {
        "warnings": [finding.text for finding in findings],
        "kinds": _counts(findings),
        "compared": baseline is not None,
        "headline": _headline(findings),
        "lines": _lines(findings),
    }


def _baseline(ctx: Context, train: Statistics) -> Statistics | None:
    """The statistics that the training rows are compared with.

    The artifact of the last run that was not stopped is still in its place. A run over the same
    rows is compared with what that run was.
    """
    wanted = ctx.config.validation.baseline
    if wanted is None:
        return None
    if wanted != "previous":
        return _declared(Path(wanted))
    last = ctx.run / "artifacts" / artifacts.Anomalies.name
    if not (last / _ACCEPTED).exists():
        return None
    accepted = read_statistics(last / _ACCEPTED).datasets[0]
    if accepted != train:
        return accepted
    known = (last / _BASELINE).exists()
    return read_statistics(last / _BASELINE).datasets[0] if known else None


def _declared(path: Path) -> Statistics:
    try:
        datasets = read_statistics(path).datasets
    except (OSError, DecodeError) as error:
        raise PipelineError(f"validation.baseline: {path} cannot be read: {error}") from None
    for name in (SPLITS[0], "All Examples"):
        for dataset in datasets:
            if dataset.name == name or len(datasets) == 1:
                return dataset
    raise PipelineError(
        f"validation.baseline: {path} has no statistics of training rows; expected a dataset named "
        f"'{SPLITS[0]}' or 'All Examples', or one alone"
    )


def _counts(findings: list[Finding]) -> dict[str, int]:
    kinds = [finding.kind or "unlearnable" for finding in findings]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def _headline(findings: list[Finding]) -> str:
    counts = [
        f"{number:,} {severity}{'s' if number > 1 else ''}"
        for severity in ("error", "warning")
        if (number := sum(finding.severity == severity for finding in findings))
    ]
    return ", ".join(counts) or "no anomalies"


def _lines(findings: list[Finding]) -> list[str]:
    """The gravest findings, one line a column and kind."""
    grouped: dict[tuple[str, str | None], list[Finding]] = {}
    for finding in findings:
        grouped.setdefault((finding.column, finding.kind), []).append(finding)
    lines = [
        f"{own[0].severity}: {own[0].text}" + (f" (and {len(own) - 1} more)" if own[1:] else "")
        for own in list(grouped.values())[:_LINES]
    ]
    left = len(grouped) - _LINES
    return (
        [*lines, f"and {left:,} more, see artifacts/anomalies/{ANOMALIES}"] if left > 0 else lines
    )
