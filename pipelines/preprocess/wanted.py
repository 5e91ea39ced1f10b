"""Which raw columns a configuration asks for, of which table and as which type."""

from collections.abc import Iterator

from pipelines.components.base import PipelineError
from pipelines.preprocess.layout import (
    Column,
    Columns,
    Table,
    source_key,
    table_of,
    table_sources,
)
from tfmtl.config import (
    Config,
    Events,
    Input,
    MultiLabelTask,
    Raw,
    RegressionTask,
    RetrievalTask,
    SideTable,
)
from tfmtl.config.tasks import reads_number


def resolve(config: Config, columns: Columns) -> dict[Table, list[Column]]:
    """Finds out what to read from each table.

    Args:
        config: the configuration.
        columns: names of the columns that each raw table has.

    Returns:
        {table: columns}; columns that a table lacks are listed too, so that the reader can say so.

    Raises:
        PipelineError: one column is asked for as text and as a number, or one name means columns
            of two tables, or a history is of what the log says of an item.
    """
    _check_requests(config, columns)
    _check_histories(config, columns)
    _check_users(config, columns)
    wanted: dict[Table, dict[str, Column]] = {t: {} for t in table_sources(config)}
    for table, column in _asked(config, columns):
        known = wanted[table].get(column.name)
        # A time that is kept as a number would be rounded to minutes.
        if known is None or (known.kind, column.kind) == ("number", "time"):
            wanted[table][column.name] = column
        elif _noun(known) != _noun(column) and not _is_slice(column):
            raise PipelineError(
                f"column '{column.name}' is read as {_noun(known)} by {known.asked_by} and as "
                f"{_noun(column)} by {column.asked_by}; let both read it the same way"
            )
    return {table: list(by_name.values()) for table, by_name in wanted.items()}


def _check_requests(config: Config, columns: Columns) -> None:
    """A request gives its values by the columns' names alone, so that each must be of one table."""
    tables: dict[str, Table | None] = {}
    for made, raw in _raws(config):
        table = table_of(config, raw.side, raw.column, columns)
        known = tables.setdefault(raw.column, table)
        if raw.constant is None and known != table:
            raise PipelineError(
                f"features.{raw.side} '{made.feature}': there is a column '{raw.column}' in "
                f"{known} and in {table}, but a request has one value; rename one of them"
            )


def _raws(config: Config) -> Iterator[tuple[Input, Raw]]:
    """The raw columns that features read, with the inputs that are made from them."""
    yield from ((made, raw) for made in config.features.inputs.values() for raw in made.reads)


def _check_histories(config: Config, columns: Columns) -> None:
    """A history takes its items' values from the catalogue, which has the latest: a row would know
    of later ones."""
    items = config.source.items
    versioned = items is not None and items.valid_from is not None
    for history in config.features.history:
        for name in history.of:
            raw = config.features.by_name[name].raw
            table = table_of(config, "item", raw, columns)
            if table == "items" and versioned:
                raise PipelineError(
                    f"features.history of '{name}': column '{raw}' has several versions of an item "
                    f"in source.items, and a history would know of later ones; leave '{name}' out"
                )
            if table == "log" and raw != config.source.log.item:
                raise PipelineError(
                    f"features.history of '{name}': column '{raw}' is in the log, where it may "
                    f"change from row to row; put it into source.items or leave '{name}' out"
                )


def _check_users(config: Config, columns: Columns) -> None:
    """Where the next event is predicted, the log's columns of a user come with it."""
    spec = config.next_event
    if spec is None:
        return
    for made, raw in _raws(config):
        if raw.side != "user" or raw.column in (config.source.log.user, *spec.known):
            continue
        if table_of(config, "user", raw.column, columns) == "log":
            raise PipelineError(
                f"features.user '{made.feature}': column '{raw.column}' is in the log, where it is "
                f"of the event that is predicted; put it into source.users, or into "
                f"source.events.next.known if it is known before"
            )


def _is_text(column: Column) -> bool:
    return column.kind in ("text", "class")


def _noun(column: Column) -> str:
    lists = {"texts": "a list of texts", "numbers": "a list of numbers"}
    noun = lists.get(column.kind) or ("text" if _is_text(column) else "a number")
    return noun if column.size is None else f"a list of {column.size} numbers"


def _is_slice(column: Column) -> bool:
    return column.asked_by == "evaluation.slices"


