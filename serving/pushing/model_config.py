"""`serving/models.config`: what stock TF Serving reads by `--model_config_file`.

A text protocol buffer `ModelServerConfig` with an entry for every model that is pushed beside it.
A model with labels is served in the versions they point to and in its latest; one without, in its
latest. The file exists once a label was given.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from serving.protocol import ModelServerConfig
from serving.pushing.durable import locked, replace_text

FILE = "models.config"

_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")


def read_model_config(serving: Path) -> Any:
    """The configuration in a directory of served models; an empty one where there is no file.

    Args:
        serving: the directory, `out/shop/serving`.

    Raises:
        ValueError: the file is no configuration, or has fields that would be lost.
    """
    path = Path(serving) / FILE
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), ModelServerConfig())
    except FileNotFoundError:
        return ModelServerConfig()
    except (text_format.ParseError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise ValueError(
            f"{path}: expected the models that tfmtl promote writes, got {problem}; mend the file "
            "or remove it and give the labels again"
        ) from None


def version_labels(base_path: Path) -> dict[str, int]:
    """Versions of a model by label.

    Args:
        base_path: the model's, `out/shop/serving/shop`.

    Raises:
        ValueError: the file of labels cannot be read.
    """
    for entry in read_model_config(base_path.parent).model_config_list.config:
        if entry.name == base_path.name:
            return dict(sorted(entry.version_labels.items()))
    return {}


def served_base_path(base_path: Path) -> str | None:
    """Where the file says that a model lies, which is another path inside a container."""
    for entry in read_model_config(base_path.parent).model_config_list.config:
        if entry.name == base_path.name:
            return str(entry.base_path)
    return None


def write_labels(
    serving: Path,
    latest: Mapping[str, int],
    labels: Mapping[str, Mapping[str, int]],
    base: str | None = None,
) -> None:
    """Writes the file, whole or not at all.

    Args:
        serving: directory of the served models.
        latest: every model's latest version.
        labels: `{model: {label: version}}` where they change; the others keep theirs.
        base: directory of the models as the server sees it, where that is another one.
    """
    with locked(serving):
        known = read_model_config(serving).model_config_list.config
        before = {entry.name: entry for entry in known}
        written = ModelServerConfig()
        for name, newest in sorted(latest.items()):
            old = before.get(name)
            entry = written.model_config_list.config.add(name=name, model_platform="tensorflow")
            entry.base_path = old.base_path if old else str((serving / name).resolve())
            if base is not None:
                entry.base_path = f"{base.rstrip('/')}/{name}"
            own = labels.get(name, old.version_labels if old else {})
            entry.version_labels.update(own)
            if own:
                numbers = sorted({newest, *own.values()})
                entry.model_version_policy.specific.versions.extend(numbers)
        replace_text(serving / FILE, text_format.MessageToString(written))


def check_label(label: str) -> None:
    """Refuses what is no label.

    Raises:
        ValueError: naming it.
    """
    if not _LABEL.fullmatch(label):
        raise ValueError(
            f"label {label!r}: expected a letter, then up to 62 letters, digits, `_`, `-` or `.`, "
            "as in stable or canary"
        )
