"""A SavedModel asked as TF Serving asks it: through a session, by the names of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tfmtl.models.multi_task import MultiTaskModel


class Asked:
    """A SavedModel in a v1 session; what a request leaves out is its default."""

    def __init__(self, directory: Path) -> None:
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], str(directory))
        self.signatures = loaded.signature_def

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._session.close()

    def __call__(self, name: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The answer of a signature."""
        signature = self.signatures[name]
        preset = {n: tf.make_ndarray(value) for n, value in signature.defaults.items()}
        given = {**preset, **inputs}
        assert set(given) == set(signature.inputs)
        feeds = {signature.inputs[n].name: value for n, value in given.items()}
        return self._session.run({n: t.name for n, t in signature.outputs.items()}, feeds)


@dataclass(frozen=True)
class Shop:
    """A model, its directory, its SavedModel, and what asks that."""

    model: MultiTaskModel
    home: Path
    directory: Path
    ask: Asked
