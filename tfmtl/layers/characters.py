"""Free text to sequences of characters."""

import keras
import tensorflow as tf

from tfmtl.layers.words import split_words


class Characters(keras.layers.Layer):
    """Splits texts into words and these into sequences of characters, with `<` before a word and
    `>` behind it (Bojanowski et al. 2017).

    Words that differ by a letter or an ending share most of their sequences, and those of scripts
    without spaces are found without a dictionary. A word shorter than the shortest sequence is one
    as a whole; a single character has no marks. Made of stock TensorFlow ops, like `Words`.

    Args:
        length: sequences kept, from the start of the text: all those of its first word, the
            shortest first, then those of the next.
        ngrams: the fewest and the most characters of a sequence, marks included.
        max_bytes: of a text, what comes behind so many bytes is left out.

    Call arguments:
        texts: strings, `[batch]`.

    Returns:
        strings, `[batch, length]`, padded with "".

    Example:
        >>> Characters(length=4, ngrams=(3, 4))(tf.constant(["Hat a"])).numpy()
        array([[b'<ha', b'hat', b'at>', b'<hat']], dtype=object)
    """

    def __init__(
        self,
        length: int,
        ngrams: tuple[int, int],
        max_bytes: int = 16_384,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, trainable=False)
        self.length = length
        self.ngrams = ngrams
        self.max_bytes = max_bytes

    def call(self, texts: tf.Tensor) -> tf.Tensor:
        words = split_words(texts, self.max_bytes, letters_apart=False)
        words = words[:, : self.length]  # no word has less than one sequence
        marked = tf.strings.join(["<", words.values, ">"])
        # What a longer word has besides is behind `length` sequences of the shortest kind.
        marked = tf.strings.substr(marked, 0, self.length + self.ngrams[0] + 2, unit="UTF8_CHAR")
        sequences, owners = self._sequences(marked)
        rows = tf.gather(words.value_rowids(), owners)
        ragged = tf.RaggedTensor.from_value_rowids(sequences, rows, words.nrows(), validate=False)
        return ragged.to_tensor(default_value="", shape=[None, self.length])

    def _sequences(self, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The sequences of words, word by word and size by size, and the word of each."""
        least, most = self.ngrams
        sizes = tf.range(least, most + 1)
        alone = tf.cast(sizes == 1, tf.int32)  # neither mark
        found = tf.strings.length(words, unit="UTF8_CHAR")[:, None] - sizes + 1 - 2 * alone
        found = tf.reshape(tf.maximum(found, tf.cast(sizes == least, tf.int32)), [-1])
        kinds = tf.repeat(tf.range(tf.size(found)), found)
        places = tf.range(tf.size(kinds)) - tf.gather(tf.cumsum(found, exclusive=True), kinds)
        owners, kind = kinds // tf.size(sizes), kinds % tf.size(sizes)
        sequences = tf.strings.substr(
            tf.gather(words, owners),
            places + tf.gather(alone, kind),
            tf.gather(sizes, kind),
            unit="UTF8_CHAR",
        )
        return sequences, owners
