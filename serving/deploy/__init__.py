"""Files to run stock TF Serving with: its own configuration, Docker Compose, Kubernetes.

    python -c "from serving.deploy import copy_to; copy_to('deploy', model='shop')"

They serve one model, `shop`, on ports 8500 (gRPC) and 8501 (REST); `copy_to` writes another name.
"""

import re
from importlib.resources import files
from pathlib import Path

MODEL = "shop"
IMAGE = "tensorflow/serving:2.21.0"

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")
_SUFFIXES = (".config", ".yml", ".yaml")


def copy_to(directory: str | Path, model: str = MODEL) -> list[Path]:
    """Writes the files for a model.

    Args:
        directory: Where to; it is made. Files of the same names are replaced.
        model: The model's name: lower case letters, digits and dashes, as Kubernetes wants names.

    Returns:
        The paths written.

    Raises:
        ValueError: The name is none that Kubernetes takes.
        OSError: The directory cannot be written to.
    """
    if not _NAME.fullmatch(model):
        raise ValueError(
            "model: expected up to 42 lower case letters, digits and dashes, a letter or digit at "
            f"both ends, got {model!r}"
        )
    root = Path(str(files(__name__)))
    written = []
    for source in sorted(path for path in root.rglob("*") if path.suffix in _SUFFIXES):
        target = Path(directory) / source.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = re.sub(rf"\b{MODEL}\b", model, source.read_text(encoding="utf-8"))
        scratch = target.with_name(f".{target.name}.writing")
        scratch.write_text(text, encoding="utf-8")
        scratch.rename(target)
        written.append(target)
    return written
