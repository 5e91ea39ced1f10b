"""The gradients' cosines of the joint model, summed up over a training and over seeds."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

Record = Mapping[str, Any]
Pairs = dict[str, float]
_KINDS = ("pairs", "tables", "scenarios")


def summarise(histories: Sequence[Sequence[Record]]) -> dict[str, Any]:
    """Means of the cosines.

    Args:
        histories: of every seed, the records of its training: `{"step", "epoch", "pairs", "tables",
            "by_scenario", "scenarios"}`.

    Returns:
        `{"pairs", "tables", "scenarios": {"a|b": mean}, "by_scenario": {value: {"a|b": mean}},
        "by_epoch": [{"epoch", "pairs", "tables", "scenarios"}], "by_step": [{"step", "epoch",
        "pairs"}]}`. A step's pairs are those of all tasks on the embedding tables where the trunk
        shares nothing.
    """
    every = [record for history in histories for record in history]
    epochs = dict.fromkeys(record["epoch"] for record in every)
    values = dict.fromkeys(v for record in every for v in record.get("by_scenario", {}))
    return {
        **_by_kind(every),
        "by_scenario": {
            v: _means(r.get("by_scenario", {}).get(v, {}) for r in every) for v in values
        },
        "by_epoch": [
            {"epoch": epoch, **_by_kind([r for r in every if r["epoch"] == epoch])}
            for epoch in epochs
        ],
        "by_step": [_at_step(records) for records in zip(*histories, strict=False)],
    }


def cosine(pairs: Mapping[str, float], one: str, other: str) -> float | None:
    """The cosine of two names, in whichever order they stand; None where it is unknown."""
    return pairs.get(f"{one}|{other}", pairs.get(f"{other}|{one}"))


def partners(pairs: Mapping[str, float], name: str, names: Iterable[str]) -> dict[str, float]:
    """Everybody else and the cosine with `name`, the most opposed first."""
    found = {other: cosine(pairs, name, other) for other in names if other != name}
    known = {other: value for other, value in found.items() if value is not None}
    return dict(sorted(known.items(), key=lambda item: item[1]))


def _by_kind(records: Sequence[Record]) -> dict[str, Pairs]:
    return {kind: _means(r.get(kind, {}) for r in records) for kind in _KINDS}


def _at_step(records: Sequence[Record]) -> dict[str, Any]:
    kind = "pairs" if any(record["pairs"] for record in records) else "tables"
    first = records[0]
    pairs = _means(record.get(kind, {}) for record in records)
    return {"step": first["step"], "epoch": first["epoch"], "pairs": pairs}


def _means(pairs: Iterable[Mapping[str, float]]) -> Pairs:
    collected: dict[str, list[float]] = {}
    for record in pairs:
        for name, value in record.items():
            collected.setdefault(name, []).append(value)
    return {name: round(fmean(values), 6) for name, values in collected.items()}
