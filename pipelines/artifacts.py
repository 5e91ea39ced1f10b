"""The artifacts of a run: typed directories that components hand to one another.

A component's signature names what it reads and makes by these classes:

    def Transform(
        context: Context, examples: Examples, statistics: Statistics,
        transformed: Output[Transformed],
    ) -> Summary: ...

An artifact's class says where it lies, `artifacts/NAME`. What is in it stands in the docstring of
the component that makes it. A component of one's own may define classes of its own.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Artifact:
    """A complete directory that a component has made; readers leave it as it is.

    Attributes:
        path: the directory.
        name: the artifact's name, the same in all runs: its directory's under `artifacts/`.

    Raises:
        TypeError: a class without a name that a directory can have.
    """

    path: Path
    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        name = vars(cls).get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise TypeError(
                f"artifact class {cls.__name__}: expected a `name` of lower case letters, digits "
                f'and _, as in name = "examples", got {name!r}'
            )


A = TypeVar("A", bound=Artifact)


@dataclass(frozen=True)
class Output(Generic[A]):
    """Where a component writes its artifact.

    Attributes:
        path: an empty directory. It is renamed into place when the component has returned, so a
            killed run leaves nothing half-made.
    """

    path: Path


class Examples(Artifact):
    """Canonical rows of the raw tables, the bad ones set aside."""

    name = "examples"


class Statistics(Artifact):
    """Vocabularies and moments of the training rows, and statistics of every split."""

    name = "statistics"


class Schema(Artifact):
    """What columns should be like."""

    name = "schema"


class Anomalies(Artifact):
    """What is wrong with the data, though not enough to stop the run."""

    name = "anomalies"


class Hyperparameters(Artifact):
    """The best configuration values found, `best.yaml`, and the trials that led to them.

    `best.yaml` maps dotted keys of the configuration to values. The components after the one that
    made it see a configuration with these values.
    """

    name = "hyperparameters"


class Transformed(Artifact):
    """The ids and numbers the model reads, of every split, and the catalogue."""

    name = "transformed"


class SoftLabels(Artifact):
    """What teachers say of the training rows, and how good they are."""

    name = "soft_labels"


class Model(Artifact):
    """A trained Keras model with all it needs."""

    name = "model"


class Evaluation(Artifact):
    """The model's metrics on the test split, and the verdict."""

    name = "evaluation"


class Infra(Artifact):
    """The SavedModel, and that stock TF Serving would load and run it."""

    name = "infra"


class Pushed(Artifact):
    """Which version was pushed, if one was."""

    name = "pushed"


class Variants(Artifact):
    """Which smaller variants were pushed beside the model, and what they lose."""

    name = "variants"


class Inferred(Artifact):
    """A model's answers for the rows of a table."""

    name = "inferred"
