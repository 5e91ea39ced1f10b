"""Raw columns to the model's inputs: the one definition that Transform and serving share."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfmtl.config import Config, Raw
from tfmtl.layers.fitting import fitted
from tfmtl.layers.lookup import VocabularyLookup
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.encoders import frozen_texts, read_encoders
from tfmtl.preprocessing.identifiers import id_texts
from tfmtl.preprocessing.kinds import Analysis, Layer, layers
from tfmtl.preprocessing.past import PastInputs
from tfmtl.preprocessing.pretrained import Encoders
from tfmtl.preprocessing.tables import label_vocabulary, read_moments, read_vocabulary

_SPECS: dict[str, tuple[tf.DType, int]] = {
    "text": (tf.string, 1),
    "number": (tf.float32, 1),
    "time": (tf.float64, 1),  # float32 would be minutes off
    "texts": (tf.string, 2),
    "numbers": (tf.float32, 2),
}
"""Type and rank of what a request gives for a raw column, by what the column holds."""


class Preprocessor:
    """Turns raw columns into ids and numbers, by Keras layers made of stock TensorFlow ops.

    Transform applies it to the log, the SavedModel contains it: training and serving cannot
    differ.

    Args:
        config: the configuration.
        directory: where the analysis left vocabularies and moments.

    Attributes:
        classes: names of the classes by task, in the order of the predictions.
        encoders: what is known of the pretrained encoders of texts, by checkpoint.

    Example:
        >>> preprocessor = Preprocessor(config, Path("out/model"))
        >>> preprocessor.feature("device")(tf.constant(["phone", ""])).numpy()
        array([2, 0], dtype=int32)
    """

    def __init__(self, config: Config, directory: Path) -> None:
        self.config = config
        self.classes = {
            task: read_vocabulary(directory, label_vocabulary(task)) for task in config.class_tasks
        }
        self.encoders = read_encoders(directory)
        self._inputs = config.features.inputs
        moments = read_moments(directory)
        self._analysis = Analysis(config, directory, moments, Encoders(directory))
        self._past = PastInputs(config, moments)
        self._layers: dict[str, Layer] = {}
        for feature in config.features:
            self._layers |= layers(feature, self._analysis)
        self._histories = {
            name: (of, h.last)
            for h in config.features.history
            for name, of in {**h.item_inputs, **h.context_inputs}.items()
        }

    @property
    def vocabulary_sizes(self) -> dict[str, int]:
        """Values a vocabulary holds, by its name, the reserved ids not counted; the tasks'
        classes are vocabularies too."""
        sizes = {name: lookup.size for name, lookup in self._analysis.lookups.items()}
        return sizes | {label_vocabulary(task): len(own) for task, own in self.classes.items()}

    @property
    def tables(self) -> list[Any]:
        """The lookup tables, which a SavedModel must track."""
        lookups = self._analysis.lookups.values()
        tables = [lookup.table for lookup in lookups if lookup.table is not None]
        return [*tables, *self._analysis.encoders.tables]

    @property
    def weights(self) -> list[tf.Variable]:
        """Variables of the frozen encoders of texts, which a SavedModel must track."""
        return self._analysis.encoders.weights(frozen_texts(self.config))

    def feature(self, name: str) -> Layer:
        """What makes a model input.

        Args:
            name: of the input, which is mostly the feature's.

        Returns:
            A function of raw tensors, one for each column in `config.features.inputs[name].reads`:
            `[n]`, of lists `[n, k]`. It returns `[n]` or `[n, length]`.
        """
        return self._layers[name]

    def lookup(self, vocabulary: str) -> VocabularyLookup:
        """What looks single values up in a vocabulary, by its name."""
        return self._analysis.lookups[vocabulary]

    def scenario(self, values: tf.Tensor) -> tf.Tensor:
        """Scenario names `[n]` to int32 ids `[n]`: 1 unknown, 2 and up as configured."""
        assert self.config.scenario
        names = self.config.scenario.values
        matches = tf.cast(values[:, None] == tf.constant(names)[None, :], tf.int32)
        return 1 + tf.reduce_sum(matches * tf.range(1, len(names) + 1)[None, :], axis=1)

    def raw_spec(self, inputs: Sequence[str]) -> dict[str, tf.TensorSpec]:
        """Raw inputs needed to make the given model inputs, those served by a constant left out.

        Args:
            inputs: names of model inputs, e.g. `config.query_features`.

        Returns:
            {raw name: spec}: strings, float32 or, of times, float64, int64 of ids that are
            configured so; `[None]`, histories and lists `[None, None]`, vectors `[None, size]`.
        """
        ids = self.config.features.int64_columns
        spec: dict[str, tf.TensorSpec] = {}
        for name in inputs:
            if name in self._histories:
                of = self._inputs[self._histories[name][0]].reads[0]
                dtype = tf.int64 if of.column in ids else _SPECS[of.kind][0]
                spec[name] = tf.TensorSpec([None, None], dtype, name)
            elif name in self._past:
                spec[name] = self._past.spec(name)
            elif name == columns.SCENARIO:
                assert self.config.scenario
                raw = self.config.scenario.column
                spec[raw] = tf.TensorSpec([None], tf.string, raw)
            else:
                for read in self._inputs[name].reads:
                    if read.constant is None:
                        spec[read.column] = _spec(read, spec.get(read.column), ids)
        return spec

    def __call__(self, raw: Mapping[str, tf.Tensor], inputs: Sequence[str]) -> dict[str, tf.Tensor]:
        """Makes model inputs as a served request needs them.

        Args:
            raw: tensors by raw name, as `raw_spec(inputs)` describes. Where that is empty, any
                tensor `[batch]`, which says how often the constants are repeated.
            inputs: names of model inputs.

        Returns:
            {input: ids or numbers}: `[batch]`, texts and histories `[batch, length]`.

        Raises:
            ValueError: there is no tensor to tell the batch's size.
        """
        if not raw:
            raise ValueError("`raw` should hold a tensor, for the size of the batch. Received: {}")
        batch = tf.shape(next(iter(raw.values())))[0]
        raw = {name: id_texts(values) for name, values in raw.items()}
        made: dict[str, tf.Tensor] = {}
        for name in inputs:
            if name in self._histories:
                of, last = self._histories[name]
                values = tf.reshape(fitted(raw[name], last), [-1])
                width = last * (self._inputs[of].length or 1)
                made[name] = tf.reshape(self._layers[of](values), [-1, width])
            elif name in self._past:
                made[name] = self._past(name, raw[name])
            elif name == columns.SCENARIO:
                assert self.config.scenario
                made[name] = self.scenario(raw[self.config.scenario.column])
            else:
                reads = self._inputs[name].reads
                made[name] = self._layers[name](*[_given(read, raw, batch) for read in reads])
        return made


def _given(read: Raw, raw: Mapping[str, tf.Tensor], batch: tf.Tensor) -> tf.Tensor:
    """What a request gives for a column, or what stands in for it."""
    if read.constant is None:
        return raw[read.column]
    return tf.fill([batch], tf.constant(read.constant, _SPECS[read.kind][0]))


def _spec(read: Raw, known: tf.TensorSpec | None, ids: set[str]) -> tf.TensorSpec:
    """What a request gives for a column; a number that another feature reads as a time, too, is
    given as precisely as that needs."""
    dtype, rank = _SPECS[read.kind]
    if known is not None and known.dtype == tf.float64:
        dtype = known.dtype
    if read.column in ids:
        dtype = tf.int64
    return tf.TensorSpec([None, read.size][:rank], dtype, read.column)
