"""What columns should be like, as a `tensorflow-metadata` schema: inferred, or read from a file.

An inferred schema says of every column what the training rows are like: type, presence, shape or
number of values; the range of numbers; the values of a text column that has few. What it allows of
missing and unseen values and of drift and skew is the configuration's. Keys and times have neither
range nor domain and are compared with nothing, for they differ from day to day. Columns of the raw
tables that nothing reads are PLANNED, which says that they are known and not checked.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2 as pb
from tensorflow_metadata.proto.v0 import statistics_pb2

from pipelines.components.base import PipelineError
from pipelines.preprocess.statistics_proto import (
    Column,
    Statistics,
    by_name,
    common_of,
    histogram_of,
)
from tfmtl.config import Validation

LARGEST_DOMAIN = 100
"""Different values that a column with a domain has at most."""
_NOT_CHECKED = {pb.PLANNED, pb.ALPHA, pb.DEPRECATED, pb.DEBUG_ONLY, pb.DISABLED}
_KNOWN = {
    "name",
    "deprecated",
    "lifecycle_stage",
    "annotation",
    "type",
    "presence",
    "shape",
    "value_count",
    "domain",
    "string_domain",
    "int_domain",
    "float_domain",
    "distribution_constraints",
    "drift_comparator",
    "skew_comparator",
}
_KNOWN_OF_SCHEMA = {"feature", "string_domain", "dataset_constraints", "annotation"}


@dataclass(frozen=True)
class Meanings:
    """What the configuration means columns to be, by the names of their statistics.

    Attributes:
        keys: who, what and when.
        free: free texts, whose values as a whole nobody looks up.
        unread: columns of the raw tables that nothing reads.
    """

    keys: Collection[str] = ()
    free: Collection[str] = ()
    unread: Collection[str] = ()


def infer(train: Statistics, validation: Validation, meanings: Meanings) -> pb.Schema:
    """Infers a schema from the training rows' statistics."""
    schema = pb.Schema()
    for name, column in by_name(train).items():
        feature = schema.feature.add(name=name, type=_type(column))
        common = common_of(column)
        feature.presence.min_fraction = 1 - (validation.max_missing if common.num_missing else 0)
        _set_sizes(feature, common)
        if name in meanings.keys:
            continue
        if column.WhichOneof("stats") == "string_stats":
            if name not in meanings.free:
                _set_domain(feature, column, validation)
        elif common.num_non_missing:
            _set_range(feature, column)
        if name not in validation.exempt:
            _set_comparators(feature, column, validation)
    for name in meanings.unread:
        schema.feature.add(name=name, lifecycle_stage=pb.PLANNED)
    return schema


def _type(column: Column) -> int:
    types = {
        statistics_pb2.FeatureNameStatistics.INT: pb.INT,
        statistics_pb2.FeatureNameStatistics.FLOAT: pb.FLOAT,
    }
    return types.get(column.type, pb.BYTES)


def _set_sizes(feature: pb.Feature, common: statistics_pb2.CommonStatistics) -> None:
    low, high = common.min_num_values, common.max_num_values
    if low == high:
        feature.shape.dim.add(size=max(low, 1))
    else:
        feature.value_count.min = low


def _set_domain(feature: pb.Feature, column: Column, validation: Validation) -> None:
    feature.distribution_constraints.min_domain_mass = 1 - validation.max_unseen
    if 0 < column.string_stats.unique <= LARGEST_DOMAIN:
        values = [bucket.label for bucket in column.string_stats.rank_histogram.buckets]
        feature.string_domain.name = feature.name
        feature.string_domain.value.extend(sorted(values))


def _set_range(feature: pb.Feature, column: Column) -> None:
    low, high = column.num_stats.min, column.num_stats.max
    if feature.type == pb.INT:
        feature.int_domain.min, feature.int_domain.max = int(low), int(high)
    else:
        feature.float_domain.min, feature.float_domain.max = low, high


def _set_comparators(feature: pb.Feature, column: Column, validation: Validation) -> None:
    for comparator, allowed in (
        (feature.drift_comparator, validation.drift),
        (feature.skew_comparator, validation.skew),
    ):
        if column.WhichOneof("stats") == "string_stats":
            if allowed.infinity_norm is not None:
                comparator.infinity_norm.threshold = allowed.infinity_norm
        elif allowed.jensen_shannon is not None:
            comparator.jensen_shannon_divergence.threshold = allowed.jensen_shannon
            comparator.jensen_shannon_divergence.source.type = _source(column)


def _source(column: Column) -> int:
    """Buckets of equal counts, which do not mind far values, unless many rows have one value."""
    quantiles = histogram_of(column, statistics_pb2.Histogram.QUANTILES)
    if quantiles and all(bucket.low_value < bucket.high_value for bucket in quantiles.buckets):
        return pb.HistogramSelection.QUANTILES
    return pb.HistogramSelection.STANDARD


def is_checked(feature: pb.Feature) -> bool:
    """Whether a column is compared with what the schema says of it."""
    return not feature.deprecated and feature.lifecycle_stage not in _NOT_CHECKED


def domain_of(feature: pb.Feature, schema: pb.Schema) -> list[str] | None:
    """The texts that a column may have, None where it may have any."""
    if feature.HasField("string_domain"):
        return list(feature.string_domain.value)
    if feature.HasField("domain"):
        return next(list(d.value) for d in schema.string_domain if d.name == feature.domain)
    return None


def read_schema(path: Path) -> pb.Schema:
    """Reads a schema in text form.

    Raises:
        PipelineError: there is none, or it says something that is not checked here.
    """
    try:
        text = path.read_text(encoding="utf-8")
        schema = text_format.Parse(text, pb.Schema())
    except FileNotFoundError:
        raise PipelineError(
            f"validation.schema: there is no file {path}; a run leaves one in schema.pbtxt"
        ) from None
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        reason = " ".join(str(error).split())
        raise PipelineError(f"validation.schema: {path} cannot be read: {reason}") from None
    _check(schema, path)
    return schema


def _check(schema: pb.Schema, path: Path) -> None:
    """A rule that nobody looks at would seem to hold."""
    seen: set[str] = set()
    for field, _ in schema.ListFields():
        if field.name not in _KNOWN_OF_SCHEMA:
            raise PipelineError(
                f"validation.schema: {path}: {field.name} is not checked; remove it"
            )
    domains = {domain.name for domain in schema.string_domain}
    for feature in schema.feature:
        where = f"validation.schema: {path}: feature '{feature.name}'"
        if not feature.name or feature.name in seen:
            raise PipelineError(f"{where}: every feature needs a name of its own")
        seen.add(feature.name)
        for field, _ in feature.ListFields():
            if field.name not in _KNOWN:
                raise PipelineError(f"{where}: {field.name} is not checked; remove it")
        if feature.HasField("domain") and feature.domain not in domains:
            raise PipelineError(f"{where}: there is no string_domain '{feature.domain}'")
        for comparator in (feature.drift_comparator, feature.skew_comparator):
            if comparator.HasField("normalized_abs_difference"):
                raise PipelineError(
                    f"{where}: normalized_abs_difference is not computed; remove it"
                )
            if comparator.HasField("infinity_norm") and feature.type in (pb.INT, pb.FLOAT):
                raise PipelineError(
                    f"{where}: infinity_norm is for texts; use jensen_shannon_divergence"
                )
