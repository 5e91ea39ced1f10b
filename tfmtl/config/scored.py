"""What scores and filters may read: predictions of one number, and columns of items."""

from typing import TYPE_CHECKING, Literal

from tfmtl.config.formulas import parse_formula, variables
from tfmtl.config.quality import QUALITY
from tfmtl.served_names import conditional_output

if TYPE_CHECKING:
    from tfmtl.config.config import Config

RETRIEVAL_SCORE = "retrieval_score"
"""Name of the retrieval task's score in formulas, and output of the served model."""
ColumnKind = Literal["text", "number"]


def item_columns(config: "Config") -> dict[str, ColumnKind]:
    """Columns of items that are single texts or numbers: those of features, then
    `serving.columns` and what is made. The item's key is none of them."""
    made = config.features.inputs.values()
    raws = [raw for one in made for raw in one.reads if raw.side == "item"]
    kinds: dict[str, ColumnKind] = {
        raw.column: "text" if raw.kind == "text" else "number"
        for raw in raws
        if raw.kind in ("text", "number")
    }
    # Read as a time elsewhere, it is kept as one.
    kinds |= {raw.column: "number" for raw in raws if raw.kind == "time"}
    kinds |= config.serving.columns
    kinds |= dict.fromkeys(made_columns(config), "number")
    kinds.pop(config.source.log.item, None)
    return kinds


def made_columns(config: "Config") -> tuple[str, ...]:
    """Columns of items that no table has: they are made of the training rows."""
    return QUALITY if config.serving.quality else ()


def number_outputs(config: "Config") -> list[str]:
    """Outputs of the ranking tasks that are one number an item."""
    tasks = [name for name in config.ranking_tasks if name not in config.class_tasks]
    return [*tasks, *(conditional_output(name, after) for name, after in config.funnel.items())]


def default_formula(config: "Config") -> str | None:
    """The formula where none is configured; None for a model that gives items no number."""
    # What comes next is predicted without an item, and says nothing of any.
    numbers = [] if config.next_event else number_outputs(config)
    names = [*numbers, *([RETRIEVAL_SCORE] if config.retrieval_task else [])]
    return names[0] if names else None


def formulas(config: "Config") -> dict[str | None, str]:
    """The formula of every scenario, and under None that of rows of none that is known; empty for
    a model that gives items no number."""
    scenarios = [None, *(config.scenario.values if config.scenario else [])]
    default, found = default_formula(config), {}
    for name in scenarios:
        formula = config.serving.fuse.formula_in(name) or default
        if formula is not None:
            found[name] = formula
    return found


def fused_names(config: "Config") -> list[str]:
    """The names that the formulas read, parameters among them."""
    read = [variables(parse_formula(text)) for text in formulas(config).values()]
    return list(dict.fromkeys(name for names in read for name in names))


def fused_columns(config: "Config") -> list[str]:
    """The columns of items that the formulas read."""
    known = item_columns(config)
    taken = {*number_outputs(config), *config.serving.fuse.parameters}
    return [name for name in fused_names(config) if name in known and name not in taken]
