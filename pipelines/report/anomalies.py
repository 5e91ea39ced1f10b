"""What is wrong with the data, as ExampleValidator found it."""

from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2 as pb

from pipelines.report.facts import Facts
from pipelines.report.html import Markup, details, element, note, section, table
from pipelines.report.numbers import shown

_COMPONENT, _FILE = "ExampleValidator", "anomalies.pbtxt"
_FIRST = 8


class Anomaly(NamedTuple):
    """One thing that is wrong.

    Attributes:
        severity: `error` or `warning`.
        column: the column; empty for the data as a whole.
        kind: what it is, in few words.
        text: what was found and what can be done.
    """

    severity: str
    column: str
    kind: str
    text: str


def anomalies(facts: Facts) -> Markup | None:
    """The anomalies, the gravest first, and how far columns have drifted."""
    found = _read(facts)
    if found is None:
        return None
    listed = sorted(_listed(found), key=lambda anomaly: anomaly.severity != "error")
    parts: list[Markup] = []
    if listed:
        parts.append(note("Where the rows are not as the schema and the tasks would have them."))
        parts.append(_items(listed[:_FIRST]))
        if listed[_FIRST:]:
            parts.append(details(f"{len(listed) - _FIRST:,} more", _items(listed[_FIRST:])))
    else:
        parts.append(note("Nothing is wrong, as far as the schema and the tasks tell."))
    distances = list(_distances(found))
    if distances:
        header = ("column", "compared", "distance", "allowed")
        parts.append(details("Drift and skew of the columns", table(header, distances)))
    return section("Anomalies", *parts, id_="anomalies")


def _read(facts: Facts) -> pb.Anomalies | None:
    """What the last run found; None where it did not get to."""
    step = next(
        (s for s in (facts.run.steps if facts.run else ()) if s.component == _COMPONENT), None
    )
    if step is None:
        return None
    # A run that is stopped by its anomalies leaves them outside of the artifact.
    home = facts.directory if step.error else facts.directory / "artifacts" / "anomalies"
    try:
        return text_format.Parse((home / _FILE).read_text(encoding="utf-8"), pb.Anomalies())
    except (OSError, UnicodeDecodeError, text_format.ParseError):
        return None


def _listed(found: pb.Anomalies) -> Iterator[Anomaly]:
    whole = [("", found.dataset_anomaly_info)] if found.HasField("dataset_anomaly_info") else []
    for column, info in [*whole, *sorted(found.anomaly_info.items())]:
        severity = "error" if info.severity == pb.AnomalyInfo.ERROR else "warning"
        if not info.reason:
            yield Anomaly(severity, column, info.short_description, info.description)
        for reason in info.reason:
            yield Anomaly(severity, column, reason.short_description, reason.description)


def _items(listed: list[Anomaly]) -> Markup:
    lines = []
    for severity, column, kind, text in listed:
        word = element("b", severity, class_="bad" if severity == "error" else "idle")
        name = f"{column}: {kind}" if column else kind
        told = element("span", element("strong", name), text, class_="stack")
        lines.append(element("li", word, told))
    return element("ul", *lines, class_="rules")


def _distances(found: pb.Anomalies) -> Iterator[tuple[str, str, str, str]]:
    for info in found.drift_skew_info:
        column = ".".join(info.path.step)
        for name, measured in (
            ("earlier rows", info.drift_measurements),
            ("other splits", info.skew_measurements),
        ):
            for one in measured:
                yield column, name, shown(one.value, 3), shown(one.threshold, 3)
