"""int64 ids in requests, which everywhere else are texts."""

import tensorflow as tf


def id_texts(values: tf.Tensor) -> tf.Tensor:
    """What requests hold as the texts that the log has.

    Args:
        values: of any shape. int64 ids become decimal texts, negative ones "", which is missing;
            all else stays as it is.

    Example:
        >>> id_texts(tf.constant([17, -1], tf.int64)).numpy()
        array([b'17', b''], dtype=object)
    """
    if values.dtype != tf.int64:
        return values
    return tf.where(values < 0, "", tf.strings.as_string(values))


def id_numbers(texts: tf.Tensor) -> tf.Tensor:
    """Decimal texts as int64 ids, "" as -1."""
    return tf.strings.to_number(tf.where(texts == "", "-1", texts), tf.int64)
