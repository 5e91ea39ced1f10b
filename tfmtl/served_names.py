"""Names in requests and answers beside those of raw columns and tasks.

The configuration and the client take them from here; it imports nothing.
"""

K = "k"
"""How many items are wanted, int32 `[batch]`; the largest of the batch counts, at least 1 and at
most the catalogue."""
CANDIDATES = "candidates"
"""How many of a row's candidates are real, int32 `[batch]`; all where it is negative."""
EXCLUDE = "exclude"
"""Keys of items that must not be answered, `[batch, any]`."""
ONLY = "only"
"""Keys of the items that may be answered, `[batch, any]`; any item where there are none."""
EXCLUDE_SEEN = "exclude_seen"
"""Whether items of the request's history must not be answered, bool `[batch]`."""


def allow(column: str) -> str:
    """Values of an item's column of which an answer must have one, strings `[batch, any]`."""
    return f"allow_{column}"


def deny(column: str) -> str:
    """Values of an item's column of which an answer must have none, strings `[batch, any]`."""
    return f"deny_{column}"


def minimum(column: str) -> str:
    """Least number in an item's column, float32 `[batch]`; NaN where there is no bound."""
    return f"min_{column}"


def maximum(column: str) -> str:
    """Largest number in an item's column, float32 `[batch]`; NaN where there is no bound."""
    return f"max_{column}"


def fuse(parameter: str) -> str:
    """Value of a parameter of the formula of scores, float32 `[batch]`; NaN for the configured."""
    return f"fuse_{parameter}"


def classes_output(task: str) -> str:
    """Output of the served model that names the classes of a task's predictions."""
    return f"{task}_classes"


def thresholds_output(task: str) -> str:
    """Output of the served model that has the tuned thresholds of a task's predictions."""
    return f"{task}_thresholds"


def conditional_output(task: str, after: str) -> str:
    """Output of the served model for a funnel task's probability given the task before."""
    return f"{task}_after_{after}"
