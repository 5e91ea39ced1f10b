"""Vocabularies that go on from those of a trained model."""

from pathlib import Path

from pipelines.preprocess.vocabularies import readers
from tfmtl.config import Config
from tfmtl.preprocessing.tables import read_vocabulary, vocabulary_path, write_vocabulary


def grow_vocabularies(config: Config, statistics: Path, base: Path) -> dict[str, int]:
    """Puts the base's values before those that only the newer rows have.

    Old values keep their ids, so that they keep their rows of the tables. A vocabulary gets no
    larger than its features' `max_size`; the most frequent of the new values come first.

    Args:
        config: whose features read the vocabularies.
        statistics: StatisticsGen's artifact, with the newer rows' vocabularies, which are replaced.
        base: directory of the trained model.

    Returns:
        Number of values added, by vocabulary, where there are any.
    """
    added: dict[str, int] = {}
    for name, features in readers(config):
        if not vocabulary_path(base, name).is_file():
            continue
        before, found = read_vocabulary(base, name), read_vocabulary(statistics, name)
        room = max(feature.max_size for _, feature in features) - len(before)
        known = set(before)
        new = [value for value in found if value not in known][: max(room, 0)]
        write_vocabulary(statistics, name, before + new)
        if new:
            added[name] = len(new)
    return added
