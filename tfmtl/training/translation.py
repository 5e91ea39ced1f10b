"""Examples made for one model, as another model would have made them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfmtl.config import (
    BagFeature,
    Config,
    CrossedFeature,
    Feature,
    NumericFeature,
    TextFeature,
    Vocabular,
    Window,
)
from tfmtl.layers.lookup import VocabularyLookup
from tfmtl.models.inputs import describe
from tfmtl.models.saved import load_config, load_preprocessor
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.encoders import encoding_name
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.preprocessing.tables import (
    RESERVED,
    Moments,
    label_vocabulary,
    read_moments,
    read_vocabulary,
    reserved,
    vocabulary_name,
)


class Translation:
    """Turns inputs made with one analysis into those of another, so that an older model can be
    measured on the same rows.

    Ids go through the values they stand for; a value that the examples' vocabulary did not know
    stays unknown. Scaled numbers are put on the other scale; 0 is taken for missing and stays.
    Ranges of numbers become those in which their middles are.

    Args:
        config: the configuration the examples were made with.
        directory: the vocabularies and moments they were made with.
        model: directory of the model that is to read them.

    Raises:
        ValueError: the model reads an input that the examples do not hold.
    """

    def __init__(self, config: Config, directory: Path, model: Path) -> None:
        other, target = load_config(model), load_preprocessor(model)
        own = Preprocessor(config, directory)
        held = describe(config, own.vocabulary_sizes, own.encoders).spec
        wanted_spec = describe(other, target.vocabulary_sizes, target.encoders).spec
        self._ids: dict[str, np.ndarray] = {}
        self._scales: dict[str, tuple[float, float]] = {}
        self._names = list(wanted_spec)
        for name, spec in wanted_spec.items():
            if name not in held or held[name].shape.as_list() != spec.shape.as_list():
                raise ValueError(f"it reads '{name}' of shape {spec.shape}, which the rows lack")
        moments, others = read_moments(directory), read_moments(model)
        for feature in config.features:
            wanted = other.features.by_name.get(feature.name)
            if wanted is None:
                continue
            if feature.kind != wanted.kind or feature.raw != wanted.raw:
                raise ValueError(f"it reads '{feature.name}' as {wanted.kind} of '{wanted.raw}'")
            if _is_pretrained(feature) or _is_pretrained(wanted):
                if _encoding(feature, directory) != _encoding(wanted, model):
                    raise ValueError(f"it encodes '{feature.name}' otherwise")
            elif isinstance(feature, NumericFeature):
                assert isinstance(wanted, NumericFeature)
                self._take_number(feature, wanted, moments, others)
            elif isinstance(feature, Vocabular) or (_looked_up(feature) and _looked_up(wanted)):
                if _split_into(feature) != _split_into(wanted):
                    raise ValueError(f"it splits '{feature.name}' otherwise")
                self._ids[feature.name] = _ids(
                    directory, feature, target.lookup(vocabulary_name(wanted))
                )
            elif _made_by(feature, config, moments) != _made_by(wanted, other, others):
                raise ValueError(f"it makes '{feature.name}' otherwise")
        for history in other.features.history:
            for name, of in {**history.item_inputs, **history.context_inputs}.items():
                if of in self._ids:
                    self._ids[name] = self._ids[of]
                if of in self._scales:
                    self._scales[name] = self._scales[of]
        self._ids |= _behaviours(config, other)
        windows = {window.name: window for window in other.features.windows}
        for window in config.features.windows:
            if window.name in windows:
                _check_alike(window, windows[window.name])
                self._scales[window.name] = _line(moments[window.name], others[window.name])
        if config.scenario and other.scenario:
            names = tf.constant(config.scenario.values)
            known = target.scenario(names).numpy()
            self._ids[columns.SCENARIO] = np.concatenate([[0, 1], known]).astype(np.int32)

    def _take_number(
        self,
        feature: NumericFeature,
        wanted: NumericFeature,
        moments: Mapping[str, Moments],
        others: Mapping[str, Moments],
    ) -> None:
        if feature.bucketize or wanted.bucketize:
            if not (feature.bucketize and wanted.bucketize):
                raise ValueError(f"it reads '{feature.name}' otherwise bucketized")
            own, its = (_boundaries(feature, moments), _boundaries(wanted, others))
            self._ids[feature.name] = _ranges(own, its)
        elif feature.scale != wanted.scale:
            raise ValueError(f"it reads '{feature.name}' at scale {wanted.scale}")
        elif feature.scale != "none":
            self._scales[feature.name] = _line(moments[feature.name], others[feature.name])

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Translates the inputs that are there and that the model reads."""
        result = {name: inputs[name] for name in self._names if name in inputs}
        for name, ids in self._ids.items():
            if name in result:
                result[name] = ids[result[name]]
        for name, (slope, intercept) in self._scales.items():
            if name in result:
                scaled = result[name]
                moved = np.where(scaled == 0, 0, scaled * slope + intercept)
                result[name] = moved.astype(np.float32)
        return result


