"""SchemaGen: what columns should be like, inferred from the training rows or pinned in a file.

Leaves schema.pbtxt, which the data is checked against, and inferred.pbtxt.
"""

import hashlib
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from pipelines.components.base import Component, Context, Summary
from pipelines.preprocess.schemas import Meanings, infer, read_schema
from pipelines.preprocess.statistics_proto import read_statistics
from pipelines.preprocess.writing import read_json
from tfmtl.config import Config

SCHEMA = "schema.pbtxt"


def execute(ctx: Context) -> Summary:
    """Infers a schema from the statistics, and reads the pinned one where there is one.

    Raises:
        PipelineError: the pinned schema cannot be read.
    """
    validation, statistics = ctx.config.validation, ctx.inputs["statistics"]
    train = read_statistics(statistics / "statistics.pb").datasets[0]
    meanings = Meanings(**read_json(statistics / "summary.json")["columns"])
    schema = infer(train, validation, meanings)
    inferred = text_format.MessageToString(schema, as_utf8=True)
    (ctx.output / "inferred.pbtxt").write_text(inferred, encoding="utf-8")
    if validation.pinned is None:
        text, note = inferred, "inferred"
    else:
        path = Path(validation.pinned)
        schema, text, note = read_schema(path), path.read_text(encoding="utf-8"), f"from {path}"
    (ctx.output / SCHEMA).write_text(text, encoding="utf-8")
    domains = [feature.name for feature in schema.feature if feature.HasField("string_domain")]
    return {
        "columns": len(schema.feature),
        "domains": domains,
        "pinned": validation.pinned,
        "headline": f"{len(schema.feature)} columns, {note}",
    }


def file_digest(path: str | None) -> str | None:
    """What stands for a file's content where it decides a result; None where there is none."""
    if path is None or not Path(path).is_file():
        return None
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _reads(config: Config) -> Any:
    used = {"pinned", "max_missing", "max_unseen", "drift", "skew", "exempt"}
    validation = config.validation
    return {
        "validation": validation.model_dump(mode="json", include=used),
        "schema": file_digest(validation.pinned),
    }


COMPONENT = Component(
    name="SchemaGen",
    produces="schema",
    consumes=("statistics",),
    reads=_reads,
    execute=execute,
)
