"""What was read from a file, as what it should be; empty where it is something else."""

from collections.abc import Mapping
from typing import Any


def mapping(found: Any) -> Mapping[str, Any]:
    """An object of JSON."""
    return found if isinstance(found, Mapping) else {}


def listed(found: Any) -> list[Any]:
    """A list of JSON."""
    return found if isinstance(found, list) else []


def mappings(found: Any) -> list[Mapping[str, Any]]:
    """The objects in a list of JSON."""
    return [one for one in listed(found) if isinstance(one, Mapping)]
