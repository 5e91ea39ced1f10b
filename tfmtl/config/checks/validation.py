"""Which labels and scenarios the validation can speak of."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfmtl.config.config import Config


def check_validation(config: "Config") -> None:
    labels = list(config.label_columns)
    for number, rule in enumerate(config.validation.label_rates):
        key = f"validation.label_rates[{number}]"
        if rule.label not in labels:
            raise ValueError(
                f"{key}.label: '{rule.label}' is no label that is a number; choose among {labels}"
            )
        known = config.scenario.values if config.scenario else []
        if rule.scenario is not None and rule.scenario not in known:
            raise ValueError(f"{key}.scenario: '{rule.scenario}' is not in scenario.values {known}")
