"""Logs of which the next event is predicted: nothing may be read that only comes with it."""

from typing import TYPE_CHECKING

from tfmtl.config.next_event import NextEvent
from tfmtl.config.tasks import RegressionTask

if TYPE_CHECKING:
    from tfmtl.config.config import Config

_KNOWN = "source.events.next.known"


def check_next_event(config: "Config") -> None:
    """Refuses what would tell a ranking task of the event that it is to predict.

    Raises:
        ValueError: naming the key.
    """
    spec = config.next_event
    if spec is None:
        return
    _check_past(config)
    _check_features(config, spec)
    _check_model(config)
    _check_windows(config)
    _check_time(config, spec)
    if config.scenario and config.scenario.column not in spec.known:
        raise ValueError(
            f"scenario.column: '{config.scenario.column}' is of the event that is predicted; if it "
            f"is known before, add it to {_KNOWN}"
        )
    if config.bulk_inference:
        raise ValueError(
            "bulk_inference: where the next event is predicted, a user's past is asked about and "
            "not rows with items; leave it out"
        )


def _check_past(config: "Config") -> None:
    if not config.features.history:
        raise ValueError(
            "features.history: with source.events.next events are predicted from those before "
            "them; add a history"
        )
    for index, history in enumerate(config.features.history):
        if history.encoder.kind == "din":
            raise ValueError(
                f"features.history[{index}].encoder: din weighs by the item in question, and the "
                f"next one is not known; choose gru, lstm, sasrec or mean"
            )


def _check_features(config: "Config", spec: NextEvent) -> None:
    features, source = config.features, config.source
    in_past = {name for history in features.history for name in history.context}
    of_items = {feature.name for feature in features.item}
    users = source.users is not None
    for made in features.inputs.values():
        if made.feature in of_items:
            continue
        feature = f"feature '{made.feature}'"
        for raw in made.reads:
            if raw.side == "item":
                raise ValueError(
                    f"{feature}: '{raw.column}' is of the item that comes next; leave it out"
                )
            fixed = raw.side == "user" and (users or raw.column == source.log.user)
            if fixed or raw.column in spec.known or made.feature in in_past:
                continue
            remedy = f"if it is known before, add it to {_KNOWN}"
            if raw.side == "context":
                remedy += ", else name the feature in the context of a history"
            raise ValueError(
                f"{feature}: '{raw.column}' is of the event that is predicted; {remedy}"
            )


def _check_model(config: "Config") -> None:
    if config.model.factorised:
        raise ValueError(
            "model.factorised: it reads the row's item, which with source.events.next is to be "
            "predicted; leave it out"
        )


def _check_windows(config: "Config") -> None:
    of_rows = set(config.row_inputs) - config.hidden_inputs
    for window in config.features.windows:
        for key in window.by:
            if key not in ("user", "scenario", *of_rows):
                raise ValueError(
                    f"features.windows '{window.name}': '{key}' is of the event that is predicted; "
                    f"count by user, or by what is known before"
                )


def _check_time(config: "Config", spec: NextEvent) -> None:
    """The time of the event says how long it took to come."""
    known = config.source.log.time in spec.known
    for name, task in config.tasks.items():
        if known and isinstance(task, RegressionTask) and task.label == spec.gap:
            raise ValueError(
                f"tasks.{name}: '{spec.gap}' follows from the time of the event, which {_KNOWN} "
                f"names; leave one of the two out"
            )
