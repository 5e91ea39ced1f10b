"""Everything that is checked of the statistics: against the tasks, the schema and one another."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from pipelines.preprocess.comparisons import compare
from pipelines.preprocess.findings import Distance, Finding, graded
from pipelines.preprocess.learnability import LabelMeans, check_learnable
from pipelines.preprocess.schema_checks import check_columns, check_split
from pipelines.preprocess.statistics_proto import Statistics, by_name
from tfmtl.config import Config, LabelRate
from tfmtl.preprocessing.columns import SPLITS


@dataclass(frozen=True)
class Observed:
    """What the run knows of its data.

    Attributes:
        splits: statistics by split.
        label_means: by split.
        classes: rows by task, split and class, as `class_counts.write_classes` gives them.
        unread: columns of the raw tables of which there are no statistics.
        baseline: statistics that the training rows are compared with, if there are any.
    """

    splits: Mapping[str, Statistics]
    label_means: Mapping[str, LabelMeans]
    classes: Mapping[str, Mapping[str, Any]]
    unread: Collection[str] = ()
    baseline: Statistics | None = None


def find(
    config: Config, observed: Observed, schema: schema_pb2.Schema
) -> tuple[list[Finding], list[Distance]]:
    """Compares what was observed with what the configuration needs and the schema says.

    Returns:
        The anomalies, the gravest first, and all distances between datasets.
    """
    train = observed.splits[SPLITS[0]]
    rows = {name: split.num_examples for name, split in observed.splits.items()}
    means = observed.label_means[SPLITS[0]]
    findings = [*check_learnable(config, rows, means, observed.classes)]
    findings += check_columns(train, schema, observed.unread)
    distances: list[Distance] = []
    fewest = config.validation.compared_from
    for name in SPLITS:
        split = observed.splits[name]
        findings += check_split(split, schema)
        findings += _label_rates(config.validation.label_rates, observed, name)
        if name != SPLITS[0]:
            names = "training", name
            skew, measured = compare("skew", train, split, schema, names, fewest)
            findings, distances = findings + skew, distances + measured
    if observed.baseline is not None:
        names = "the baseline", "this run"
        drift, measured = compare("drift", observed.baseline, train, schema, names, fewest)
        findings, distances = findings + drift, distances + measured
    return graded(findings, config.validation), distances


def _label_rates(rules: list[LabelRate], observed: Observed, split: str) -> Iterator[Finding]:
    for rule in rules:
        where = f"the {split} rows" + (f" of {rule.scenario}" if rule.scenario else "")
        mean = _mean(rule, observed, split)
        if mean is None:
            continue
        problem = None
        if rule.at_least is not None and mean < rule.at_least:
            problem = f"below {rule.at_least:g}"
        elif rule.at_most is not None and mean > rule.at_most:
            problem = f"above {rule.at_most:g}"
        if problem:
            yield Finding(
                rule.label,
                "label_rate",
                "CUSTOM_VALIDATION",
                "Label rate out of bounds",
                f"label '{rule.label}' has a mean of {mean:.4g} in {where}, {problem}",
            )


def _mean(rule: LabelRate, observed: Observed, split: str) -> float | None:
    """The label's mean, None where there is no label."""
    if rule.scenario is not None:
        return observed.label_means[split][rule.scenario][rule.label]
    numbers = by_name(observed.splits[split])[rule.label].num_stats
    return numbers.mean if numbers.common_stats.num_non_missing else None
