"""The pass over a table or a log: rows to a model's answers.

files of a table -> rows, or log -> users -> RunInference -> OUTPUT/part-*.parquet
                `-> dead letters                          -> dead_letters/
"""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.ml.inference.base import RunInference

from pipelines.components.base import PipelineError, Progress
from pipelines.inference.answering import Answerer, Question
from pipelines.inference.handler import ITEMS, ROWS, Answered, Asked, Handler
from pipelines.inference.request import TABLE, Rows
from pipelines.inference.users import Users, ask_of_users, write_users
from pipelines.preprocess.casting import canonical_schema
from pipelines.preprocess.parsing import DEAD_LETTERS, read_rows, read_tally, write_part
from pipelines.preprocess.running import run
from tfmtl.models.saved import CATALOGUE

_ITEMS_PER_PART = 65_536


def infer(
    question: Question, asked_of: Rows | Users | None, output: Path, progress: Progress
) -> dict[str, Any]:
    """Answers for the rows of a table or for the users of a log, written as Parquet.

    Args:
        question: what is asked of which model.
        asked_of: the rows; None where only items are asked for.
        output: directory to write to.
        progress: told how many rows are done.

    Returns:
        `outputs`, the rows of every output. Of a table also `rows`, `kept`, and `rejected` by
        reason, and the columns that it lacks, `catalogued` and `missing`.

    Raises:
        PipelineError: a file cannot be read, or no row of the table is good.
    """
    work = output / "work"
    if isinstance(asked_of, Users):
        write_users(asked_of, work, progress)
    build = partial(_build, question=question, asked_of=asked_of, output=output, work=work)
    run(build, work, progress)
    summary: dict[str, Any] = {}
    if isinstance(asked_of, Rows):
        summary = _checked(work, output)
        if not summary["kept"]:
            _write_empty(question, asked_of, output)
        summary |= {"catalogued": list(asked_of.catalogued), "missing": list(asked_of.missing)}
    shutil.rmtree(work)
    summary["outputs"] = {name: _written(output / name) for name in question.spec.outputs}
    return summary


def _build(
    pipeline: beam.Pipeline,
    question: Question,
    asked_of: Rows | Users | None,
    output: Path,
    work: Path,
) -> None:
    asked = []
    if isinstance(asked_of, Rows):
        parts = read_rows(pipeline, list(asked_of.files), work)
        asked.append(parts | "Ask of rows" >> beam.MapTuple(_of_rows).with_output_types(Asked))
    elif asked_of is not None:
        asked.append(ask_of_users(pipeline, asked_of, work))
    if "item_vectors" in question.spec.outputs:
        items = pq.read_metadata(question.home / CATALOGUE).num_rows
        asked.append(
            pipeline
            | "Items" >> beam.Create(list(range(0, max(items, 1), _ITEMS_PER_PART)))
            | "Ask of items" >> beam.Map(_of_items, items=items).with_output_types(Asked)
        )
    _ = (
        asked
        | "All questions" >> beam.Flatten().with_output_types(Asked)
        | "Answer" >> RunInference(Handler(question)).with_output_types(Answered)
        | "Write" >> beam.Map(write_part, output=output)
    )


def _of_rows(name: str, rows: pa.RecordBatch) -> Asked:
    return ROWS, name.removeprefix(f"{TABLE}/"), rows


def _of_items(start: int, items: int) -> Asked:
    stop = min(start + _ITEMS_PER_PART, items)
    places = pa.RecordBatch.from_pylist([{"start": start, "stop": stop}])
    return ITEMS, f"part-{start // _ITEMS_PER_PART:05d}", places


def _checked(work: Path, output: Path) -> dict[str, Any]:
    """What became of the rows; the dead letters are put beside the answers."""
    tally = read_tally(work, TABLE)
    if tally.failure:
        raise PipelineError(tally.failure)
    if (work / DEAD_LETTERS).exists():
        (work / DEAD_LETTERS).rename(output / DEAD_LETTERS)
    if tally.rows and not tally.kept:
        reason, count = tally.rejected.most_common(1)[0]
        raise PipelineError(
            f"bulk_inference.data: all {tally.rows} rows are bad; most often: {reason} ({count})"
        )
    return {"rows": tally.rows, "kept": tally.kept, "rejected": dict(tally.rejected)}


def _write_empty(question: Question, rows: Rows, output: Path) -> None:
    """Writes every output without a row, so that a reader finds its columns."""
    none = pa.RecordBatch.from_pylist([], schema=canonical_schema(rows.files[0].wanted))
    for name, answers in Answerer(question).of_rows(none):
        write_part((f"{name}/part-00000-00000", answers), output)


def _written(directory: Path) -> int:
    """Rows in a directory's files."""
    return sum(pq.read_metadata(path).num_rows for path in directory.glob("*.parquet"))
