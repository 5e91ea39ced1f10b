"""Compares statistics with a schema, column by column."""

from collections.abc import Collection, Iterator

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from pipelines.preprocess.findings import WHOLE, Finding
from pipelines.preprocess.schemas import domain_of, is_checked
from pipelines.preprocess.statistics_proto import Column, Statistics, by_name, common_of
from pipelines.preprocess.text_statistics import UNSEEN

_SHOWN = 3
"""Values that are named where there are many."""


def check_columns(
    train: Statistics, schema: schema_pb2.Schema, unread: Collection[str]
) -> Iterator[Finding]:
    """Looks for columns that came or went.

    Args:
        train: statistics of the training rows.
        schema: what is expected.
        unread: columns of the raw tables of which there are no statistics.
    """
    known, found = {feature.name: feature for feature in schema.feature}, by_name(train)
    for name in [*found, *unread]:
        if name not in known:
            yield Finding(
                name,
                "new_column",
                "SCHEMA_NEW_COLUMN",
                "New column",
                f"column '{name}' is not in the schema; add it there, or leave it out of the data",
            )
    for name, feature in known.items():
        if name not in found and is_checked(feature):
            what = "is not read any more" if name in unread else "is missing in the data"
            yield Finding(
                name,
                "missing_column",
                "SCHEMA_MISSING_COLUMN",
                "Missing column",
                f"column '{name}' of the schema {what}; bring it back or remove it there",
            )


def check_split(split: Statistics, schema: schema_pb2.Schema) -> Iterator[Finding]:
    """Looks for values of a split that the schema does not allow."""
    if split.name == "train":
        yield from _row_count(split, schema)
    columns = by_name(split)
    for feature in schema.feature:
        column = columns.get(feature.name)
        if column is None or not is_checked(feature) or not split.num_examples:
            continue
        wrong = _type(split, column, feature)
        if wrong is not None:
            yield wrong
            continue
        yield from _presence(split, column, feature)
        yield from _sizes(split, column, feature)
        if common_of(column).num_non_missing:
            yield from _range(split, column, feature)
            yield from _domain(split, column, feature, schema)


def _row_count(split: Statistics, schema: schema_pb2.Schema) -> Iterator[Finding]:
    allowed, rows = schema.dataset_constraints, split.num_examples
    if allowed.HasField("min_examples_count") and rows < allowed.min_examples_count:
        text = f"{rows:,} training rows are fewer than the {allowed.min_examples_count:,} expected"
        yield Finding(WHOLE, "row_count", "DATASET_LOW_NUM_EXAMPLES", "Low row count", text)
    if allowed.HasField("max_examples_count") and rows > allowed.max_examples_count:
        text = f"{rows:,} training rows are more than the {allowed.max_examples_count:,} expected"
        yield Finding(WHOLE, "row_count", "DATASET_HIGH_NUM_EXAMPLES", "High row count", text)


def _type(split: Statistics, column: Column, feature: schema_pb2.Feature) -> Finding | None:
    types = statistics_pb2.FeatureNameStatistics
    names = {types.INT: "INT", types.FLOAT: "FLOAT"}
    found = names.get(column.type, "BYTES")
    expected = schema_pb2.FeatureType.Name(feature.type)
    if expected in (found, "TYPE_UNKNOWN") or (expected, found) == ("FLOAT", "INT"):
        return None
    return Finding(
        feature.name,
        "type",
        "UNEXPECTED_DATA_TYPE",
        "Unexpected type",
        f"column '{feature.name}' is {found} in the {split.name} rows, {expected} in the schema",
    )


