"""Requests whose every name means one thing."""

from collections.abc import Sequence
from keyword import iskeyword
from typing import TYPE_CHECKING

import tfmtl.served_names as served_names
from tfmtl.config.inputs import Input, Raw
from tfmtl.config.scored import item_columns

if TYPE_CHECKING:
    from tfmtl.config.config import Config


def reserved_inputs(config: "Config") -> dict[str, str]:
    """Names in requests that are no raw columns', and what they mean there."""
    reserved = {
        served_names.K: "how many items to retrieve",
        served_names.EXCLUDE: "items that are not wanted",
        served_names.ONLY: "the items that are wanted",
        served_names.EXCLUDE_SEEN: "whether seen items are left out",
    }
    if config.ranking_tasks:
        reserved[served_names.CANDIDATES] = "how many candidates are real"
    kinds = item_columns(config)
    for column in config.serving.recommend.filters:
        if kinds.get(column) == "text":
            reserved[served_names.allow(column)] = f"the values of '{column}' that are wanted"
            reserved[served_names.deny(column)] = f"the values of '{column}' that are not wanted"
        else:
            reserved[served_names.minimum(column)] = f"the least '{column}' that is wanted"
            reserved[served_names.maximum(column)] = f"the largest '{column}' that is wanted"
    for parameter in config.serving.fuse.parameters:
        reserved[served_names.fuse(parameter)] = f"a value of the formula's '{parameter}'"
    return reserved


def check_requests(config: "Config") -> None:
    """A request names its values by raw column, so that one name must mean one value."""
    histories = {name for h in config.features.history for name in h.input_names}
    windows = {window.name for window in config.features.windows}
    reserved = reserved_inputs(config)
    inputs = config.features.inputs.values()
    asked = [(i, raw) for i in inputs for raw in i.reads if raw.constant is None]
    for made, raw in asked:
        meaning = "a history" if raw.column in histories else None
        meaning = "a count or rate" if raw.column in windows else meaning
        meaning = reserved.get(raw.column, meaning)
        if meaning:
            raise ValueError(
                f"feature '{made.feature}': in a request '{raw.column}' is {meaning}; "
                f"rename the raw column"
            )
    _check_lists(asked)
    _check_ids(asked, config.features.int64_columns)
    taken = [*reserved, *([config.scenario.column] if config.scenario else [])]
    for name in windows.intersection(taken):
        raise ValueError(
            f"features.windows '{name}': in a request '{name}' is something else; rename it"
        )
    columns = [raw.column for _, raw in asked]
    for name in [*columns, *([config.scenario.column] if config.scenario else [])]:
        if not name.isidentifier() or name[0] == "_" or iskeyword(name) or name == "self":
            raise ValueError(
                f"column '{name}' cannot be an input of the served model: a name should be a "
                f"letter, then letters, digits and _; rename the raw column"
            )
    if config.ranking_tasks and not (asked or histories or windows or config.scenario):
        raise ValueError("features: serve_as leaves no input; take it from one of them")


def _check_lists(asked: Sequence[tuple[Input, Raw]]) -> None:
    """A column of lists is read as such, and in one way, by all features that read it."""
    known: dict[str, tuple[Input, Raw]] = {}
    for made, raw in asked:
        first, other = known.setdefault(raw.column, (made, raw))
        alike = (raw.kind, raw.separator, raw.size) == (other.kind, other.separator, other.size)
        if not alike and {raw.kind, other.kind} & {"texts", "numbers"}:
            raise ValueError(
                f"feature '{made.feature}': column '{raw.column}' is read as {_noun(raw)}, and as "
                f"{_noun(other)} by '{first.feature}'; let both read it the same way"
            )


def _check_ids(asked: Sequence[tuple[Input, Raw]], ids: set[str]) -> None:
    """What requests give as int64 ids is read as such, single values that are texts in the log."""
    for made, raw in asked:
        if raw.column in ids and raw.kind != "text":
            raise ValueError(
                f"feature '{made.feature}': column '{raw.column}' is read as {_noun(raw)}, and as "
                "an id of dtype int64 by another feature; make that string"
            )


def _noun(raw: Raw) -> str:
    if raw.kind not in ("texts", "numbers"):
        return f"a {raw.kind}"
    size = "" if raw.size is None else f"{raw.size} "
    parted = "" if raw.separator is None else f" parted by {raw.separator!r}"
    return f"a list of {size}{raw.kind}{parted}"
