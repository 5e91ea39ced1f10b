"""What two runs did otherwise."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from pipelines.metadata.outcomes import Metrics, outcome, raw_files
from pipelines.metadata.reader import Reader
from pipelines.metadata.records import Run


class Difference(NamedTuple):
    """Something that has two values; None where a run has it not."""

    key: str
    first: Any
    second: Any


class Comparison(NamedTuple):
    """Two runs side by side.

    Attributes:
        config: keys of the configuration whose values differ, dotted as `--set` takes them.
        origin: what else they started from: data, raw files, commit, versions.
        metrics: all metrics, equal or not, by `TASK METRIC`.
    """

    config: list[Difference]
    origin: list[Difference]
    metrics: list[Difference]


def compare(reader: Reader, first: Run, second: Run) -> Comparison:
    """Compares two runs of a store.

    Args:
        reader: the store.
        first: a run.
        second: another one.
    """
    configs = (dict(_flat(yaml.safe_load(run.config))) for run in (first, second))
    origins = (_origin(reader, run) for run in (first, second))
    metrics = (_by_name(outcome(reader, run).metrics) for run in (first, second))
    return Comparison(
        [one for one in _sides(*configs) if one.first != one.second],
        [one for one in _sides(*origins) if one.first != one.second],
        list(_sides(*metrics)),
    )


def _sides(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Difference]:
    for key in {**first, **second}:
        yield Difference(key, first.get(key), second.get(key))


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested mappings and lists, by dotted key."""
    if isinstance(value, dict) and value:
        children = value.items()
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        children = dict(enumerate(value)).items()
    else:
        yield key, value
        return
    for name, child in children:
        yield from _flat(child, f"{key}.{name}" if key else str(name))


def _origin(reader: Reader, run: Run) -> dict[str, Any]:
    git = run.properties.get("git") or {}
    return {
        "data": run.data,
        "commit": git.get("commit"),
        "changes not committed": git.get("dirty"),
        **run.properties["versions"],
        **{f"file {name}": known for name, known in raw_files(reader, run).items()},
    }


def _by_name(metrics: Metrics) -> dict[str, Any]:
    return {
        f"{task} {name}": value for task, found in metrics.items() for name, value in found.items()
    }
