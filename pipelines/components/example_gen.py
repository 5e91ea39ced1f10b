"""ExampleGen: raw tables of any form to canonical rows, with the bad ones set aside.

Leaves log/*.parquet; items.parquet, users.parquet and lookups.NAME.parquet where they are declared;
dead_letters/*.parquet and summary.json, from which every later count of raw rows is taken:

    rows, kept      of the log: rows read, rows that are good; the log is the impressions, or the
                    events where there are no impressions
    rejected        {reason: rows} of the log; rows = kept + the sum of it
    first_time, last_time   earliest and latest unix time of the log's good rows, null without one
    tables          {NAME: {rows, kept, duplicates, rejected}} of all tables, the log first, NAME
                    being the key in the configuration below `source`: impressions, events, items,
                    users, lookups.NAME; rows = kept + duplicates + the sum of rejected. A duplicate
                    is a good row that is left out, for another has its key.
    columns         {table: names} of the raw files' columns, `log` for the log
    dead_letters    {rows, path}: all tables' rejected rows, and their directory
    examples        rows written to log/
    events          of events alone {rows, merged, sampled, not_found}: rows with labels made of
                    them, events that were put into the row of an earlier one, sampled negatives,
                    and negatives for which no item was found; kept = rows + merged, examples =
                    rows + sampled
    attribution     of impressions and events {attributed, unattributed}: events that belong to an
                    impression and that belong to none; their sum is the kept of events
    split           where the splits part, see `pipelines.preprocess.splits.Boundaries`
"""

from typing import Any

from pipelines.artifacts import Examples, Output
from pipelines.components.base import Context, Summary, component
from tfmtl.config import Config
from tfmtl.config.tasks import reads_number


def _reads(config: Config) -> Any:
    return {
        "source": config.source.model_dump(mode="json"),
        "features": [
            [made.feature, [raw._replace(constant=None) for raw in made.reads]]
            for made in config.features.inputs.values()
        ],
        "labels": {
            name: task.model_dump(mode="json", include={"kind", "range"}) if task else None
            for name, task in config.label_columns.items()
        },
        "numbers": {name: reads_number(task) for name, task in config.label_columns.items()},
        "classes": {
            name: task.model_dump(mode="json", include={"separator", "values"})
            for name, task in config.class_columns.items()
        },
        "scenario": config.scenario.model_dump(mode="json") if config.scenario else None,
        "slices": config.evaluation.slices,
        "served": config.serving.columns,
        "split": config.split.model_dump(mode="json"),
        "seed": config.seed,
    }


@component(reads=_reads, raw=True)
def ExampleGen(context: Context, examples: Output[Examples]) -> Summary:
    """Reads the raw tables of `context.config.source`.

    Returns:
        Rows read, kept and rejected, times, split boundaries; also written to summary.json.

    Raises:
        PipelineError: a file or column is missing or damaged, or too many rows are bad.
    """
    from pipelines.preprocess.generating import generate

    return generate(context, examples.path)
