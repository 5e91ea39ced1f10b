"""What an interference report needs of a configuration; light, to be asked before all else."""

from collections.abc import Sequence

from tfmtl.config import Config, ConfigError


def check(config: Config, tasks: Sequence[str] | None, scenarios: bool) -> None:
    """Refuses what cannot be compared. Arguments as of `interference`.

    Raises:
        ConfigError: there is one task or scenario only, or a task that does not exist.
    """
    known = list(config.tasks)
    for name in tasks or ():
        if name not in known:
            raise ConfigError(f"--task {name}: there is no such task; choose among {known}")
    if len(known) < 2 and not scenarios:
        raise ConfigError(
            f"tasks: interference needs at least two, got '{known[0]}' alone; add a task, or "
            "compare scenarios with --scenarios"
        )
    values = config.scenario.values if config.scenario else []
    if scenarios and len(values) < 2:
        raise ConfigError(
            f"--scenarios: the configuration should have at least two scenarios, got {values}; "
            "declare scenario: {column: ..., values: [...]}, or leave --scenarios out"
        )
