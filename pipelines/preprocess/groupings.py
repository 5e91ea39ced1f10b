"""Which histories, counts and rates are found together, in one grouping of the rows."""

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from pipelines.preprocess.coded import Coded
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.hashing import Hashes, hash_strings, mix
from pipelines.preprocess.sides import View
from tfmtl.config import Config, HashedFeature, History, IdFeature, Vocabular, Window

Keys = tuple[str, ...]
"""What rows have in common, in the order of the alphabet."""

USER = ("user",)


def keys_of(window: Window) -> Keys:
    """The keys of a window, whatever their order in the configuration."""
    return tuple(sorted(window.by))


@dataclass(frozen=True)
class Grouping:
    """Rows brought together by one key, and what is found in it.

    Attributes:
        key: the key, e.g. `user`; rows that have it in common are in one bucket.
        windows: counts and rates whose keys include it.
        histories: where it is the user.
    """

    key: str
    windows: tuple[Window, ...]
    histories: tuple[History, ...] = ()

    @property
    def keys(self) -> list[Keys]:
        """The keys, alone or several together, of which something is found."""
        own = [USER] if self.histories else []
        return list(dict.fromkeys([*own, *(keys_of(window) for window in self.windows)]))

    @property
    def happened(self) -> list[str]:
        """Labels, or `rows`, of which it must be known when they became 1."""
        named = [label for history in self.histories for label in history.where]
        return list(dict.fromkeys([*named, *(window.of for window in self.windows)]))

    @property
    def told(self) -> list[str]:
        """Labels of which it must be known when rows count, whatever the label is."""
        return list(dict.fromkeys(w.of for w in self.windows if w.kind == "rate"))


def groupings(config: Config) -> list[Grouping]:
    """The groupings of a configuration: a window of several keys is found in that of the key with
    the most values, one of user and category where the histories are."""
    features = config.features
    ids = [f.name for f in features if isinstance(f, IdFeature)]
    others = [f.name for f in features if isinstance(f, Vocabular | HashedFeature)]
    left, found = list(features.windows), []
    # A feature may itself be named user or item.
    for key in dict.fromkeys(("user", "item", *ids, *others, "scenario")):
        own = tuple(window for window in left if key in window.by)
        histories = tuple(features.history) if key == "user" else ()
        if own or histories:
            found.append(Grouping(key, own, histories))
        left = [window for window in left if window not in own]
    return found


class KeyHashes:
    """Hashes of a batch's keys.

    Args:
        view: the batch.
        examples: the examples, which know the columns' tables.
    """

    def __init__(self, view: View, examples: Examples) -> None:
        self._view = view
        self._examples = examples
        self._single: dict[str, Hashes] = {}

    def of(self, keys: Keys) -> Hashes:
        """One hash of several keys: uint64 `[n]`, 0 where one of them is missing."""
        hashes = self._of_one(keys[0])
        for key in keys[1:]:
            other = self._of_one(key)
            both = mix(hashes ^ mix(other, seed=3), seed=4)
            hashes = np.where((hashes == 0) | (other == 0), np.uint64(0), both)
        return hashes

    def _of_one(self, key: str) -> Hashes:
        if key not in self._single:
            texts = self._texts(key)
            hashes = hash_strings(texts.values)
            hashes[pc.equal(texts.values, "").to_numpy(False)] = 0
            self._single[key] = hashes[texts.codes]
        return self._single[key]

    def _texts(self, key: str) -> Coded:
        config = self._examples.config
        log, scenario = config.source.log, config.scenario
        columns = {
            "user": log.user,
            "item": log.item,
            "scenario": scenario.column if scenario else None,
        }
        if key in columns:
            column = columns[key]
            assert column is not None, key
            return Coded.of(self._view.rows.column(column))
        side, feature = next((s, f) for s, f in config.features.sided if f.name == key)
        return self._view.text(self._examples.table_of(side, feature.raw), feature.raw)
