"""From a YAML file to a `Config`, with errors of one line."""

import difflib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from tfmtl.config.base import ConfigError
from tfmtl.config.config import Config


def load(path: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Reads a configuration and checks it.

    Args:
        path: YAML file.
        overrides: `key=value` pairs as `--set` takes them. The key is a dotted path, numbers
            index lists; the value is YAML: `training.epochs=1`, `model.trunk={kind: mmoe}`.

    Returns:
        The configuration.

    Raises:
        ConfigError: one line with the file, the key, what was wrong and what would be right.

    Example:
        >>> load("pipelines/configs/shop.yaml", ["training.epochs=1"]).training.epochs
        1
    """
    path = Path(path)
    try:
        raw = _yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"config {path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config {path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"config {path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"config {path}: expected a mapping, got {type(raw).__name__}")
    for override in overrides:
        _override(raw, override)
    config = parse(raw, f"config {path}")
    if not config.pipeline.components:
        return config
    # Their paths are relative to the file's directory, which nobody knows later.
    located = config.pipeline.located(path.parent)
    return config.model_copy(update={"pipeline": located})


def parse(raw: dict[str, Any], where: str = "config") -> Config:
    """Checks a configuration given as plain data; errors as `load`."""
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{where}: {one_line(error)}") from None


def dump(config: Config) -> str:
    """The configuration as YAML, every default written out."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def schema() -> str:
    """The configuration's JSON schema, for editors and other tools."""
    return json.dumps(Config.model_json_schema(), indent=2)


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (ValueError, RecursionError) as error:  # e.g. 2001-99-99 looks like a date
        raise yaml.YAMLError(str(error)) from None


def _override(raw: dict[str, Any], override: str) -> None:
    key, separator, value = override.partition("=")
    if not separator or not key:
        raise ConfigError(f"--set {override}: expected key=value, e.g. training.epochs=1")
    *parents, last = key.split(".")
    node: Any = raw
    for part in parents:
        if isinstance(node, list):
            node = node[_index(node, part, key)]
        else:
            node = node.setdefault(part, {})
        if not isinstance(node, dict | list):
            raise ConfigError(f"--set {key}: '{part}' is a value, it has no keys below it")
    try:
        parsed = _yaml(value)
    except yaml.YAMLError:
        raise ConfigError(f"--set {key}: the value is not YAML: {value}") from None
    if isinstance(node, list):
        node[_index(node, last, key)] = parsed
    else:
        node[last] = parsed


def _index(items: list[Any], part: str, key: str) -> int:
    if not part.isdecimal() or int(part) >= len(items):
        raise ConfigError(f"--set {key}: '{part}' is no index of a list of {len(items)}")
    return int(part)


def one_line(error: ValidationError) -> str:
    """The first problem, named by its key, and how many more there are."""
    problems = error.errors()
    first = problems[0]
    key = _key(first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "unknown key" + _suggestion(first["loc"])
    elif first["type"] == "missing":
        message = "missing; add it"
    elif first["type"] == "union_tag_not_found":
        message = "missing key 'kind'"
    elif first["type"] == "union_tag_invalid":
        context = first.get("ctx", {})
        message = f"unknown kind '{context.get('tag')}'; choose {context.get('expected_tags')}"
    elif first["type"] not in ("value_error",):
        message = f"{message[:1].lower()}{message[1:]}, got {first['input']!r}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{key}: {message}{more}" if key else f"{message}{more}"


def _walk(location: Sequence[int | str]) -> tuple[list[str | int], set[str]]:
    """The location without the tags pydantic puts into unions, and the last mapping's keys."""
    candidates: list[type[BaseModel]] = [Config]
    kept: list[str | int] = []
    for part in location:
        if isinstance(part, int):
            kept.append(part)
            continue
        tagged = [m for m in candidates if _kind(m) == part]
        if tagged and not any(part in m.model_fields for m in candidates):
            candidates = tagged
            continue
        kept.append(part)
        inner = [m.model_fields[part].annotation for m in candidates if part in m.model_fields]
        if inner:
            candidates = [model for annotation in inner for model in _models(annotation)]
    return kept, {name for model in candidates for name in model.model_fields}


def _kind(model: type[BaseModel]) -> str | None:
    field = model.model_fields.get("kind")
    return get_args(field.annotation)[0] if field else None


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]


def _key(location: Sequence[int | str]) -> str:
    parts = (f"[{p}]" if isinstance(p, int) else f".{p}" for p in _walk(location)[0])
    return "".join(parts).lstrip(".")


def _suggestion(location: Sequence[int | str]) -> str:
    known = _walk(location[:-1])[1]
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known are {', '.join(sorted(known))}" if known else ""
