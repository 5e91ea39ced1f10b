"""Features that fit the log and the towers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfmtl.config.checks.requests import check_requests
from tfmtl.config.checks.windows import windows_without_items
from tfmtl.config.features import embedding_dim
from tfmtl.config.ids import IdFeature
from tfmtl.config.inputs import Raw

if TYPE_CHECKING:
    from tfmtl.config.config import Config


def check_log(config: "Config") -> None:
    """What the configuration asks for that a log without users or times does not have."""
    log = config.source.log
    if log.time is None and config.split.by == "time":
        raise ValueError(
            "split.by: source.impressions.time is null, so rows cannot be split by time; "
            "set split.by to random"
        )
    if log.user is None and config.features.history:
        raise ValueError(
            "features.history: source.impressions.user is null, so no row has a history; name "
            "the column or leave the history out"
        )
    if log.user is None and config.split.by == "user":
        raise ValueError(
            "split.by: source.impressions.user is null, so rows cannot be split by user; "
            "set split.by to random"
        )
    scenario, split = config.scenario, config.split
    if scenario and scenario.column == split.column:
        unnamed = [value for value in scenario.values if value not in split.values]
        if unnamed:
            raise ValueError(
                f"split.column: it is the scenario's, and no split has '{unnamed[0]}'; name it in "
                "train, validation or test"
            )
    for part in ("history", "windows"):
        if log.time is None and getattr(config.features, part):
            raise ValueError(
                f"features.{part}: source.impressions.time is null, so no row has a past; name "
                "the column or leave it out"
            )


def check_features(config: "Config") -> None:
    if config.features.history and config.split.by == "random":
        raise ValueError(
            "features.history: a random split would put test rows into the histories; "
            "set split.by to time or user"
        )
    key = config.source.log.item
    if config.retrieval_task and not any(
        isinstance(f, IdFeature) and f.raw == key for f in config.features.item
    ):
        raise ValueError(f"features.item: a retrieval task needs an id feature of '{key}'")
    if config.model.scenario_net and not config.scenario:
        raise ValueError(
            f"model.scenario_net: {config.model.scenario_net.kind} needs to know the scenario; "
            "add scenario: {column: ..., values: [...]}, or leave model.scenario_net out"
        )
    _check_towers(config)
    check_requests(config)


def _check_towers(config: "Config") -> None:
    towers = config.model.retrieval
    histories = [name for h in config.features.history for name in h.input_names]
    sides = config.features
    made = config.row_inputs.values()
    items = [i.name for i in made if i.feature in {f.name for f in sides.item}]
    asked = [i.name for i in made if i.name not in items and not _reads_item(i.reads)]
    asked += [*histories, *windows_without_items(config)]
    allowed = {"query": asked, "item": items}
    read = {"query": config.query_features, "item": config.item_features}
    for tower, names in read.items() if config.retrieval_task else ():
        wrong = [name for name in names if name not in allowed[tower]]
        if wrong or not names:
            raise ValueError(
                f"model.retrieval.{tower}: cannot read '{wrong[0] if wrong else ''}'; "
                f"choose among {', '.join(allowed[tower]) or 'no feature, add one'}"
            )
    if towers.kind == "sum" and config.retrieval_task:
        for name in (*config.query_features, *config.item_features):
            if _dim(config, name) != towers.dim:
                raise ValueError(
                    f"model.retrieval: sum needs embeddings of dim {towers.dim} only, "
                    f"feature '{name}' has none of it"
                )
    _check_histories_of_towers(config)


def _dim(config: "Config", name: str) -> int | None:
    """Width of an input's embeddings; None where it has none."""
    features, inputs = config.features.by_name, config.features.inputs
    ids = [i for i in inputs.values() if i.dtype == "int32" and i.length is None]
    dims = {i.name: embedding_dim(features[i.feature]) or 0 for i in ids}
    for history in config.features.history:
        width = sum(dims[of] for of in history.of)
        dims |= dict.fromkeys(history.input_names, width)
        dims |= {name: dims[of] for name, of in history.item_inputs.items()}
    return dims.get(name)


def _reads_item(reads: Sequence[Raw]) -> bool:
    return any(raw.side == "item" for raw in reads)


def _check_histories_of_towers(config: "Config") -> None:
    """An encoder reads a history as a whole, and so does a tower that reads its vector."""
    queries = config.query_features if config.retrieval_task else []
    for history in config.features.history:
        named = [name for name in history.input_names if name in queries]
        if not named or history.encoder.kind in ("mean", "din"):
            continue
        if len(named) < len(history.input_names):
            raise ValueError(
                f"model.retrieval.query: encoder {history.encoder.kind} reads all of history "
                f"'{history.title}', name {', '.join(history.input_names)} or none of them"
            )
        if config.model.retrieval.kind == "sum" and len(named) > 1:
            raise ValueError(
                "model.retrieval: sum needs vectors of one dim, encoder "
                f"{history.encoder.kind} joins those of {', '.join(named)}"
            )
