"""Counts and rates over past windows that fit the log and the features."""

from typing import TYPE_CHECKING

from tfmtl.config.ids import HashedFeature, Vocabular

if TYPE_CHECKING:
    from tfmtl.config.config import Config

_OF_LOG = ("user", "item", "scenario")
"""Keys that are no features."""


def check_windows(config: "Config") -> None:
    if config.features.windows and config.split.by == "random":
        raise ValueError(
            "features.windows: a random split would count test rows for the training rows of the "
            "same user; set split.by to time or user"
        )
    known = {f.name for f in config.features if isinstance(f, Vocabular | HashedFeature)}
    for i, window in enumerate(config.features.windows):
        for key in window.by:
            where = f"features.windows[{i}].by: '{key}'"
            if key == "user" and config.source.log.user is None:
                raise ValueError(f"{where} is not known, source.impressions.user is null")
            if key == "scenario" and config.scenario is None:
                raise ValueError(f"{where} is not known; add scenario to the configuration")
            if key not in known.union(_OF_LOG):
                raise ValueError(
                    f"{where} is no id, categorical or hashed feature; choose among "
                    f"{', '.join([*_OF_LOG, *sorted(known)])}"
                )


def windows_without_items(config: "Config") -> list[str]:
    """Names of the counts and rates that a query tower can know, for they are not of items."""
    items = {"item", *(f.name for f in config.features.item)}
    return [w.name for w in config.features.windows if not items.intersection(w.by)]
