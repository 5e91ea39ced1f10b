"""A matrix factorisation, alone or beside a network."""

from typing import TYPE_CHECKING

from tfmtl.config.ids import IdFeature
from tfmtl.config.tasks import BinaryTask, RegressionTask

if TYPE_CHECKING:
    from tfmtl.config.config import Config


def check_factorised(config: "Config") -> None:
    model = config.model
    numbers = [
        name for name, t in config.tasks.items() if isinstance(t, BinaryTask | RegressionTask)
    ]
    if model.factorised:
        for side in ("user", "item"):
            if not any(isinstance(f, IdFeature) for f in getattr(config.features, side)):
                raise ValueError(f"model.factorised: needs an id feature in features.{side}")
        for name in config.factorised_ids:
            if getattr(config.features.by_name[name], "buckets", None) is not None:
                raise ValueError(
                    f"model.factorised: every id has a row of its own, feature '{name}' shares "
                    "them in buckets; leave buckets out"
                )
        if model.factorised.implicit and not numbers:
            raise ValueError(
                "model.factorised.implicit: it is learnt by a task of kind regression or binary; "
                "add one to tasks"
            )
    if model.trunk.kind == "none":
        _check_alone(config, numbers)
    if model.retrieval.kind == "factorised":
        _check_towers(config, numbers)
    elif model.retrieval.of is not None:
        raise ValueError(
            f"model.retrieval.of: it belongs to kind factorised, got {model.retrieval.kind}; "
            "leave it out"
        )


def _check_alone(config: "Config", numbers: list[str]) -> None:
    """A model without a network reads two ids, and predicts numbers."""
    model = config.model
    if not model.factorised:
        raise ValueError(
            "model.trunk: none leaves every prediction to model.factorised; add it, or choose "
            "another trunk"
        )
    for key in ("interaction", "scenario_net", "funnel"):
        if getattr(model, key):
            raise ValueError(f"model.{key}: the trunk none has no network; leave it out")
    others = [name for name in config.ranking_tasks if name not in numbers]
    if others:
        raise ValueError(
            f"tasks.{others[0]}: classes are not factorised; choose another trunk than none"
        )
    if config.retrieval_task and model.retrieval.kind != "factorised":
        return
    read = {config.factorised_ids[0], config.factorised_ids[1]}
    unread = [feature.name for feature in config.features if feature.name not in read]
    unread += [history.title for history in config.features.history]
    unread += [window.name for window in config.features.windows]
    if unread:
        raise ValueError(
            f"features: '{unread[0]}' is read by nothing, the trunk none reads "
            f"{' and '.join(config.factorised_ids)} alone; leave it out"
        )


def _check_towers(config: "Config", numbers: list[str]) -> None:
    """Towers that show what a factorisation predicts."""
    towers = config.model.retrieval
    if not config.retrieval_task:
        raise ValueError(
            "model.retrieval: factorised finds items for a task of kind retrieval; add one to tasks"
        )
    if config.model.trunk.kind != "none":
        raise ValueError(
            "model.retrieval: factorised knows what model.factorised predicts, not what a trunk "
            "adds to it; set model.trunk to {kind: none}"
        )
    if towers.of is not None and towers.of not in numbers:
        raise ValueError(
            f"model.retrieval.of: '{towers.of}' is no task of kind regression or binary; choose "
            f"among {numbers}"
        )
    for key in ("query", "item"):
        if getattr(towers, key) is not None:
            raise ValueError(f"model.retrieval.{key}: factorised reads the ids; leave it out")
    if towers.normalize:
        raise ValueError(
            "model.retrieval.normalize: it would put items into another order; leave it out"
        )
    if config.distillation:
        raise ValueError(
            "distillation: retrieval towers of kind factorised have nothing of their own to learn"
        )
