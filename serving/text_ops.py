"""TF Text's ops, which stock TF Serving has and a plain TensorFlow lacks until they are loaded."""

from importlib.util import find_spec
from pathlib import Path

_LIBRARIES = {
    "FastBertNormalize": "_fast_bert_normalizer.so",
    "FastWordpieceTokenizeWithOffsets": "_fast_wordpiece_tokenizer.so",
    "NormalizeUTF8": "_normalize_ops.so",
}
"""Library of each op that preprocessing may put into a SavedModel."""


def wanted_ops(model_dir: Path) -> list[str]:
    """The ops of TF Text in a SavedModel; none where there is no readable one."""
    path = model_dir / "saved_model.pb"
    content = path.read_bytes() if path.is_file() else b""
    return [op for op in _LIBRARIES if op.encode() in content]


def libraries(model_dir: Path) -> list[Path]:
    """Files of the libraries that a SavedModel needs, as far as TF Text is installed."""
    found = find_spec("tensorflow_text")
    if found is None or found.origin is None:
        return []
    home = Path(found.origin).parent / "python" / "ops"
    return [home / _LIBRARIES[op] for op in wanted_ops(model_dir)]


def load_ops(model_dir: Path) -> None:
    """Loads the ops that a SavedModel needs into this process.

    Raises:
        RuntimeError: TF Text is not installed.
    """
    if not wanted_ops(model_dir):
        return
    try:
        import tensorflow_text  # noqa: F401  registers the ops
    except ImportError:
        raise RuntimeError(
            "the model has a pretrained encoder of texts, whose ops are TF Text's; run: "
            'pip install "tfmtl[text]"'
        ) from None
