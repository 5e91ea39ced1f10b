"""Checks of what fine-tuning may cost."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfmtl.config.config import Config


def check_finetuning(config: "Config") -> None:
    """Refuses limits of tasks that there are not.

    Raises:
        ValueError: naming the key.
    """
    unknown = next((task for task in config.finetuning.limit if task not in config.tasks), None)
    if unknown is not None:
        raise ValueError(
            f"finetuning.limit: there is no task '{unknown}'; choose among "
            f"{', '.join(config.tasks)}"
        )
