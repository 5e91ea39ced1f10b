"""Strings to ids, through a vocabulary that is a text file."""

from pathlib import Path

import keras
import tensorflow as tf

from tfmtl.layers.hashing import hash_buckets


class VocabularyLookup(keras.layers.Layer):
    """Looks strings up in a vocabulary: "" is 0, unknown 1, the n-th line of the file n + 1.

    With K buckets for what is unknown, that is 1 to K by its hash, and the n-th line n + K.

    The table reads its file when it is initialised, so a SavedModel carries the vocabulary as an
    asset and not as a graph constant.

    Args:
        path: text file, one value a line.
        size: number of its lines.
        oov_buckets: ids that unknown values share.

    Call arguments:
        values: strings of any shape.

    Returns:
        int32 ids of the same shape.

    Example:
        >>> lookup = VocabularyLookup(Path("colours.txt"), size=2)  # red, blue
        >>> lookup(tf.constant(["blue", "", "mauve"])).numpy()
        array([3, 0, 1], dtype=int32)
    """

    def __init__(
        self, path: Path, size: int, oov_buckets: int = 1, name: str | None = None
    ) -> None:
        super().__init__(name=name, trainable=False)
        self.size = size
        self.oov_buckets = oov_buckets
        self.table = (
            tf.lookup.StaticHashTable(
                tf.lookup.TextFileInitializer(
                    str(path),
                    key_dtype=tf.string,
                    key_index=tf.lookup.TextFileIndex.WHOLE_LINE,
                    value_dtype=tf.int64,
                    value_index=tf.lookup.TextFileIndex.LINE_NUMBER,
                    vocab_size=size,
                ),
                default_value=-1,
            )
            if size
            else None  # TensorFlow refuses a table without a line
        )

    def call(self, values: tf.Tensor) -> tf.Tensor:
        unknown = tf.ones_like(values, tf.int32)
        if self.oov_buckets > 1:
            unknown += hash_buckets(values, self.oov_buckets)
        ids = unknown
        if self.table is not None:
            lines = tf.cast(self.table.lookup(values), tf.int32)
            ids = tf.where(lines < 0, unknown, lines + 1 + self.oov_buckets)
        return tf.where(tf.equal(values, ""), 0, ids)
