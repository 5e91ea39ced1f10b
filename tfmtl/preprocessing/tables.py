"""What the analysis of the training rows leaves behind: vocabularies and moments, as files.

DIRECTORY/vocabularies/NAME.txt         one value a line, the most frequent first
DIRECTORY/vocabularies/label.TASK.txt   a task's classes, one a line, in the predictions' order
DIRECTORY/moments.json                  {feature: {"mean": x, "deviation": x}} after scaling;
                                        {"boundaries": [x, ...]} besides, of bucketized features
"""

import json
from dataclasses import dataclass
from pathlib import Path

from tfmtl.config import Feature, TextFeature

RESERVED = 2
"""Ids before the first value of a vocabulary: 0 missing (and padding), 1 unknown; more where
unknown values have several ids, see `reserved`."""


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of a numeric feature over the training rows, after scaling, and
    the first numbers of its ranges but the first, where it has ranges."""

    mean: float
    deviation: float
    boundaries: tuple[float, ...] = ()


def reserved(feature: Feature) -> int:
    """Ids before the first value of the vocabulary that a feature reads."""
    return RESERVED - 1 + getattr(feature, "oov_buckets", 1)


def vocabulary_name(feature: Feature) -> str:
    """Name of the vocabulary, and of the embedding table, that a feature reads."""
    if isinstance(feature, TextFeature) and feature.table:
        return feature.table
    return feature.name


def label_vocabulary(task: str) -> str:
    """Name of the vocabulary of a task's classes; no feature can have it."""
    return f"label.{task}"


def vocabulary_path(directory: Path, name: str) -> Path:
    """File of a vocabulary."""
    return directory / "vocabularies" / f"{name}.txt"


def write_vocabulary(directory: Path, name: str, values: list[str]) -> None:
    """Writes a vocabulary, one value a line.

    Raises:
        ValueError: a value is empty or holds a line break, which a line cannot tell apart.
    """
    write_lines(vocabulary_path(directory, name), values, f"vocabulary {name}")


def write_lines(path: Path, values: list[str], title: str) -> None:
    """Writes texts, one a line, as lookup tables read them; errors call them by their title.

    Raises:
        ValueError: a value is empty or holds a line break, which a line cannot tell apart.
    """
    for value in values:
        if not value or "\n" in value or "\r" in value:
            raise ValueError(f"{title}: {value!r} is no line of text")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{value}\n" for value in values), encoding="utf-8", newline="\n")


def read_vocabulary(directory: Path, name: str) -> list[str]:
    """Reads a vocabulary's values."""
    return vocabulary_path(directory, name).read_text(encoding="utf-8").split("\n")[:-1]


def vocabulary_size(directory: Path, name: str) -> int:
    """Number of a vocabulary's values, the reserved ids not counted."""
    with vocabulary_path(directory, name).open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def write_moments(directory: Path, moments: dict[str, Moments]) -> None:
    """Writes the numeric features' moments."""
    directory.mkdir(parents=True, exist_ok=True)
    data = {
        name: {
            "mean": known.mean,
            "deviation": known.deviation,
            **({"boundaries": list(known.boundaries)} if known.boundaries else {}),
        }
        for name, known in moments.items()
    }
    (directory / "moments.json").write_text(json.dumps(data, indent=2), encoding="utf-8")


def read_moments(directory: Path) -> dict[str, Moments]:
    """Reads the numeric features' moments."""
    data = json.loads((directory / "moments.json").read_text(encoding="utf-8"))
    return {
        name: Moments(v["mean"], v["deviation"], tuple(v.get("boundaries", ())))
        for name, v in data.items()
    }
