"""The table of variants: the full model first, changes in brackets, reasons below."""

from typing import Any

from pipelines.console.variants import table_lines, variants_grid

BOTH = {"click": {"auc": {"full": 0.75, "variant": 0.749}}}
TOLD: dict[str, Any] = {
    "int8": {
        "version": 2,
        "reason": None,
        "bytes": 1_250_000,
        "full_bytes": 5_000_000,
        "saved_model_bytes": 2_000_000,
        "full_saved_model_bytes": 8_000_000,
        "latency": {"signature": "rank", "p50": 1.234, "p99": 2.0},
        "full_latency": {"signature": "rank", "p50": 2.5, "p99": 4.0},
        "metrics": BOTH,
        "kept": {},
    },
    "pruned": {
        "version": None,
        "reason": "click auc 0.7000 where the full model has 0.7500; the tolerance is 0.002",
        "bytes": 500_000,
        "full_bytes": 5_000_000,
        "metrics": {"click": {"auc": {"full": 0.75, "variant": 0.7}}},
        "kept": {"item_id": [1000, 100]},
    },
}


def test_a_row_a_variant() -> None:
    assert variants_grid(TOLD) == [
        ["variant", "pushed", "weights MB", "SavedModel MB", "p50 ms", "click auc"],
        ["full model", "", "5.00", "8.00", "2.50", "0.7500"],
        ["int8", "version 2", "1.25 (25%)", "2.00 (25%)", "1.23", "0.7490 (-0.0010)"],
        ["pruned", "no", "0.50 (10%)", "-", "-", "0.7000 (-0.0500)"],
    ]


def test_notes_stand_below() -> None:
    assert table_lines(TOLD)[-2:] == [
        "pruned has kept 100 of 1,000 of item_id",
        "pruned was not pushed: click auc 0.7000 where the full model has 0.7500; the tolerance is "
        "0.002",
    ]
    assert table_lines({}) == []
