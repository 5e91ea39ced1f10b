"""What Transform does: the ids and numbers the model reads, with histories, and the catalogue."""

import shutil
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.components.base import PipelineError, Progress, Summary
from pipelines.console.accounting import accounting, check
from pipelines.preprocess import catalogue, transformation
from pipelines.preprocess.class_counts import known_classes
from pipelines.preprocess.encoding import Encoder
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.quality import add_quality
from pipelines.preprocess.running import run
from pipelines.preprocess.sampling import Plan
from pipelines.preprocess.sampling_counts import Job as SamplingJob
from pipelines.preprocess.sampling_counts import plan_sampling, resampled_positives
from pipelines.preprocess.sampling_table import summarise_sampling
from pipelines.preprocess.sampling_text import changes_of, lines_of
from pipelines.preprocess.shards import Job
from pipelines.preprocess.with_past import read_window_moments
from pipelines.preprocess.writing import read_json, write_json, write_parquet
from pipelines.texts.encoding import encode_texts
from pipelines.texts.numbered import NumberedTexts
from tfmtl.config import Config, MultiLabelTask
from tfmtl.preprocessing.columns import SPLITS
from tfmtl.preprocessing.encoders import ENCODERS
from tfmtl.preprocessing.tables import read_moments, write_moments


def transform(
    rows: Examples, statistics: Path, output: Path, progress: Progress, cache: Path
) -> Summary:
    """Transforms examples; see `pipelines.components.transform`.

    Args:
        rows: the examples.
        statistics: the directory that StatisticsGen made of them.
        output: where to write.
        progress: callback for the live line.
        cache: directory of the vectors of texts that are kept from run to run.
    """
    config = rows.config
    work = output / "work"
    by_split = read_json(statistics / "summary.json")["rows"]
    total = sum(by_split.values())

    encoded = encode_texts(rows, statistics, output, work, cache, progress, total)
    texts = NumberedTexts(config, statistics, output, work)
    build = partial(catalogue.build, examples=rows, work=work)
    run(build, work, progress, total, "items")
    plan, positives = _plan(rows, statistics, work, progress, total)
    items = catalogue.make(rows, Encoder(rows, statistics, texts), positives, work, texts)
    write_parquet(items, output / "catalogue.parquet")

    counts = tuple(by_split[split] for split in SPLITS)
    job = Job(config, rows.directory, statistics, output, work, counts, plan)
    run(partial(transformation.build, job=job), work, progress, total)
    _fill_empty_splits(output)
    add_quality(config, output)
    shutil.copytree(statistics / "vocabularies", output / "vocabularies")
    if (statistics / ENCODERS).exists():
        shutil.copytree(statistics / ENCODERS, output / ENCODERS)
    moments = read_moments(statistics)
    if config.features.windows:
        moments |= read_window_moments(work)
    write_moments(output, moments)
    tallies = {split: _read_tally(work / f"{split}.json") for split in SPLITS}
    classes = {task: known_classes(statistics, task) for task in config.class_tasks}
    summary = {"items": items.num_rows, **_summary(config, tallies, classes)}
    shutil.rmtree(work)
    if not summary["splits"][SPLITS[0]]:
        raise PipelineError("sampling: no row is left for training; keep more of the negatives")
    summary["splits"] = {split: _written(output / split) for split in SPLITS}
    summary["examples"] = by_split
    if plan is not None:
        summary["sampling"] = summarise_sampling(tallies[SPLITS[0]], plan, config)
        summary["changes"] = {SPLITS[0]: changes_of(summary["sampling"])}
        summary["lines"] = lines_of(summary["sampling"])
    if encoded:
        summary["texts"] = [made._asdict() for made in encoded]
        summary["lines"] = [*summary.get("lines", []), *(made.line for made in encoded)]
    account = accounting(rows.summary, summary)
    assert account is not None
    check(account)
    summary["accounting"] = account.as_data()
    summary["headline"] = ", ".join(
        f"{split} {count:,}" for split, count in summary["splits"].items()
    )
    write_json(summary, output / "summary.json")
    return summary


def _plan(
    examples: Examples, statistics: Path, work: Path, progress: Progress, total: int
) -> tuple[Plan | None, pa.Table]:
    """Which training rows to leave out and to repeat, and the counts of the retrieval task's
    positives among what will come of them."""
    config = examples.config
    positives = pq.read_table(statistics / "positives.parquet")
    if not config.sampling.negatives and config.resampling is None:
        return None, positives
    job = SamplingJob(config, examples.directory, statistics, work)
    plan = plan_sampling(job, progress, total)
    if plan.repeat and config.retrieval_task:
        positives = resampled_positives(job, plan, progress, total)
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
