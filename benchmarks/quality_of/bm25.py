"""BM25, the ranking function of classic search engines."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

_K1, _B = 1.2, 0.75


def bm25(queries: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    """BM25 of every text for its query (Robertson and Zaragoza 2009), the collection being all
    texts:

    `sum_t idf(t) tf (k1 + 1) / (tf + k1 (1 - b + b len / mean))`,
    `idf(t) = log(1 + (N - n + 0.5) / (n + 0.5))`.

    Args:
        queries: one a row.
        texts: as many.
    """
    counted = [Counter(_words(text)) for text in texts]
    holding: dict[str, int] = defaultdict(int)
    for words in counted:
        for word in words:
            holding[word] += 1
    mean = sum(words.total() for words in counted) / len(counted)
    scores = np.zeros(len(counted))
    for row, (query, words) in enumerate(zip(queries, counted, strict=True)):
        norm = _K1 * (1 - _B + _B * words.total() / mean)
        for word in _words(query):
            idf = math.log(1 + (len(counted) - holding[word] + 0.5) / (holding[word] + 0.5))
            scores[row] += idf * words[word] * (_K1 + 1) / (words[word] + norm)
    return scores


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
