"""A configuration with some of its values changed, as a search tries them."""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfmtl.config.config import Config


def with_values(config: "Config", values: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration's plain data with other values, without its `tuner`.

    What the configuration leaves to defaults stays left to them, so that a default may depend on
    the new values. Another `kind` takes nothing over from the one it replaces.

    Args:
        config: the configuration.
        values: dotted keys and what to put there; numbers index lists.

    Raises:
        ValueError: there is nothing a key could be about.

    Example:
        >>> parse(with_values(config, {"model.trunk.kind": "ple"})).model.trunk.levels
        2
    """
    raw = config.model_dump(mode="json", exclude_unset=True, exclude={"tuner"})
    # A kind goes first, for it decides what other keys there are beside it.
    for key in sorted(values, key=lambda key: (not _is_kind(key), key.count("."), key)):
        _put(raw, config, key, copy.deepcopy(values[key]))
    return raw


def _is_kind(key: str) -> bool:
    return key.rpartition(".")[2] == "kind"


def _put(raw: dict[str, Any], config: "Config", key: str, value: Any) -> None:
    *parents, last = key.split(".")
    node: Any = raw
    known: Any = config.model_dump(mode="json")
    for part in parents:
        place = _place(node, part, key)
        known = _inside(known, place)
        if isinstance(node, dict):
            # What the configuration leaves out may be a mapping that needs its kind.
            kind = known.get("kind") if isinstance(known, dict) else None
            node.setdefault(place, {} if kind is None else {"kind": kind})
            if node[place] is None:
                node[place] = {}
        node = node[place]
        if not isinstance(node, dict | list):
            raise ValueError(f"'{part}' is a value, it has no keys below it")
    place = _place(node, last, key)
    if last == "kind" and isinstance(node, dict) and node.get("kind") != value:
        node.clear()
    node[place] = value


def _place(node: Any, part: str, key: str) -> Any:
    if not isinstance(node, list):
        return part
    if not part.isdecimal() or int(part) >= len(node):
        raise ValueError(f"'{part}' is no index of a list of {len(node)}")
    return int(part)


def _inside(known: Any, place: Any) -> Any:
    if isinstance(known, list) and isinstance(place, int) and place < len(known):
        return known[place]
    return known.get(place) if isinstance(known, dict) else None
