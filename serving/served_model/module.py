"""What a SavedModel holds: variables, vocabularies, the catalogue and the signatures' functions."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from serving import signatures
from serving.served_model.embed import embed_item, embed_user
from serving.served_model.examples import (
    class_tasks,
    classify,
    number_task,
    predict_examples,
    regress,
)
from serving.served_model.parts import Parts, Served
from serving.served_model.rank import rank
from serving.served_model.rank_rows import rank_rows
from serving.served_model.recommend import recommend, recommends
from serving.served_model.retrieve import retrieve
from serving.served_model.wanted import is_wanted

_SIGNATURES: dict[str, Callable[[Parts], Served]] = {
    signatures.RANK_ROWS: rank_rows,
    signatures.RANK: rank,
    signatures.RETRIEVE: retrieve,
    signatures.RECOMMEND: recommend,
    signatures.CLASSIFY: classify,
    signatures.REGRESS: regress,
    signatures.PREDICT_EXAMPLES: predict_examples,
    signatures.EMBED_USER: embed_user,
    signatures.EMBED_ITEM: embed_item,
}


class ServedModel(tf.Module):
    """What a SavedModel holds.

    The model itself must not be an attribute: TF Serving would not find its variables.

    Attributes:
        served: the signatures by name.
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__(name="served_model")
        self.variables_ = parts.weights
        self.encoders_ = parts.preprocessor.weights
        self.tables_ = parts.preprocessor.tables
        self.items_, self.filters_ = parts.items, parts.filters
        self.index_ = parts.index
        self.served = _served(parts)
        self._traced = parts.traced

    @property
    def parameters(self) -> int:
        """Numbers and strings of all variables, each counted once."""
        return sum(int(np.prod(variable.shape)) for variable in self.variables)

    def functions(self) -> dict[str, Any]:
        """The functions by signature name, traced."""
        functions = {n: self._traced(one.function, one.spec) for n, one in self.served.items()}
        return {**functions, signatures.DEFAULT: next(iter(functions.values()))}


def _served(parts: Parts) -> dict[str, Served]:
    """The signatures that the model's tasks make possible and the configuration wants, the default
    one first."""
    ranking, retrieval = parts.config.ranking_tasks, parts.model.retrieval
    possible = {
        signatures.RANK_ROWS: bool(ranking),
        signatures.RANK: bool(ranking),
        signatures.RETRIEVE: bool(retrieval),
        signatures.RECOMMEND: recommends(parts),
        signatures.CLASSIFY: bool(class_tasks(parts.config)),
        signatures.REGRESS: bool(number_task(parts.config)),
        signatures.PREDICT_EXAMPLES: bool(ranking),
        signatures.EMBED_USER: bool(retrieval and parts.query_raw),
        signatures.EMBED_ITEM: bool(retrieval),
    }
    return {
        name: make(parts)
        for name, make in _SIGNATURES.items()
        if possible[name] and is_wanted(name, parts.config)
    }