def _asked(config: Config, columns: Columns) -> Iterator[tuple[Table, Column]]:
    if config.split.column:
        named = tuple(config.split.values)
        key, fault = "split.column", "unknown split"
        yield "log", Column(config.split.column, "text", key, allowed=named, unknown=fault)
    yield from (("log", column) for column in _log_columns(config))
    yield from _keyed_columns(config)
    yield from _event_columns(config)
    if config.scenario:
        scenario = Column(
            config.scenario.column,
            "text",
            "scenario.column",
            allowed=tuple(config.scenario.values),
            unknown="unknown scenario",
        )
        yield "log", scenario
    sampled = config.source.impressions is None and config.next_event is None
    item = config.source.log.item
    for made, raw in _raws(config):
        first = next(t for t in (f"{raw.side}s", "log") if t in columns)
        table = table_of(config, raw.side, raw.column, columns) or first
        asked_by = f"features.{raw.side} '{made.feature}'"
        if raw.side == "item" and table == "log" and sampled and raw.column != item:
            raise PipelineError(
                f"{asked_by}: column '{raw.column}' must be in source.items, for a sampled "
                f"item has no event to take it from"
            )
        yield (
            table,
            Column(raw.column, raw.kind, asked_by, separator=raw.separator, size=raw.size),
        )
    for name in config.evaluation.slices:
        table = table_of(config, "slice", name, columns) or "log"
        yield table, Column(name, "text", "evaluation.slices")
    # Last, for what is wrong with a row is said of the columns by their own meaning.
    yield from (("log", column) for column in _joining_columns(config))


def _log_columns(config: Config) -> Iterator[Column]:
    log, key = config.source.log, source_key(config, "log")
    if log.user is not None:
        yield Column(log.user, "text", f"{key}.user", missing="missing user")
    yield Column(log.item, "text", f"{key}.item", missing="missing item")
    if log.time is not None:
        yield Column(log.time, "time", f"{key}.time", missing="missing time")
    if log.weight:
        yield Column(log.weight, "weight", f"{key}.weight")
    if isinstance(log, Events):
        yield from _kind_column(log)
    else:
        yield from _label_columns(config)
        for label, time in log.label_times.items():
            yield Column(time, "time", f"{key}.label_times.{label}", time_of=label)


def _kind_column(events: Events) -> Iterator[Column]:
    if events.event is not None:
        kinds = dict.fromkeys(kind for kinds in events.labels.values() for kind in kinds)
        key, allowed = "source.events.event", tuple(kinds)
        yield Column(events.event, "text", key, allowed=allowed, unknown="unknown event")


def _event_columns(config: Config) -> Iterator[tuple[Table, Column]]:
    """Columns of the events that are joined to impressions."""
    events = config.source.joined_events
    if events is None:
        return
    yield "events", Column(events.time, "time", "source.events.time", missing="missing time")
    for column in _kind_column(events):
        yield "events", column
    for name in events.on or ():
        yield "events", Column(name, "text", "source.events.on", missing="missing key")


def _joining_columns(config: Config) -> Iterator[Column]:
    """Columns of the log by which it is joined."""
    events = config.source.joined_events
    for name in (events.on or ()) if events else ():
        yield Column(name, "text", "source.events.on")
    for lookup, source in config.source.lookups.items():
        for name in source.key:
            yield Column(name, "text", f"source.lookups.{lookup}.key")


def _label_columns(config: Config) -> Iterator[Column]:
    events = config.source.joined_events
    for name, task in config.label_columns.items():
        if events and name in events.labels:
            continue
        key = _label_key(config, name)
        if isinstance(task, RegressionTask):
            yield Column(name, "label", key, range=task.range)
        else:
            yield Column(name, "label", key, binary=not reads_number(task))
    for name, task in config.class_columns.items():
        allowed = None if task.values is None else tuple(task.values)
        separator = task.separator if isinstance(task, MultiLabelTask) else None
        yield Column(
            name,
            "class",
            _label_key(config, name),
            allowed=allowed,
            separator=separator,
            unknown="unknown class",
        )


def _label_key(config: Config, column: str) -> str:
    for name, task in config.tasks.items():
        if isinstance(task, MultiLabelTask) and column in (task.labels or []):
            return f"tasks.{name}.labels"
        if isinstance(task, RetrievalTask):
            if task.positive == column:
                return f"tasks.{name}.positive"
        elif task.label == column:
            return f"tasks.{name}.label"
    return "features.history where"


def _keyed_columns(config: Config) -> Iterator[tuple[Table, Column]]:
    """Columns by which tables are joined to the log, and what else is asked of them."""
    for table, source in config.source.keyed.items():
        key = f"source.{table}"
        for name in source.keys:
            yield table, Column(name, "text", f"{key}.key", missing="missing key")
        if source.valid_from:
            asked_by = f"{key}.valid_from"
            yield table, Column(source.valid_from, "time", asked_by, missing="missing valid_from")
        if isinstance(source, SideTable) and source.title:
            yield table, Column(source.title, "text", f"{key}.title")
    for name, kind in config.serving.columns.items():
        yield "items", Column(name, kind, f"serving.columns.{name}")
    events = config.source.events
    if events and events.negatives.in_category:
        category = events.negatives.in_category
        yield "items", Column(category, "text", "source.events.negatives.in_category")
