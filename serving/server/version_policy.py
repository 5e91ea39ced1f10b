"""Which versions of a model are to be served, and what to do next to get there.

A policy of the configuration (`ServableVersionPolicy`) chooses among the versions on disk. Getting
from what is served to what was chosen goes one step at a time and never leaves the model without a
version: TF Serving's `AvailabilityPreservingPolicy`.
"""

from collections.abc import Collection, Iterable
from enum import Enum
from typing import Any, NamedTuple


class Kind(Enum):
    """What a step does with its version."""

    LOAD = "load"
    UNLOAD = "unload"


class Step(NamedTuple):
    """One change: a version to load or to unload."""

    kind: Kind
    number: int


def chosen(policy: Any, found: Iterable[int]) -> list[int]:
    """The versions a policy chooses, newest first.

    Args:
        policy: A `ServableVersionPolicy`: `latest` (its `num_versions`, at least 1), `all` or
            `specific`; without a choice, the latest.
        found: The versions on disk.

    Example:
        >>> from tensorflow_serving.config import file_system_storage_path_source_pb2 as source
        >>> policy = source.FileSystemStoragePathSourceConfig.ServableVersionPolicy()
        >>> policy.latest.num_versions = 2
        >>> chosen(policy, [7, 3, 9])
        [9, 7]
    """
    newest_first = sorted(found, reverse=True)
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return newest_first
    if kind == "specific":
        return [number for number in newest_first if number in policy.specific.versions]
    return newest_first[: max(policy.latest.num_versions, 1)]


def next_step(
    wanted: Collection[int], available: Collection[int], loadable: Collection[int]
) -> Step | None:
    """The next change, `None` when there is none to make.

    A version that is not wanted goes first, the lowest before the others, if a wanted one is
    served already, if none is wanted, or if another unwanted one stays. Then the highest wanted
    version that can be loaded is loaded. So at most one version more than wanted is in memory.

    Args:
        wanted: The versions that shall be served.
        available: Those that are served now.
        loadable: The wanted ones that are not served and may be loaded now.
    """
    unwanted = set(available) - set(wanted)
    if unwanted and (not wanted or set(wanted) & set(available) or len(unwanted) > 1):
        return Step(Kind.UNLOAD, min(unwanted))
    if loadable:
        return Step(Kind.LOAD, max(loadable))
    return None