def _presence(split: Statistics, column: Column, feature: schema_pb2.Feature) -> Iterator[Finding]:
    present, rows = common_of(column).num_non_missing, split.num_examples
    wanted = feature.presence
    name, where = feature.name, f"the {split.name} rows"
    if not present and (wanted.min_fraction > 0 or wanted.min_count > 0):
        where = "all training rows" if split.name == "train" else f"all {split.name} rows"
        yield Finding(
            name,
            "missing_values",
            "FEATURE_TYPE_NOT_PRESENT",
            "Always missing",
            f"column '{name}' is empty in {where}: its feature contributes nothing; leave it out "
            f"or correct the column",
        )
    elif present < wanted.min_fraction * rows:
        allowed = f"{1 - wanted.min_fraction:.0%}" if wanted.min_fraction < 1 else "none"
        yield Finding(
            name,
            "missing_values",
            "FEATURE_TYPE_LOW_FRACTION_PRESENT",
            "Often missing",
            f"column '{name}' is missing in {_percent(1 - present / rows)} of {where}, but "
            f"{allowed} may be",
        )
    elif present < wanted.min_count:
        yield Finding(
            name,
            "missing_values",
            "FEATURE_TYPE_LOW_NUMBER_PRESENT",
            "Often missing",
            f"column '{name}' is there in {present:,} of {where}, but {wanted.min_count:,} are "
            f"needed",
        )


def _sizes(split: Statistics, column: Column, feature: schema_pb2.Feature) -> Iterator[Finding]:
    common = common_of(column)
    if not common.num_non_missing:
        return
    low, high = 0, 0
    if len(feature.shape.dim) == 1:
        low = high = feature.shape.dim[0].size
    elif feature.HasField("value_count"):
        low, high = feature.value_count.min, feature.value_count.max
    start = f"column '{feature.name}' has"
    end = f"values in a row of {split.name}"
    if low and common.min_num_values < low:
        yield Finding(
            feature.name,
            "value_counts",
            "FEATURE_TYPE_LOW_NUMBER_VALUES",
            "Too few values",
            f"{start} {common.min_num_values} {end}, but at least {low} are expected",
        )
    if high and common.max_num_values > high:
        yield Finding(
            feature.name,
            "value_counts",
            "FEATURE_TYPE_HIGH_NUMBER_VALUES",
            "Too many values",
            f"{start} {common.max_num_values} {end}, but at most {high} are expected",
        )


def _range(split: Statistics, column: Column, feature: schema_pb2.Feature) -> Iterator[Finding]:
    if column.WhichOneof("stats") != "num_stats":
        return
    numbers = column.num_stats
    domain = feature.float_domain if feature.HasField("float_domain") else feature.int_domain
    low, high = (getattr(domain, end) if domain.HasField(end) else None for end in ("min", "max"))
    kind = "INT" if feature.HasField("int_domain") else "FLOAT"
    wrong = []
    if low is not None and numbers.min < low:
        wrong.append((f"{kind}_TYPE_SMALL_{kind}", f"down to {numbers.min:g}, below {low:g}"))
    if high is not None and numbers.max > high:
        wrong.append((f"{kind}_TYPE_BIG_{kind}", f"up to {numbers.max:g}, above {high:g}"))
    for type_, what in wrong:
        yield Finding(
            feature.name,
            "range",
            type_,
            "Out of range",
            f"column '{feature.name}' goes {what}, in the {split.name} rows",
        )


def _domain(
    split: Statistics, column: Column, feature: schema_pb2.Feature, schema: schema_pb2.Schema
) -> Iterator[Finding]:
    if column.WhichOneof("stats") != "string_stats":
        return
    constraints = feature.distribution_constraints
    allowed = 1 - constraints.min_domain_mass
    domain = domain_of(feature, schema)
    if domain is not None:
        known = set(domain)
        ranks = column.string_stats.rank_histogram.buckets
        found = sum(bucket.sample_count for bucket in ranks if bucket.label in known)
        share = 1 - found / common_of(column).tot_num_values
        new = [bucket.label for bucket in ranks if bucket.label not in known]
        shown = ", ".join(f"'{value}'" for value in new[:_SHOWN])
        more = f" and {len(new) - _SHOWN} more" if len(new) > _SHOWN else ""
        what = f"not in the schema: {shown}{more}"
    elif feature.HasField("distribution_constraints"):
        share = next((c.num for c in column.custom_stats if c.name == UNSEEN), 0.0)
        what = "in no training row"
    else:
        return
    if share > allowed + 1e-9:
        yield Finding(
            feature.name,
            "unseen_values",
            "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
            "Unseen values",
            f"column '{feature.name}': {_percent(share)} of the {split.name} values are {what}",
        )


def _percent(share: float) -> str:
    """A share in per cent, not 0 % where it is more."""
    return f"{share:.0%}" if share >= 0.01 else f"{share:.2g}" if not share else f"{share:.2%}"
