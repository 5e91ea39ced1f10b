"""SchemaGen: what columns should be like, inferred from the training rows or pinned in a file.

Leaves schema.pbtxt, which the data is checked against, and inferred.pbtxt.
"""

import hashlib
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from pipelines.artifacts import Output, Schema, Statistics
from pipelines.components.base import Context, Summary, component
from pipelines.preprocess.schemas import Meanings, infer, read_schema
from pipelines.preprocess.statistics_proto import read_statistics
from pipelines.preprocess.writing import read_json
from tfmtl.config import Config

SCHEMA = "schema.pbtxt"


def _reads(config: Config) -> Any:
    used = {"pinned", "max_missing", "max_unseen", "drift", "skew", "exempt"}
    validation = config.validation
    return {
        "validation": validation.model_dump(mode="json", include=used),
        "schema": file_digest(validation.pinned),
    }


@component(reads=_reads)
def SchemaGen(ctx: Context, statistics: Statistics, schema: Output[Schema]) -> Summary:
    """Infers a schema from the statistics, and reads the pinned one where there is one.

    Raises:
        PipelineError: the pinned schema cannot be read.
    """
    validation = ctx.config.validation
    train = read_statistics(statistics.path / "statistics.pb").datasets[0]
    meanings = Meanings(**read_json(statistics.path / "summary.json")["columns"])
    proto = infer(train, validation, meanings)
    inferred = text_format.MessageToString(proto, as_utf8=True)
    (schema.path / "inferred.pbtxt").write_text(inferred, encoding="utf-8")
    if validation.pinned is None:
        text, note = inferred, "inferred"
    else:
        path = Path(validation.pinned)
        proto, text, note = read_schema(path), path.read_text(encoding="utf-8"), f"from {path}"
    (schema.path / SCHEMA).write_text(text, encoding="utf-8")
    domains = [feature.name for feature in proto.feature if feature.HasField("string_domain")]
    return {
        "columns": len(proto.feature),
        "domains": domains,
        "pinned": validation.pinned,
        "headline": f"{len(proto.feature)} columns, {note}",
    }


def file_digest(path: str | None) -> str | None:
    """What stands for a file's content where it decides a result; None where there is none."""
    if path is None or not Path(path).is_file():
        return None
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
