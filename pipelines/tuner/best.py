"""The values that a search found best, and the configuration that has them."""

from pathlib import Path
from typing import Any

import yaml

from pipelines.components.base import PipelineError
from tfmtl.config import Config, dump, parse
from tfmtl.config.searched import with_values

VALUES, CONFIG, RUN = "best.yaml", "config.yaml", "best"
"""In a Tuner's artifact: the best values by dotted key, the whole configuration with them, and the
directory of the run that was the best trial."""


def apply(config: Config, directory: Path) -> Config:
    """The configuration with the values that a Tuner found, and nothing more to search.

    Args:
        config: the configuration of the search.
        directory: the Tuner's artifact.

    Raises:
        PipelineError: the artifact has no values that can be read.
    """
    path = directory / VALUES
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError(f"expected a mapping, got {type(values).__name__}")
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise PipelineError(f"{path}: {reason}; remove {directory} to search anew") from None
    return parse(with_values(config, values), str(path))


def write_best(config: Config, values: dict[str, Any], directory: Path) -> None:
    """Writes the best values and the configuration with them.

    Args:
        config: the configuration of the search.
        values: the best values by dotted key.
        directory: the Tuner's artifact.
    """
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    (directory / VALUES).write_text(text, encoding="utf-8")
    best = dump(parse(with_values(config, values), VALUES))
    (directory / CONFIG).write_text(best, encoding="utf-8")
