"""Lookup tables whose values are the lines of a text file, which a SavedModel keeps as an asset."""

from pathlib import Path

import tensorflow as tf


def table(path: Path, count: int, lines: bool) -> tf.lookup.StaticHashTable:
    """A table of a file's lines.

    Args:
        path: the file.
        count: its lines, at least one.
        lines: whether it gives a line's number, -1 where there is none such; else a number's line,
            "" where there is none.
    """
    line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    key, value = (line, number) if lines else (number, line)
    types = {line: tf.string, number: tf.int64}
    initializer = tf.lookup.TextFileInitializer(
        str(path),
        key_dtype=types[key],
        key_index=key,
        value_dtype=types[value],
        value_index=value,
        vocab_size=count,
    )
    return tf.lookup.StaticHashTable(initializer, -1 if lines else "")
