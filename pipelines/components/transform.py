"""Transform: examples to the ids and numbers the model reads, with histories, and the catalogue.

Leaves {train,validation,test}/part-*.parquet, catalogue.parquet, vocabularies/ and moments.json.
"""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.accounting import accounting, check
from pipelines.components.base import Component, Context, PipelineError, Summary
from pipelines.preprocess import catalogue, transformation
from pipelines.preprocess.class_counts import known_classes
from pipelines.preprocess.encoding import Encoder
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.known_since import declared_times
from pipelines.preprocess.running import run
from pipelines.preprocess.sampling import Plan
from pipelines.preprocess.sampling_counts import Job as SamplingJob
from pipelines.preprocess.sampling_counts import plan_sampling, resampled_positives
from pipelines.preprocess.sampling_table import summarise_sampling
from pipelines.preprocess.sampling_text import changes_of, lines_of
from pipelines.preprocess.shards import Job
from pipelines.preprocess.with_past import read_window_moments
from pipelines.preprocess.writing import read_json, write_json, write_parquet
from tfmtl.config import Config, MultiLabelTask
from tfmtl.preprocessing.columns import SPLITS
from tfmtl.preprocessing.tables import read_moments, write_moments


def execute(ctx: Context) -> Summary:
    """Transforms the examples.

    Returns:
        Rows, label rates, shares of classes and history coverage by split, what sampling did to the
        training rows, and the account of all rows.
    """
    config, statistics = ctx.config, ctx.inputs["statistics"]
    examples = Examples(config, ctx.inputs["examples"])
    work = ctx.output / "work"
    by_split = read_json(statistics / "summary.json")["rows"]
    total = sum(by_split.values())

    build = partial(catalogue.build, examples=examples, work=work)
    run(build, work, ctx.progress, total, "items")
    plan, positives = _plan(ctx, work, total)
    items = catalogue.make(examples, Encoder(examples, statistics), positives, work)
    write_parquet(items, ctx.output / "catalogue.parquet")

    rows = tuple(by_split[split] for split in SPLITS)
    job = Job(config, examples.directory, statistics, ctx.output, work, rows, plan)
    run(partial(transformation.build, job=job), work, ctx.progress, total)
    _fill_empty_splits(ctx.output)
    shutil.copytree(statistics / "vocabularies", ctx.output / "vocabularies")
    moments = read_moments(statistics)
    if config.features.windows:
        moments |= read_window_moments(work)
    write_moments(ctx.output, moments)
    tallies = {split: _read_tally(work / f"{split}.json") for split in SPLITS}
    classes = {task: known_classes(statistics, task) for task in config.class_tasks}
    summary = {"items": items.num_rows, **_summary(config, tallies, classes)}
    shutil.rmtree(work)
    if not summary["splits"][SPLITS[0]]:
        raise PipelineError("sampling: no row is left for training; keep more of the negatives")
    summary["splits"] = {split: _written(ctx.output / split) for split in SPLITS}
    summary["examples"] = by_split
    if plan is not None:
        summary["sampling"] = summarise_sampling(tallies[SPLITS[0]], plan, config)
        summary["changes"] = {SPLITS[0]: changes_of(summary["sampling"])}
        summary["lines"] = lines_of(summary["sampling"])
    account = accounting(examples.summary, summary)
    assert account is not None
    check(account)
    summary["accounting"] = account.as_data()
    summary["headline"] = ", ".join(
        f"{split} {rows:,}" for split, rows in summary["splits"].items()
    )
    write_json(summary, ctx.output / "summary.json")
    return summary


def _plan(ctx: Context, work: Path, total: int) -> tuple[Plan | None, pa.Table]:
    """Which training rows to leave out and to repeat, and the counts of the retrieval task's
    positives among what will come of them."""
    config, statistics = ctx.config, ctx.inputs["statistics"]
    positives = pq.read_table(statistics / "positives.parquet")
    if not config.sampling.negatives and config.resampling is None:
        return None, positives
    job = SamplingJob(config, ctx.inputs["examples"], statistics, work)
    plan = plan_sampling(job, ctx.progress, total)
    if plan.repeat and config.retrieval_task:
        positives = resampled_positives(job, plan, ctx.progress, total)
    return plan, positives


def _written(split: Path) -> int:
    """Rows in a split's files."""
    return sum(pq.read_metadata(path).num_rows for path in split.glob("*.parquet"))


def _fill_empty_splits(output: Path) -> None:
    """Gives a split without a row a file without a row, so that every reader finds the schema."""
    schema = pq.read_schema(output / SPLITS[0] / "part-00000.parquet")
    for split in SPLITS:
        if not (output / split).exists():
            write_parquet(schema.empty_table(), output / split / "part-00000.parquet")


def _read_tally(path: Path) -> dict[str, float]:
    return read_json(path) if path.exists() else {"rows": 0, "positives": 0}


def _summary(
    config: Config, tallies: dict[str, dict[str, float]], classes: dict[str, list[str]]
) -> Summary:
    def share(tally: dict[str, float], part: str, whole: str) -> float | None:
        return tally.get(part, 0) / tally[whole] if tally.get(whole) else None

    def whole(task: str, number: int) -> str:
        """A row has one class, but each of several labels may be missing."""
        several = isinstance(config.tasks[task], MultiLabelTask)
        return f"count/{task}/{number}" if several else f"count/{task}"

    return {
        "splits": {split: int(tally["rows"]) for split, tally in tallies.items()},
        "positives": {split: int(tally["positives"]) for split, tally in tallies.items()},
        "label_means": {
            split: {
                t: share(tally, f"sum/{t}", f"count/{t}")
                for t in config.ranking_tasks
                if t not in classes
            }
            for split, tally in tallies.items()
        },
        "classes": {
            task: {
                split: {
                    name: share(tally, f"sum/{task}/{number}", whole(task, number))
                    for number, name in enumerate(names)
                }
                for split, tally in tallies.items()
            }
            for task, names in classes.items()
        },
        "history_coverage": {
            split: {
                h.title: share(tally, f"history/{h.title}", "rows") for h in config.features.history
            }
            for split, tally in tallies.items()
        },
    }


def _reads(config: Config) -> Any:
    ignored = {"dim", "encoder", "combiner", "serve_as", "min_count", "max_size"}
    return {
        "features": {
            side: [
                f.model_dump(mode="json", exclude=ignored) for f in getattr(config.features, side)
            ]
            for side in ("user", "item", "query", "context", "history", "windows")
        },
        "tasks": {
            name: task.model_dump(
                mode="json",
                include={"kind", "label", "labels", "separator", "positive", "scenarios"},
            )
            for name, task in config.tasks.items()
        },
        "scenario": config.scenario.model_dump(mode="json") if config.scenario else None,
        "slices": config.evaluation.slices,
        "title": config.source.items.title if config.source.items else None,
        "times": declared_times(config),
        "weight": config.source.log.weight,
        "sampling": config.sampling.model_dump(mode="json"),
        "resampling": config.resampling.model_dump(mode="json") if config.resampling else None,
        "seed": config.seed,
    }


COMPONENT = Component(
    name="Transform",
    produces="transformed",
    consumes=("examples", "statistics"),
    reads=_reads,
    execute=execute,
)