def in_classes_of(directory: Path, model: Path, task: str) -> Callable[[np.ndarray], np.ndarray]:
    """Puts a model's probabilities in the order of the examples' classes, 0 for those it lacks.

    Args:
        directory: the vocabularies the examples were made with.
        model: directory of the model.
        task: a task of classes that both have.

    Returns:
        A function from `[n, classes]` of the model to `[n, classes]` of the examples.
    """
    name = label_vocabulary(task)
    own = {value: place for place, value in enumerate(read_vocabulary(model, name))}
    places = np.array([own.get(value, -1) for value in read_vocabulary(directory, name)])
    return lambda found: np.where(places < 0, np.float32(0), found[:, places])


def _behaviours(config: Config, other: Config) -> dict[str, np.ndarray]:
    """Id of a behaviour in the other configuration's histories by id in those of the rows."""
    wanted = {h.behaviour_input: h.where for h in other.features.history if h.behaviour_input}
    translated = {}
    for history in config.features.history:
        names = wanted.get(history.behaviour_input or "", [])
        ids = [RESERVED + names.index(name) if name in names else 1 for name in history.where]
        if names and history.behaviour_input:
            translated[history.behaviour_input] = np.array([0, 1, *ids], np.int32)
    return translated


def _check_alike(window: Window, wanted: Window) -> None:
    own, other = (w.model_dump(exclude={"encoding"}) for w in (window, wanted))
    differing = [key for key in own if own[key] != other[key]]
    if differing:
        raise ValueError(f"it reads '{window.name}' with another {', '.join(differing)}")


def _ids(directory: Path, feature: Feature, target: VocabularyLookup) -> np.ndarray:
    """Id in the target's vocabulary by id in the examples' own.

    What is unknown to both keeps its bucket where both have as many, and is in the first where
    they have not.
    """
    first = reserved(feature)
    lines = read_vocabulary(directory, vocabulary_name(feature))
    ids = np.arange(first + len(lines), dtype=np.int32)
    if first != 1 + target.oov_buckets:
        ids[1:first] = 1
    if lines:
        ids[first:] = target(tf.constant(lines)).numpy()
    return ids


def _is_pretrained(feature: Feature) -> bool:
    return isinstance(feature, TextFeature) and feature.pretrained is not None


def _encoding(feature: Feature, directory: Path) -> Any:
    """What decides the input that a text gives a pretrained encoder, or the vector of it."""
    if not isinstance(feature, TextFeature) or feature.pretrained is None:
        return None
    return feature.frozen, encoding_name(directory, feature)


def _looked_up(feature: Feature) -> bool:
    return isinstance(feature, BagFeature | TextFeature) and feature.hash_buckets is None


def _split_into(feature: Feature) -> Any:
    """What decides which tokens a text has."""
    if not isinstance(feature, TextFeature):
        return None
    return feature.tokens, feature.max_bytes


def _boundaries(feature: NumericFeature, moments: Mapping[str, Moments]) -> np.ndarray:
    assert feature.bucketize
    fixed = feature.bucketize.boundaries
    return np.array(moments[feature.name].boundaries if fixed is None else fixed, np.float64)


def _ranges(own: np.ndarray, its: np.ndarray) -> np.ndarray:
    """Id in its ranges by id in the own ones, of the number in a range's middle."""
    if len(own):
        ends = np.concatenate([own[:1] - 1, own, own[-1:] + 1])
        middles = (ends[:-1] + ends[1:]) / 2
    else:
        middles = np.zeros(1)
    if np.array_equal(own, its):
        found = np.arange(len(own) + 1)
    else:
        found = np.searchsorted(its, middles, side="right")
    return np.concatenate([[0], 1 + found]).astype(np.int32)


def _made_by(feature: Feature, config: Config, moments: Mapping[str, Moments]) -> Any:
    """What decides how a feature without a vocabulary is made."""
    kept = feature.model_dump(exclude={"dim", "serve_as", "combiner", "length"})
    if isinstance(feature, CrossedFeature):
        parts = config.features.of_cross(feature)
        kept["parts"] = [part and (part.raw, part.kind) for part in parts]
        numbers = [part for part in parts if isinstance(part, NumericFeature)]
        kept["boundaries"] = [_boundaries(part, moments).tolist() for part in numbers]
    return kept


def _line(source: Moments, target: Moments) -> tuple[float, float]:
    """Slope and intercept from one scale to the other."""
    deviation = target.deviation or 1.0
    return (source.deviation or 1.0) / deviation, (source.mean - target.mean) / deviation
