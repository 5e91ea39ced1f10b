"""Labels that the source tells the time of."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfmtl.config.config import Config


def check_sources(config: "Config") -> None:
    source = config.source
    times = source.impressions.label_times if source.impressions else {}
    named = {f"source.impressions.label_times.{label}": label for label in times}
    named |= {f"source.feedback_delay.{label}": label for label in source.feedback_delay}
    for key, label in named.items():
        if label not in config.label_columns:
            raise ValueError(
                f"{key}: no task and no history reads label '{label}'; choose among "
                f"{', '.join(config.label_columns) or 'none'}"
            )
