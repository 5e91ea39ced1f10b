"""Texts to a pretrained encoder's word pieces, in the graph (Devlin et al. 2019)."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from tfmtl.layers.pretrained.checkpoint import Checkpoint, open_checkpoint


class WordPieces(tf.Module):
    """Splits texts as BERT does: controls taken out, lower-cased and without accents where the
    checkpoint is so, at white space, punctuation and Chinese signs, then greedily into the longest
    pieces known (Song et al. 2021).

    Its ops are TensorFlow's and TF Text's, which stock TF Serving has. TF Text's own lower-casing
    folds compatibility characters, too, as in ½ and ™, which BERT's does not.

    Args:
        checkpoint: gives the pieces.
        length: pieces kept of a text, [CLS] and [SEP] among them.
        max_bytes: of a text, what comes behind so many bytes is left out.

    Call arguments:
        texts: strings `[n]`.

    Returns:
        int32 `[n, length]`: [CLS], the text's pieces, [SEP], then 0. An empty text is
        [CLS] [SEP].

    Raises:
        ImportError: the extra `text` is not installed.
    """

    def __init__(self, checkpoint: Checkpoint, length: int, max_bytes: int) -> None:
        super().__init__(name="wordpieces")
        pieces = checkpoint.vocabulary
        self._start, self._end = pieces.index("[CLS]"), pieces.index("[SEP]")
        self._length, self._max_bytes = length, max_bytes
        self._ops, self._lower_case = _text_ops(), checkpoint.lower_case
        self._tokenizer = self._ops.FastBertTokenizer(
            vocab=pieces, token_out_type=tf.int32, lower_case_nfd_strip_accents=False
        )

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        cut = tf.strings.substr(texts, 0, self._max_bytes)
        valid = tf.strings.unicode_transcode(cut, "UTF-8", "UTF-8", errors="ignore")
        pieces = self._tokenizer.tokenize(self._normalised(valid))[:, : self._length - 2]
        rows = tf.shape(texts)[:1]
        marked = tf.concat(
            [
                tf.fill(tf.stack([rows[0], 1]), self._start),
                pieces,
                tf.fill(tf.stack([rows[0], 1]), self._end),
            ],
            axis=1,
        )
        return marked.to_tensor(default_value=0, shape=[None, self._length])

    def _normalised(self, texts: tf.Tensor) -> tf.Tensor:
        texts = tf.strings.regex_replace(texts, r"[\t\n\r]", " ")
        texts = tf.strings.regex_replace(texts, r"[\p{C}\x{FFFD}]+", "")
        if not self._lower_case:
            return texts
        lowered = tf.strings.lower(texts, encoding="utf-8")
        return tf.strings.regex_replace(self._ops.normalize_utf8(lowered, "NFD"), r"\p{Mn}+", "")


def load_wordpieces(directory: Path, length: int, max_bytes: int) -> WordPieces:
    """The word pieces of a checkpoint's directory; arguments as of `WordPieces`."""
    return WordPieces(open_checkpoint(directory), length, max_bytes)


def _text_ops() -> Any:
    try:
        import tensorflow_text
    except ImportError:
        raise ImportError(
            'pretrained encoders need an extra; run: pip install "tfmtl[text]"'
        ) from None
    return tensorflow_text
