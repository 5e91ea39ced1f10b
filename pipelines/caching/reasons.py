"""Why an artifact is not what would be made now, in words."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.components.base import Component
from pipelines.storage.directories import Marker
from tfmtl.config import Config, ConfigError, parse

_WIDTH = 24


def changed_parts(
    component: Component, marker: Marker, parts: Mapping[str, Any], config: Config
) -> tuple[str, ...]:
    """What has changed since an artifact was made.

    Args:
        component: the step that made it.
        marker: the artifact's.
        parts: what the step would be made from now, see `fingerprints.step_parts`.
        config: the whole configuration as it is now.

    Returns:
        One short text for each change, empty where there is none.
    """
    before = marker.parts
    if before == parts:
        return ()
    inputs = [f"{name} is another" for name, _ in _changed(before, parts, "inputs")]
    keys = []
    if before.get("config") != parts["config"]:
        keys = _keys(component, marker, parts, config)
    data = [f"{name} {what}" for name, what in _changed(before, parts, "data")]
    code = [f"{name} {what}" for name, what in _changed(before, parts, "code")]
    old, new = before.get("packages", {}), parts["packages"]
    packages = [
        f"{n}: {old.get(n) or 'none'} -> {new[n] or 'none'}" for n in new if old.get(n) != new[n]
    ]
    found = (*keys, *data, *inputs, *code, *packages)
    return found or ("what it is made from has changed",)


def in_short(reasons: Sequence[str], most: int = 2) -> str:
    """The first reasons and how many more there are."""
    more = len(reasons) - most
    return ", ".join(reasons[:most]) + (f" and {more} more" if more > 0 else "")


def _changed(
    before: Mapping[str, Any], now: Mapping[str, Any], part: str
) -> Iterator[tuple[str, str]]:
    old, new = before.get(part, {}), now[part]
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            what = (
                "changed" if name in old and name in new else "is new" if name in new else "is gone"
            )
            yield name, what


def _keys(
    component: Component, marker: Marker, parts: Mapping[str, Any], config: Config
) -> list[str]:
    """The configuration's keys that changed and that the component reads, with both values."""
    now = config.model_dump(mode="json")
    found = [
        (key, old, new)
        for key, old, new in leaves(marker.config, now)
        if _matters(component, config, now, key, old)
    ]
    if not found:
        found = list(leaves(marker.parts.get("config"), parts["config"]))
    return [f"{key}: {shown(old)} -> {shown(new)}" for key, old, new in found]


def _matters(component: Component, config: Config, now: dict[str, Any], key: str, old: Any) -> bool:
    """Whether the component would read something else if a key had its old value."""
    try:
        return bool(
            component.reads(parse(_with(now, key.split("."), old))) != component.reads(config)
        )
    except ConfigError:
        return True  # it changed together with another key, of which the same is asked


def leaves(old: Any, new: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The innermost keys at which two plain values differ, with both; MISSING where there is none.

    Args:
        old: a value as JSON has it.
        new: another.
        key: dotted key of the two.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(name, old.get(name, MISSING), new.get(name, MISSING)) for name in {**old, **new}]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(str(place), *both) for place, both in enumerate(zip(old, new, strict=True))]
    else:
        if old != new:
            yield key, old, new
        return
    for name, before, after in pairs:
        yield from leaves(before, after, f"{key}.{name}" if key else name)


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()


def shown(value: Any) -> str:
    """A value of the configuration, shortened."""
    if value is None or value is MISSING:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _with(value: Any, path: list[str], old: Any) -> Any:
    """A copy of plain data with another value at a path."""
    if not path:
        return old
    first, *rest = path
    if isinstance(value, list):
        place = int(first)
        return [*value[:place], _with(value[place], rest, old), *value[place + 1 :]]
    copy = dict(value)
    inner = _with(copy.get(first), rest, old)
    if inner is MISSING:
        copy.pop(first, None)
    else:
        copy[first] = inner
    return copy
