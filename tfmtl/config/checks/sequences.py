"""Checks of learning whole sequences."""

from typing import TYPE_CHECKING

from tfmtl.config.histories import History
from tfmtl.config.ids import Vocabular

if TYPE_CHECKING:
    from tfmtl.config.config import Config

IN_ORDER = ("sasrec", "gru", "lstm")


def check_sequences(config: "Config") -> None:
    """Refuses `positions: all` where the query is more than a history that is read in order.

    Raises:
        ValueError: naming the key.
    """
    if not config.whole_sequences:
        return
    task = config.retrieval_task
    assert task is not None
    where = f"tasks.{task[0]}.positions"
    history = sequence_of(config)
    if history is None:
        raise ValueError(
            f"{where}: the query tower should read one history and nothing else; name it in "
            f"model.retrieval.query, which has {config.query_features}"
        )
    if history.encoder.kind not in IN_ORDER:
        raise ValueError(
            f"{where}: history '{history.title}' has encoder {history.encoder.kind}, which has no "
            f"state at every item; choose {', '.join(IN_ORDER)}"
        )
    if key_of(config, history) is None:
        raise ValueError(
            f"{where}: history '{history.title}' should hold the items' key; put the feature of "
            f"'{config.source.log.item}', of kind id, into its `of`"
        )


def sequence_of(config: "Config") -> History | None:
    """The history that the query tower reads, where it reads nothing else."""
    read = set(config.query_features)
    return next((h for h in config.features.history if set(h.input_names) == read), None)


def key_of(config: "Config", history: History) -> str | None:
    """The item feature of a history that tells one item from another."""
    by_name = config.features.by_name
    keys = (name for name in history.of if by_name[name].raw == config.source.log.item)
    return next((name for name in keys if isinstance(by_name[name], Vocabular)), None)
