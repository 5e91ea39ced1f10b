"""From what is asked for to the rows it is asked of, and what is said of the answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.inference.request import TABLE, Rows, find_rows, input_names
from pipelines.preprocess.files import list_files
from tfmtl.config import Config, TableSource, parse
from tfmtl.config.bulk_inference import BulkInference


def rows_of(config: Config, spec: BulkInference, data: Path) -> Rows | None:
    """The rows of the table that is to be answered; None where only items are asked for.

    Args:
        config: the model's configuration.
        spec: what is asked for, with a table.
        data: directory that the table's path is relative to.

    Raises:
        PipelineError: a file is missing or unreadable, or lacks a column that must be there.
    """
    assert spec.data is not None
    if not input_names(config, spec.outputs):
        return None
    return find_rows(config, spec, spec.data, data)


def told(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What people read of a summary: `headline` and `lines`."""
    parts = [f"{name} {rows:,}" for name, rows in summary["outputs"].items()]
    bad = summary.get("rows", 0) - summary.get("kept", 0)
    if bad:
        parts.append(f"{bad:,} of {summary['rows']:,} rows rejected")
    lines = []
    if summary.get("catalogued"):
        lines.append(f"from the catalogue: {', '.join(summary['catalogued'])}")
    if summary.get("missing"):
        lines.append(f"taken as missing, the table lacks: {', '.join(summary['missing'])}")
    for reason, rows in sorted(summary.get("rejected", {}).items(), key=lambda kv: -kv[1]):
        lines.append(f"{rows:>8,}  {reason}")
    return {"headline": ", ".join(parts), "lines": lines}


def asked_by_options(
    config: Config,
    data: Path,
    outputs: Sequence[str],
    top_k: int | None,
    exclude_seen: bool,
    keep: Sequence[str],
) -> BulkInference:
    """What the options of a command ask for, on top of what the model's configuration asks for.

    Args:
        config: the model's configuration.
        data: file, directory or glob.
        outputs: names of outputs; if none, those of the configuration, else scores where the table
            has items, and the best items where it has none or `top_k` is given.
        top_k: items in each row.
        exclude_seen: whether known items are left out.
        keep: columns to copy.

    Raises:
        PipelineError: there is no such table, or the model cannot make an output.
    """
    spec = config.bulk_inference
    asked = spec.model_dump(exclude_unset=True) if spec else {}
    asked["data"] = {**(asked.get("data") or {}), "path": str(data.absolute())}
    asked["outputs"] = [*outputs] or asked.get("outputs")
    if not asked["outputs"]:
        asked["outputs"] = _default_outputs(config, TableSource(**asked["data"]), top_k)
    asked |= {"top_k": top_k} if top_k else {}
    asked |= {"exclude_seen": True} if exclude_seen else {}
    asked |= {"keep": [*keep]} if keep else {}
    raw = {**config.model_dump(mode="json"), "bulk_inference": asked}
    found = parse(raw, "tfmtl infer").bulk_inference
    assert found is not None
    return found


def _default_outputs(config: Config, source: TableSource, top_k: int | None) -> list[str]:
    files = list_files(source, Path(), "--data", TABLE)
    items = any(config.source.log.item in file.names for file in files)
    outputs = ["scores"] if items and config.ranking_tasks else []
    return outputs if outputs and not top_k else [*outputs, "top_k"]
