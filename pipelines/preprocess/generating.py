"""What ExampleGen does: canonical rows out of raw tables of any form."""

import shutil
from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from pipelines.components.base import Context, PipelineError, Summary
from pipelines.preprocess import parsing
from pipelines.preprocess.attribution import attribute_events
from pipelines.preprocess.events import pivot
from pipelines.preprocess.files import find_files
from pipelines.preprocess.gathering import Gathered, gather
from pipelines.preprocess.layout import Table, source_key, table_sources
from pipelines.preprocess.next_events import follow
from pipelines.preprocess.parsing import DEAD_LETTERS, Tally
from pipelines.preprocess.raw_files import RawFile
from pipelines.preprocess.rejects import FUTURE, NOT_JSON, OUTSIDE, WRONG_FIELDS
from pipelines.preprocess.running import run
from pipelines.preprocess.splits import Boundaries
from pipelines.preprocess.writing import write_json
from tfmtl.config import Config, Events

_REMEDIES = {
    "not UTF-8": "is {key}.encoding right?",
    WRONG_FIELDS: "is {key}.delimiter right?",
    NOT_JSON: "is {key}.format right?",
    OUTSIDE: "is {key}.time_unit right?",
    FUTURE: "should {key}.max_time be later?",
    "unknown scenario": "should it be in scenario.values?",
    "unknown split": "should split.train, split.validation or split.test name it?",
    "unknown class": "name it in the task's values, or leave them out to find them in the data",
    "unknown event": "name it in one of {key}.labels, or ignore it by a higher "
    "source.max_bad_share",
}
"""What may be wrong where a fault is frequent."""


def generate(ctx: Context, output: Path) -> Summary:
    """Reads the raw tables of `ctx.config.source`; see `pipelines.components.example_gen`.

    Args:
        ctx: the component's.
        output: where to write.
    """
    files = find_files(ctx.config, ctx.data)
    shutil.rmtree(ctx.run / DEAD_LETTERS, ignore_errors=True)
    work = output / "work"
    run(partial(parsing.build, files=files, output=work), work, ctx.progress)
    if (work / DEAD_LETTERS).exists():
        (work / DEAD_LETTERS).rename(output / DEAD_LETTERS)
    tallies = {table: parsing.read_tally(work, table) for table in table_sources(ctx.config)}
    for table, tally in tallies.items():
        _check(ctx, table, tally, files, output)

    log = tallies["log"]
    boundaries = Boundaries.of(ctx.config, log.last)
    if log.first is not None and log.last is not None:
        _check_span(boundaries, log.first, log.last)
    gathered = {
        table: gather(work / table, source, f"source.{table}", output / f"{table}.parquet")
        for table, source in ctx.config.source.keyed.items()
    }
    summary = _summary(ctx.config, tallies, gathered, boundaries)
    summary |= _write_log(ctx, boundaries, output)
    summary["columns"] = {
        table: sorted({name for file in files if file.table == table for name in file.names})
        for table in tallies
    }
    shutil.rmtree(work)
    summary["headline"] = f"{summary['kept']:,} of {summary['rows']:,} rows kept"
    write_json(summary, output / "summary.json")
    return summary


def _check_span(boundaries: Boundaries, first: int, last: int) -> None:
    if boundaries.validation_from is not None and first >= boundaries.validation_from:
        raise PipelineError(
            f"split: no rows are left for training, the log spans {last - first + 1} s and "
            f"validation and test take all of it; make split.validation and split.test shorter"
        )


def _write_log(ctx: Context, boundaries: Boundaries, output: Path) -> Summary:
    """Makes the log of the canonical rows and returns what the summary says of it."""
    work, log = output / "work", output / "log"
    if ctx.config.next_event:
        follow(ctx.config, boundaries, work, log, ctx.progress)
        return {}
    if isinstance(ctx.config.source.log, Events):
        made = pivot(ctx.config, boundaries, work, log, ctx.progress)
        return {"examples": made["rows"] + made["sampled"], "events": made}
    if ctx.config.source.joined_events:
        return {"attribution": attribute_events(ctx.config, work, log, ctx.progress)}
    (work / "log").rename(log)
    return {}


def _summary(
    config: Config,
    tallies: dict[Table, Tally],
    gathered: dict[Table, Gathered],
    boundaries: Boundaries,
) -> Summary:
    tables, log = {}, tallies["log"]
    for table, tally in tallies.items():
        name = source_key(config, table).removeprefix("source.")
        tables[name] = {
            "rows": tally.rows,
            "kept": gathered[table].kept if table in gathered else tally.kept,
            "duplicates": gathered[table].duplicates if table in gathered else 0,
            "rejected": dict(tally.rejected),
        }
    bad = sum(tally.rows - tally.kept for tally in tallies.values())
    return {
        "rows": log.rows,
        "kept": log.kept,
        "examples": log.kept,
        "rejected": dict(log.rejected),
        "tables": tables,
        "dead_letters": {"rows": bad, "path": DEAD_LETTERS},
        "first_time": log.first,
        "last_time": log.last,
        "split": asdict(boundaries),
    }


def _check(ctx: Context, table: Table, tally: Tally, files: list[RawFile], output: Path) -> None:
    if tally.failure:
        raise PipelineError(tally.failure)
    first = next(file.path for file in files if file.table == table)
    key = source_key(ctx.config, table)
    if not tally.rows:
        raise PipelineError(f"{key}.path: there is no row in {first}; is it empty?")
    bad = tally.rows - tally.kept
    if not bad or (tally.kept and bad / tally.rows <= ctx.config.source.max_bad_share):
        return
    letters = _keep_dead_letters(output, ctx.run / DEAD_LETTERS)
    reason, count = tally.rejected.most_common(1)[0]
    if not tally.kept:
        allowed = "none is left"
    else:
        allowed = f"source.max_bad_share allows {ctx.config.source.max_bad_share:g}"
    remedy = _REMEDIES.get(reason, "").format(key=key)
    notes = [str(count), _at_fault(letters, table, reason), remedy]
    details = ", ".join(note for note in notes if note)
    raise PipelineError(
        f"{key}: {bad} of {tally.rows} rows are bad ({bad / tally.rows:.1%}), {allowed}; "
        f"most often: {reason} ({details}); see {letters}"
    )


def _at_fault(letters: Path, table: Table, reason: str) -> str:
    """The column that a reason is most often about; empty where it is about none."""
    wanted = [("table", "==", table), ("reason", "==", reason)]
    columns = pq.read_table(letters, columns=["column"], filters=wanted).column("column")
    counts = Counter(columns.drop_null().to_pylist())
    return f"column '{counts.most_common(1)[0][0]}'" if counts else ""


def _keep_dead_letters(output: Path, kept: Path) -> Path:
    """Copies the dead letters out of the artifact, which is thrown away when the run stops."""
    shutil.copytree(output / DEAD_LETTERS, kept)
    return kept
