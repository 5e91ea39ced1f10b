"""One user of the log as an application knows them: features, history, the last query.

The raw values are those of the pipeline's own artifacts, so nothing of the raw files is needed.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.preprocess.known_since import known_since
from tfmtl.config import Config, History, TextFeature

_SHARE_WITH_QUERY = 0.5


@dataclass(frozen=True)
class Visitor:
    """A user of whom enough is known to make asking worthwhile.

    Attributes:
        key: the user's key.
        features: raw column -> value, of the user and of their last row of the log.
        histories: input of the model -> raw values, the latest first.
        queries: scenario -> {raw column of a query feature: text}; "" where nothing is searched.
    """

    key: str
    features: Mapping[str, Any]
    histories: Mapping[str, list[Any]]
    queries: Mapping[str, Mapping[str, str]]


def read_catalogue(path: Path) -> dict[str, dict[str, Any]]:
    """The items by key: their `title` and their raw columns, under the columns' own names."""
    wanted = [n for n in pq.read_schema(path).names if n in ("key", "title") or n[:4] == "raw/"]
    rows = pq.read_table(path, columns=wanted).to_pylist()
    return {row["key"]: {n.removeprefix("raw/"): v for n, v in row.items()} for row in rows}


def choose_visitor(
    config: Config, examples: Path, catalogue: Mapping[str, Mapping[str, Any]]
) -> Visitor:
    """The user with the most positive rows, and among those a frequent searcher.

    Where no row is positive, all rows count.

    Args:
        config: the configuration of the run.
        examples: ExampleGen's artifact.
        catalogue: items by key.
    """
    log = pq.read_table(examples / "log")
    source = config.source.log
    users = log.column(source.user)
    by_user = Counter(users.filter(_positives(config, log)).to_pylist()) or Counter(
        users.to_pylist()
    )
    searches = [f.raw for f in config.features.query if isinstance(f, TextFeature)]
    if searches:
        searchers = set(users.filter(_given(log.column(searches[0]))).to_pylist())
        by_user = Counter({u: n for u, n in by_user.items() if u in searchers}) or by_user
    key = by_user.most_common(1)[0][0]
    rows = log.filter(pc.equal(log.column(source.user), key)).sort_by([(source.time, "descending")])
    return Visitor(
        key=key,
        features={**rows.slice(0, 1).to_pylist()[0], **_profile(config, examples, key)},
        histories=_histories(config, rows, 1 + pc.max(log.column(source.time)).as_py(), catalogue),
        queries=_queries(config, log, rows),
    )


def _positives(config: Config, log: pa.Table) -> pa.ChunkedArray:
    """Rows that a history or the retrieval task counts; all where neither names a label."""
    wheres = [where for history in config.features.history for where in history.where]
    if config.retrieval_task:
        wheres.append(config.retrieval_task[1].positive or "")
    for where in wheres:
        if where in log.column_names:
            return pc.fill_null(pc.greater(log.column(where), 0), False)
    return pc.is_valid(log.column(config.source.log.user))


def _given(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.not_equal(texts.cast(pa.string()), ""), False)


def _profile(config: Config, examples: Path, key: str) -> dict[str, Any]:
    source = config.source.users
    if source is None:
        return {}
    users = pq.read_table(examples / "users.parquet")
    found = users.filter(pc.equal(users.column(source.key), key)).to_pylist()
    # The last is the latest where the table has several versions of a user.
    return found[-1] if found else {}


def _histories(
    config: Config, rows: pa.Table, now: int, catalogue: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[Any]]:
    histories: dict[str, list[Any]] = {}
    for history in config.features.history:
        events = _events(config, rows, history)[: history.last]
        for name, of in history.item_inputs.items():
            raw = config.features.by_name[of].raw
            of_item = raw == config.source.log.item
            histories[name] = [
                key if of_item else catalogue.get(key, {}).get(raw) for _, _, key in events
            ]
        if history.gap_input:
            histories[history.gap_input] = [float(now - since) for since, _, _ in events]
        if history.behaviour_input:
            histories[history.behaviour_input] = [history.where[kind] for _, kind, _ in events]
    return histories


def _events(config: Config, rows: pa.Table, history: History) -> list[tuple[int, int, str]]:
    """What happened to a user, the latest first: when, which of the history's labels, the item."""
    keys = rows.column(config.source.log.item).to_pylist()
    (batch,) = rows.combine_chunks().to_batches()
    events = [
        (since, kind, key)
        for kind, label in enumerate(history.where)
        for since, key in zip(known_since(batch, label, config).to_pylist(), keys, strict=True)
        if since is not None
    ]
    return sorted(events, key=lambda event: event[0], reverse=True)


def _queries(config: Config, log: pa.Table, rows: pa.Table) -> dict[str, dict[str, str]]:
    """The user's last query that led to a positive, for each scenario that usually has one."""
    columns = [f.raw for f in config.features.query if isinstance(f, TextFeature)]
    queries: dict[str, dict[str, str]] = {}
    for scenario in scenarios(config):
        queries[scenario] = {}
        for column in columns:
            shown = _given(_in_scenario(config, log, scenario).column(column))
            usual = (pc.mean(shown).as_py() or 0) >= _SHARE_WITH_QUERY
            asked = rows.filter(_given(rows.column(column)))
            answered = asked.filter(_positives(config, asked))
            texts = (answered if len(answered) else asked).column(column).cast(pa.string())
            queries[scenario][column] = texts[0].as_py() if usual and len(texts) else ""
    return queries


def scenarios(config: Config) -> list[str]:
    """The scenarios to ask in; one without a name where there are none."""
    return list(config.scenario.values) if config.scenario else [""]


def _in_scenario(config: Config, table: pa.Table, scenario: str) -> pa.Table:
    if not config.scenario:
        return table
    texts = table.column(config.scenario.column).cast(pa.string())
    return table.filter(pc.equal(texts, scenario))
