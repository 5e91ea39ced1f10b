"""What a version says of its index: `assets.extra/index.json`, which its manifest repeats.

{"kind": "inverted_file", "cells": 4000, "probes": 52, "storage": "float32", "items": 1000000,
 "dim": 64, "bytes": 261040004,
 "recall": {"declared": 0.98, "at": 100, "measured": 0.984, "queries": 500,
            "of": "held-out queries"}}
"""

import json
from pathlib import Path
from typing import Any

INDEX = "assets.extra/index.json"
"""Where it lies, relative to the version's directory."""


def write_index(about: dict[str, Any], directory: Path) -> None:
    """Writes what an index says about itself into a SavedModel's directory."""
    path = directory / INDEX
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(about, indent=2), encoding="utf-8")


def read_index(directory: Path) -> dict[str, Any] | None:
    """What a version's index says about itself; None where nothing is retrieved."""
    path = directory / INDEX
    about: dict[str, Any] | None = json.loads(path.read_bytes()) if path.is_file() else None
    return about


def described(about: dict[str, Any]) -> str:
    """What an index is, as a line to print.

    Args:
        about: what it says about itself.
    """
    if about["kind"] == "exact":
        kind = f"exact over {about['items']:,} items"
    else:
        kind = (
            f"inverted file of {about['items']:,} items in {about['cells']:,} cells, "
            f"{about['probes']:,} looked into"
        )
    text = f"index {kind}, {about['storage']}, {about['bytes'] / 1e6:,.1f} MB"
    recall = about.get("recall")
    if recall is None:
        return text
    text += (
        f"; recall@{recall['at']} {recall['measured']:.3f} on {recall['queries']} {recall['of']}"
    )
    declared = recall.get("declared")
    if declared is None:
        return text
    if recall["measured"] >= declared:
        return f"{text}, declared {declared:g}"
    return f"{text}, BELOW the declared {declared:g}"
