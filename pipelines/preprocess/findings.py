"""What was found wrong with the data, and its form in the protos of `tensorflow-metadata`."""

from collections.abc import Iterable
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import anomalies_pb2 as pb
from tensorflow_metadata.proto.v0 import schema_pb2

from tfmtl.config import AnomalyKind, Severity, Validation

WHOLE = ""
"""Stands for the column where an anomaly is of the data as a whole."""

_LEVELS: dict[Severity, int] = {
    "ignore": pb.AnomalyInfo.UNKNOWN,
    "warning": pb.AnomalyInfo.WARNING,
    "error": pb.AnomalyInfo.ERROR,
}


@dataclass(frozen=True)
class Finding:
    """One anomaly.

    Attributes:
        column: the column, `WHOLE` where it is of no column.
        kind: its kind; None where no model can be learnt from the data, which always stops the run.
        type: name of its `AnomalyInfo.Type`.
        short: what it is, in few words.
        text: what was found and what can be done, in one line.
        severity: `error` or `warning`.
    """

    column: str
    kind: AnomalyKind | None
    type: str
    short: str
    text: str
    severity: Severity = "error"

    def stops(self, validation: Validation) -> bool:
        """Whether the run must stop."""
        if self.kind is None:
            return True
        stopping = {"error": ("error",), "warning": ("error", "warning"), "never": ()}
        return self.severity in stopping[validation.stop_at]


@dataclass(frozen=True)
class Distance:
    """How far a column's values are from those of another dataset.

    Attributes:
        column: the column.
        kind: `drift` or `skew`.
        type: name of its `DriftSkewInfo.Measurement.Type`.
        value: the distance.
        threshold: what is allowed.
    """

    column: str
    kind: AnomalyKind
    type: str
    value: float
    threshold: float


def graded(findings: Iterable[Finding], validation: Validation) -> list[Finding]:
    """Findings with the configuration's severities, the gravest first, ignored ones left out."""
    known = []
    for finding in findings:
        severity = "error" if finding.kind is None else validation.severity_of(finding.kind)
        if severity != "ignore":
            known.append(
                Finding(
                    finding.column,
                    finding.kind,
                    finding.type,
                    finding.short,
                    finding.text,
                    severity,
                )
            )
    return sorted(known, key=lambda finding: (finding.kind is not None, -_LEVELS[finding.severity]))


def to_proto(
    findings: Iterable[Finding], distances: Iterable[Distance], schema: schema_pb2.Schema
) -> pb.Anomalies:
    """Findings and distances as `tensorflow-metadata` keeps them."""
    result = pb.Anomalies(baseline=schema)
    for finding in findings:
        info = (
            result.anomaly_info[finding.column] if finding.column else result.dataset_anomaly_info
        )
        if finding.column:
            info.path.step[:] = [finding.column]
        info.severity = max(info.severity, _LEVELS[finding.severity])
        info.reason.add(
            type=pb.AnomalyInfo.Type.Value(finding.type),
            short_description=finding.short,
            description=finding.text,
        )
        several = len(info.reason) > 1
        info.short_description = "Multiple errors" if several else finding.short
        info.description = " ".join(reason.description for reason in info.reason)
    by_column: dict[str, pb.DriftSkewInfo] = {}
    for distance in distances:
        if distance.column not in by_column:
            by_column[distance.column] = result.drift_skew_info.add()
            by_column[distance.column].path.step.append(distance.column)
        info = by_column[distance.column]
        measured = info.drift_measurements if distance.kind == "drift" else info.skew_measurements
        measured.add(
            type=pb.DriftSkewInfo.Measurement.Type.Value(distance.type),
            value=distance.value,
            threshold=distance.threshold,
        )
    return result
