"""The model's inputs: their names, shapes and the tables they read; its tasks' classes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import tensorflow as tf

from tfmtl.config import (
    BagFeature,
    Config,
    CrossedFeature,
    Feature,
    HashedFeature,
    History,
    NumericFeature,
    TextFeature,
    TimestampFeature,
    VectorFeature,
    Vocabular,
    Window,
)
from tfmtl.layers.embedding import Table
from tfmtl.layers.gaps import GAP_IDS
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import RESERVED, label_vocabulary, reserved, vocabulary_name

SCENARIO_DIM = 8


@dataclass(frozen=True)
class Inputs:
    """What the configuration and the vocabularies' sizes make of the model's inputs.

    Attributes:
        spec: `{input: TensorSpec}` with a leading batch dimension.
        tables: embedding tables by name.
        reads: table by input; numeric inputs read none.
        classes: number of classes by multi-class and multi-label task.
        numbers: numeric features that are not bucketized, counts and rates.
        bags: bags by name.
        projected: widths to which inputs that are vectors are projected, by name.
        histories: histories of item features.
    """

    spec: dict[str, tf.TensorSpec]
    tables: dict[str, Table]
    reads: dict[str, str]
    classes: dict[str, int]
    numbers: list[NumericFeature | Window]
    bags: dict[str, BagFeature]
    projected: dict[str, int]
    histories: list[History]

    def joined(self, names: Collection[str], candidate: bool) -> list[History]:
        """The histories whose inputs become one vector together; others have one an input.

        Args:
            names: inputs that are read.
            candidate: whether the candidate is known, without which `din` is the mean.
        """
        separate = ("mean",) if candidate else ("mean", "din")
        return [
            history
            for history in self.histories
            if history.encoder.kind not in separate and history.input_names[0] in names
        ]

    def vectors(self, names: Collection[str], candidate: bool) -> list[str]:
        """Names of the vectors that inputs are encoded to: a history's title where its inputs
        become one vector together, an input's own name otherwise. Arguments as of `joined`."""
        titles = {
            name: history.title
            for history in self.joined(names, candidate)
            for name in history.input_names
        }
        weights = {bag.weights_input for bag in self.bags.values()}
        return list(dict.fromkeys(titles.get(n, n) for n in names if n not in weights))

    def width(self, history: History) -> int:
        """Width of a history's items: of the embeddings of its features together."""
        return sum(self.tables[self.reads[name]].dim for name in history.of)


def describe(config: Config, vocabulary_sizes: Mapping[str, int]) -> Inputs:
    """Derives the model's inputs.

    Args:
        config: the configuration.
        vocabulary_sizes: values by vocabulary, reserved ids not counted.
    """
    spec: dict[str, tf.TensorSpec] = {}
    tables: dict[str, Table] = {}
    reads: dict[str, str] = {}
    for made in config.features.inputs.values():
        shape = [None] if made.length is None else [None, made.length]
        spec[made.name] = tf.TensorSpec(shape, made.dtype, made.name)
        if made.dtype == "int32":
            feature = config.features.by_name[made.feature]
            name = vocabulary_name(feature)
            tables[name] = _table(feature, vocabulary_sizes)
            reads[made.name] = name
    for history in config.features.history:
        for name in history.input_names:
            spec[name] = tf.TensorSpec([None, history.last], tf.int32, name)
        reads |= {name: reads[of] for name, of in history.item_inputs.items()}
        # As wide as an item, to whose embeddings they are added.
        width = sum(tables[reads[of]].dim for of in history.of)
        for more, ids in (
            (history.gap_input, GAP_IDS),
            (history.behaviour_input, RESERVED + len(history.where)),
        ):
            if more is not None:
                tables[more] = Table(ids, width)
                reads[more] = more
    for window in config.features.windows:
        spec[window.name] = tf.TensorSpec([None], tf.float32, window.name)
    if config.scenario:
        spec[columns.SCENARIO] = tf.TensorSpec([None], tf.int32, columns.SCENARIO)
        tables[columns.SCENARIO] = Table(len(config.scenario.values) + RESERVED, SCENARIO_DIM)
        reads[columns.SCENARIO] = columns.SCENARIO
    classes = {task: vocabulary_sizes[label_vocabulary(task)] for task in config.class_tasks}
    features = list(config.features)
    return Inputs(
        spec,
        tables,
        reads,
        classes,
        numbers=[
            *(f for f in features if isinstance(f, NumericFeature) and not f.bucketize),
            *config.features.windows,
        ],
        bags={f.name: f for f in features if isinstance(f, BagFeature)},
        projected={f.name: f.dim for f in features if isinstance(f, VectorFeature) and f.dim},
        histories=config.features.history,
    )


def _table(feature: Feature, vocabulary_sizes: Mapping[str, int]) -> Table:
    if isinstance(feature, NumericFeature):
        assert feature.bucketize
        return Table(1 + feature.bucketize.ids, feature.bucketize.dim)
    assert not isinstance(feature, TimestampFeature | VectorFeature)
    if isinstance(feature, HashedFeature | CrossedFeature):
        return Table(1 + feature.buckets, feature.dim)
    if isinstance(feature, BagFeature | TextFeature) and feature.hash_buckets is not None:
        return Table(1 + feature.hash_buckets, feature.dim)
    first, values = reserved(feature), vocabulary_sizes[vocabulary_name(feature)]
    buckets = feature.buckets if isinstance(feature, Vocabular) else None
    if buckets is None or buckets >= values:
        return Table(first + values, feature.dim)
    return Table(first + buckets, feature.dim, hashed_from=first)
