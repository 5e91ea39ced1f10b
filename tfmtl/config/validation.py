"""What the data is checked against, and which anomalies stop a run."""

from typing import Annotated, Literal, Self, get_args

from pydantic import ConfigDict, Field, model_validator

from tfmtl.config.base import Spec

AnomalyKind = Literal[
    "missing_column",
    "new_column",
    "type",
    "range",
    "unseen_values",
    "missing_values",
    "value_counts",
    "row_count",
    "label_rate",
    "classes",
    "drift",
    "skew",
]
"""Kinds of anomalies whose severity can be chosen."""
Severity = Literal["error", "warning", "ignore"]

SEVERITIES: dict[AnomalyKind, Severity] = {
    "missing_column": "error",
    "new_column": "warning",
    "type": "error",
    "range": "warning",
    "unseen_values": "warning",
    "missing_values": "warning",
    "value_counts": "warning",
    "row_count": "error",
    "label_rate": "error",
    "classes": "warning",
    "drift": "warning",
    "skew": "warning",
}
"""How grave each kind is where nothing else is said."""

Share = Annotated[float, Field(ge=0, le=1)]


class Distances(Spec):
    """How far two distributions of a column may be apart, from 0, the same, to 1, nothing in
    common."""

    infinity_norm: Share | None = 0.1
    """Of texts: the largest difference of a value's share. Null does not compare them."""
    jensen_shannon: Share | None = 0.1
    """Of numbers: the Jensen-Shannon divergence of their histograms, in bits. Null does not compare
    them."""


class LabelRate(Spec):
    """Bounds of a label's mean, which of a label that is 0 or 1 is the rate of positives.

    Example:
        `{label: click, scenario: search, at_least: 0.01, at_most: 0.2}`
    """

    label: str
    """A label column of numbers."""
    scenario: str | None = None
    """The scenario whose rows count; all rows where not given."""
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"label rate of '{self.label}': give at_least, at_most or both")
        low, high = self.at_least, self.at_most
        if low is not None and high is not None and low > high:
            raise ValueError(
                f"label rate of '{self.label}': at_least {low:g} is above at_most {high:g}"
            )
        return self


class Validation(Spec):
    """How statistics are checked against a schema, the run before and one another.

    Example:
        `{schema: schema.pbtxt, stop_at: warning, severity: {new_column: ignore}}`
    """

    model_config = ConfigDict(serialize_by_alias=True)

    pinned: Annotated[str | None, Field(alias="schema")] = None
    """File of the schema, as a run leaves it in `schema.pbtxt`, perhaps edited; relative to the
    directory in which the run is started. Inferred from the training rows where not given."""
    baseline: str | None = "previous"
    """Statistics with which the training rows are compared: `previous` means those of the last run
    in the same output directory that was not stopped, else a file, as a run leaves it in
    `artifacts/statistics/statistics.pb`. Null compares with nothing."""
    stop_at: Literal["error", "warning", "never"] = "error"
    """The run stops at anomalies of this severity and above. Data from which no model can be
    learnt always stops it."""
    severity: dict[AnomalyKind, Severity] = {}
    """Severity by kind of anomaly, where it is not the usual one."""
    max_missing: Share = 0.5
    """Share of missing values that an inferred schema allows, where training rows have not more."""
    max_unseen: Share = 0.5
    """Share of values that no training row has which an inferred schema allows."""
    drift: Distances = Distances()
    """Distances an inferred schema allows between the baseline and the training rows."""
    skew: Distances = Distances()
    """Distances an inferred schema allows between training rows and validation or test rows."""
    compared_from: Annotated[int, Field(ge=1)] = 100
    """Values that a column needs in both datasets for its drift or skew to be measured; among few,
    distances are chance."""
    exempt: list[str] = []
    """Columns that an inferred schema does not compare; keys and the time never are."""
    label_rates: list[LabelRate] = []

    def severity_of(self, kind: AnomalyKind) -> Severity:
        """How grave anomalies of a kind are."""
        return self.severity.get(kind, SEVERITIES[kind])


assert set(SEVERITIES) == set(get_args(AnomalyKind))
