"""BulkInferrer: a blessed model's answers for a whole table, as Parquet.

Leaves, of what `bulk_inference.outputs` names,

    scores/part-*.parquet         keys of the user and the item, a column for each ranking task
    top_k/part-*.parquet          the user's key, lists `items` and `scores`, the best first
    user_vectors/part-*.parquet   the user's key, `vector`
    item_vectors/part-*.parquet   the item's key, `vector`

and, of a table's rows that cannot be used, dead_letters/*.parquet; summary.json:

    blessed         whether the model is; if not, nothing else is there
    outputs         {output: rows}
    rows, kept      rows of the table, and those that are answered
    rejected        {reason: rows}
    catalogued      columns that the table lacks, taken from the model's catalogue
    missing         columns that the table lacks, taken as missing
"""

import json
from collections.abc import Iterable
from typing import Any

from pipelines.artifacts import (
    Evaluation,
    Examples,
    Inferred,
    Model,
    Output,
    Statistics,
    Transformed,
)
from pipelines.components.base import Context, Summary, component
from tfmtl.config import Config, TableSource


def _reads(config: Config) -> Any:
    return config.bulk_inference.model_dump(mode="json") if config.bulk_inference else None


def _tables(config: Config) -> Iterable[TableSource]:
    """The table that is answered; without one, the users are those of the examples."""
    spec = config.bulk_inference
    return [spec.data] if spec and spec.data else []


@component(reads=_reads, raw=_tables)
def BulkInferrer(
    context: Context,
    examples: Examples,
    statistics: Statistics,
    transformed: Transformed,
    model: Model,
    evaluation: Evaluation,
    inferred: Output[Inferred],
) -> Summary:
    """Answers with a model that is blessed.

    Raises:
        PipelineError: the table cannot be read.
    """
    from pipelines.inference.answering import Question
    from pipelines.inference.asking import rows_of, told
    from pipelines.inference.inferring import infer
    from pipelines.inference.users import Users
    from pipelines.preprocess.writing import write_json

    spec = context.config.bulk_inference
    assert spec is not None
    summary: Summary = {
        "blessed": json.loads((evaluation.path / "evaluation.json").read_bytes())["blessed"],
        "headline": "nothing: the model is not blessed",
    }
    if summary["blessed"]:
        users = Users(context.config, examples.path, statistics.path, transformed.path)
        asked_of = users if spec.data is None else rows_of(context.config, spec, context.data)
        seen = transformed.path if spec.exclude_seen else None
        question = Question(spec, model.path, seen)
        summary |= infer(question, asked_of, inferred.path, context.progress)
        summary |= told(summary)
    write_json(summary, inferred.path / "summary.json")
    return summary
