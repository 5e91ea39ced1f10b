"""What must hold before a search begins, beyond what the configuration's own checks know."""

from pipelines.components.example_gen import ExampleGen
from pipelines.tuner.sampling import check_installed
from tfmtl.config import Config, ConfigError, parse
from tfmtl.config.searched import with_values


def check_search(config: Config) -> None:
    """Checks that the trials of a search can be made, and compared with one another.

    Raises:
        PipelineError: what draws the values is not installed.
        ConfigError: a value would change the rows.
    """
    if config.tuner is None:
        return
    check_installed(config.tuner)
    rows = ExampleGen.reads(config)
    for key, values in config.tuner.values.items():
        for value in values.ends:
            if ExampleGen.reads(parse(with_values(config, {key: value}))) != rows:
                raise ConfigError(
                    f"tuner.values: '{key}' cannot be searched: ExampleGen reads it, and trials on "
                    "other rows cannot be compared"
                )
