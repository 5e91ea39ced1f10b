"""Which of a request's values belong to candidates, and which are alike for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from tfmtl.config import Config
from tfmtl.config.checks.windows import windows_without_items
from tfmtl.config.scored import fused_columns
from tfmtl.preprocessing.preprocessor import Preprocessor


@dataclass(frozen=True)
class Sides:
    """The model's inputs and a request's raw values, divided between user and item.

    The side of the user is that of the query and the context, too: whatever is one for all
    candidates.

    Attributes:
        user: inputs of the model that are alike for all candidates.
        item: those that are not: of items, of items together with something else, and counts and
            rates of items.
        user_raw: what a request gives for the side of the user, `[batch, ...]`.
        item_raw: what it gives for a candidate, `[rows, ...]`.
    """

    user: list[str]
    item: list[str]
    user_raw: dict[str, tf.TensorSpec]
    item_raw: dict[str, tf.TensorSpec]


def divide(config: Config, preprocessor: Preprocessor, names: Sequence[str]) -> Sides:
    """Divides the inputs of a model.

    Args:
        config: the configuration.
        preprocessor: makes them of raw values.
        names: of the inputs.

    Returns:
        Names and raw values in the order of `names`.
    """
    of_items = item_columns(config)
    item = [name for name in names if of_items.intersection(columns_of(config, name))]
    spec = preprocessor.raw_spec(names)
    return Sides(
        user=[name for name in names if name not in item],
        item=item,
        user_raw={name: one for name, one in spec.items() if name not in of_items},
        item_raw={name: one for name, one in spec.items() if name in of_items},
    )


def item_columns(config: Config) -> set[str]:
    """What a request says of items: their raw columns, and counts and rates of items."""
    reads = [raw for made in config.features.inputs.values() for raw in made.reads]
    columns = {raw.column for raw in reads if raw.side == "item" and raw.constant is None}
    windows = {window.name for window in config.features.windows}
    return columns | windows.difference(windows_without_items(config))


def columns_of(config: Config, name: str) -> list[str]:
    """What a request gives for an input of the model: raw columns, or the input itself."""
    made = config.features.inputs.get(name)
    if made is None:
        return [name]
    return [raw.column for raw in made.reads if raw.constant is None]


def held_inputs(config: Config) -> list[str]:
    """The inputs of the model that follow from the item alone, whatever the request."""
    features = {feature.name for feature in config.features.item}
    return [
        made.name
        for made in config.features.inputs.values()
        if made.feature in features and all(raw.constant is None for raw in made.reads)
    ]


def held_columns(config: Config) -> list[str]:
    """The raw columns of items that the model's other inputs are made of, single values all, but
    for the key; those that a request may give one of, where an input is made of several; and
    those of formulas and answers."""
    held, of_items = held_inputs(config), item_columns(config)
    single = {
        raw.column
        for made in config.features.inputs.values()
        if len(made.reads) > 1 or made.name not in held
        for raw in made.reads
        if raw.constant is None and raw.kind not in ("texts", "numbers")
    }
    single = (single & of_items) | {*fused_columns(config), *config.serving.recommend.returns}
    return sorted(single - {config.source.log.item})
