"""Free text to words, and to sequences of them."""

import functools

import keras
import tensorflow as tf

from tfmtl.layers.normalize import change_where, normalize

_SEPARATORS = "".join(chr(point) for point in range(128) if not chr(point).isalnum())
_SYMBOLS = r"[^\x00-\x7F\p{L}\p{N}\p{Mn}\p{Mc}]+"
_SCRIPTS = (
    *("Han", "Hiragana", "Katakana", "Bopomofo", "Yi"),
    *("Thai", "Lao", "Khmer", "Myanmar", "New_Tai_Lue", "Tai_Le", "Tai_Tham", "Tai_Viet"),
)
_UNSPACED = "".join(rf"\p{{{script}}}" for script in _SCRIPTS)


def split_words(texts: tf.Tensor, max_bytes: int, letters_apart: bool) -> tf.RaggedTensor:
    """Splits texts into runs of letters, digits and the marks on them, of any script.

    Texts are brought into a normal form (see `normalize`) and lower-cased first. Bytes that are no
    UTF-8 and control characters count as separators.

    Args:
        texts: strings, `[batch]`.
        max_bytes: of a text, what comes behind so many bytes is left out.
        letters_apart: whether each letter of a script without spaces between words, as Han, Kana
            or Thai, is a word of its own; where not, a run of such letters is one.

    Returns:
        valid UTF-8, `[batch, (words)]`.
    """
    texts = tf.strings.substr(texts, 0, max_bytes)
    # Most texts of most shops are ASCII, for which the split is all there is to do.
    odd = ~tf.strings.regex_full_match(texts, r"[\x00-\x7F]*")
    texts = change_where(odd, texts, functools.partial(_cleaned, apart=letters_apart))
    texts = tf.strings.lower(texts)
    words = tf.raw_ops.StringSplit(input=texts, delimiter=_SEPARATORS, skip_empty=True)
    return tf.RaggedTensor.from_value_rowids(
        words.values, words.indices[:, 0], tf.size(texts, tf.int64), validate=False
    )


def _cleaned(texts: tf.Tensor, apart: bool) -> tf.Tensor:
    """Texts in normal form, in lower case, with spaces for symbols outside ASCII."""
    invalid = ~tf.strings.regex_full_match(texts, r"[^\x00-\x1F\x{D800}-\x{DFFF}]*")
    texts = normalize(change_where(invalid, texts, _replaced))
    texts = tf.strings.regex_replace(texts, _SYMBOLS, " ")
    unspaced = tf.strings.regex_full_match(texts, f"(?s).*[{_UNSPACED}].*")
    return change_where(unspaced, texts, functools.partial(_spaced, apart=apart))


def _replaced(texts: tf.Tensor) -> tf.Tensor:
    """Spaces for bytes that are no UTF-8, and for NUL, at which lower() would stop."""
    return tf.strings.unicode_transcode(
        texts,
        "UTF-8",
        "UTF-8",
        errors="replace",
        replacement_char=32,
        replace_control_characters=True,
    )


def _spaced(texts: tf.Tensor, apart: bool) -> tf.Tensor:
    """Spaces around the letters of scripts that have none between words, or around their runs."""
    follow = r"\p{Mn}\p{Mc}ー" + ("" if apart else _UNSPACED)
    return tf.strings.regex_replace(texts, f"([{_UNSPACED}][{follow}]*)", r" \1 ")


class Words(keras.layers.Layer):
    """Splits texts into words and sequences of words.

    Made of stock TensorFlow ops, so that the same split happens in the analysis, in Transform and
    in the served graph. A letter of a script without spaces between words is a word of its own,
    so that sequences of two stand for what a dictionary would find.

    Args:
        length: words and sequences kept, from the start of the text, single words first.
        ngrams: the fewest and the most words of a sequence.
        max_bytes: of a text, what comes behind so many bytes is left out.

    Call arguments:
        texts: strings, `[batch]`.

    Returns:
        strings, `[batch, length]`, padded with ""; the words of a sequence have spaces between.

    Example:
        >>> Words(length=3)(tf.constant(["Trail-Shoes, 红色"])).numpy()[0, 0]
        b'trail'
    """

    def __init__(
        self,
        length: int,
        ngrams: tuple[int, int] = (1, 1),
        max_bytes: int = 16_384,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, trainable=False)
        self.length = length
        self.ngrams = ngrams
        self.max_bytes = max_bytes

    def call(self, texts: tf.Tensor) -> tf.Tensor:
        words = split_words(texts, self.max_bytes, letters_apart=True)
        if self.ngrams != (1, 1):
            least, most = self.ngrams
            words = tf.concat(
                [tf.strings.ngrams(words, size) for size in range(least, most + 1)], axis=1
            )
        return words.to_tensor(default_value="", shape=[None, self.length])
