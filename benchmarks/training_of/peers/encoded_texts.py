"""Texts to encode, and the two libraries' ways of encoding them, by the same checkpoint.

    python encoded_texts.py sentence-transformers|tfmtl TEXTS.json CHECKPOINT

All texts are encoded at once, 64 in a minibatch, the longest first, as both libraries do by
themselves, in float32 and up to 256 word pieces.
"""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[3]))
from benchmarks.training_of.peers.worker import serve

LENGTH, BATCH = 256, 64


def sentence_transformers(texts: list[str], checkpoint: str) -> None:
    """The peer."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(checkpoint, device="cpu")
    model.max_seq_length = LENGTH

    def encoded() -> np.ndarray:
        return model.encode(texts, batch_size=BATCH, show_progress_bar=False)

    serve(epoch=encoded, predict=encoded)


def tfmtl(texts: list[str], checkpoint: str) -> None:
    """What Transform's workers do."""
    from tfmtl.layers.pretrained.encoder import load_encoder
    from tfmtl.layers.pretrained.wordpieces import load_wordpieces
    from tfmtl.preprocessing.pretrained import FrozenTexts

    directory = Path(checkpoint)
    pieces = load_wordpieces(directory, LENGTH, 1 << 14)
    encoder = load_encoder(directory)
    frozen = FrozenTexts(lambda: pieces, lambda: encoder)
    serve(epoch=lambda: frozen.vectors(texts), predict=lambda: frozen.vectors(texts))


if __name__ == "__main__":
    name, path, where = sys.argv[1:]
    found = json.loads(Path(path).read_text(encoding="utf-8"))
    {"tfmtl": tfmtl, "sentence-transformers": sentence_transformers}[name](found, where)
