"""The model's inputs: their names, shapes and the tables they read; its tasks' classes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfmtl.config import (
    BagFeature,
    Cnn,
    Config,
    CrossedFeature,
    Feature,
    HashedFeature,
    History,
    Input,
    NumericFeature,
    TextFeature,
    TimestampFeature,
    Transformer,
    VectorFeature,
    Vocabular,
    Window,
)
from tfmtl.layers.embedding import Table
from tfmtl.layers.gaps import GAP_IDS
from tfmtl.models.pretrained_texts import TunedText, tuned_texts
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
        texts: texts that pretrained encoders of the model read, by name.
        ordered: texts whose tokens are read in order, by name.
        projected: widths to which inputs that are vectors, and vectors of texts, are projected, by
            name.
        histories: histories of item features.
        ranked: inputs that ranking tasks read; where the next event is predicted, not its item's.
        context: width of the numbers of a history's context by input, 0 where it holds ids.
    """

    spec: dict[str, tf.TensorSpec]
    tables: dict[str, Table]
    reads: dict[str, str]
    classes: dict[str, int]
    numbers: list[NumericFeature | Window]
    bags: dict[str, BagFeature]
    texts: dict[str, TunedText]
    ordered: dict[str, TextFeature]
    projected: dict[str, int]
    histories: list[History]
    ranked: list[str]
    context: dict[str, int]

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

    @property
    def candidate(self) -> bool:
        """Whether ranking tasks know the item of a row."""
        return set(self.ranked) == set(self.spec)

    def width(self, history: History) -> int:
        """Width of a history's items: of the embeddings of its features together."""
        return sum(self.tables[self.reads[name]].dim for name in history.of)


def describe(
    config: Config,
    vocabulary_sizes: Mapping[str, int],
    encoders: Mapping[str, Mapping[str, Any]] | None = None,
) -> Inputs:
    """Derives the model's inputs.

    Args:
        config: the configuration.
        vocabulary_sizes: values by vocabulary, reserved ids not counted.
        encoders: what is known of pretrained encoders by checkpoint: `width` and `shape`.
    """
    spec: dict[str, tf.TensorSpec] = {}
    tables: dict[str, Table] = {}
    reads: dict[str, str] = {}
    of_rows = config.row_inputs
    texts = tuned_texts(config, encoders or {})
    for made in config.features.inputs.values():
        if made.name in of_rows:
            length = _width(made, config, encoders or {}) if made.encoded else made.length
            shape = [None] if length is None else [None, length]
            spec[made.name] = tf.TensorSpec(shape, made.dtype, made.name)
        if made.dtype == "int32" and made.name not in texts:
            feature = config.features.by_name[made.feature]
            name = vocabulary_name(feature)
            tables[name] = _table(feature, vocabulary_sizes)
            reads[made.name] = name
    past, context = config.features.past_inputs, {}
    for history in config.features.history:
        for name in history.input_names:
            spec[name] = tf.TensorSpec([None, history.last], tf.int32, name)
        for name in history.context_inputs:
            made = past[name]
            context[name] = 0 if made.dtype == "int32" else made.length or 1
            shape = [None, history.last * max(context[name], 1)]
            spec[name] = tf.TensorSpec(shape, made.dtype, name)
            if made.dtype == "int32":
                reads[name] = reads[made.name]
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
        {name: table for name, table in reads.items() if name in spec},
        classes,
        numbers=[
            *(f for f in features if isinstance(f, NumericFeature) and not f.bucketize),
            *config.features.windows,
        ],
        bags={f.name: f for f in features if isinstance(f, BagFeature)},
        texts=texts,
        ordered={
            f.name: f
            for f in features
            if isinstance(f, TextFeature) and isinstance(f.encoder, Cnn | Transformer)
        },
        projected={
            f.name: f.dim
            for f in features
            if isinstance(f, VectorFeature | TextFeature) and _is_projected(f) and f.dim
        },
        histories=config.features.history,
        ranked=[name for name in spec if name not in config.hidden_inputs],
        context=context,
    )


def _is_projected(feature: VectorFeature | TextFeature) -> bool:
    return isinstance(feature, VectorFeature) or feature.pretrained is not None


def _width(made: Input, config: Config, encoders: Mapping[str, Mapping[str, Any]]) -> int:
    """Width of the vectors that a frozen encoder makes."""
    feature = config.features.by_name[made.feature]
    assert isinstance(feature, TextFeature), made.name
    assert feature.pretrained, made.name
    known = encoders.get(feature.pretrained.checkpoint)
    if known is None:
        raise ValueError(
            f"`encoders` should have the checkpoint '{feature.pretrained.checkpoint}' of feature "
            f"'{feature.name}'. Received: {list(encoders)}"
        )
    return int(known["width"])


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
