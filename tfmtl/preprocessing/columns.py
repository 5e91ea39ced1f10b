"""Names of the columns of transformed examples, shared by Transform, training and evaluation.

A transformed example holds the model's inputs under their own names, the label of every ranking
task under `label/TASK` (missing where unknown or where the scenario does not have the task) and
what training and evaluation need besides under `meta/`.
"""

SCENARIO = "scenario"
"""Model input: id of the scenario, 1 for an unknown one, 2 and up in the configuration's order."""
WEIGHT = "meta/weight"
"""Weight of the row, 1 by default."""
KEEP_RATE = "meta/keep_rate"
"""Where negatives were downsampled: the share of them that was kept where the row comes from, above
0 and at most 1; absent where none were. A negative is a row in which no binary task's label is 1
and which is no positive of the retrieval task. Positives, which were all kept, carry the rate of
the negatives around them, too."""
GROUP = "meta/group"
"""Made by `read_examples` for ranking losses, not kept in examples: equal integers for rows that
are compared with one another."""
POSITIVE = "meta/positive"
"""1 where the row is a positive of the retrieval task, else 0."""
SAMPLING_PROBABILITY = "meta/sampling_probability"
"""Share of the row's item among the training rows' retrieval positives."""
NEGATIVE_PROBABILITY = "meta/negative_probability"
"""Where items were sampled to stand beside events: the probability with which one draw for the row
gives its item, among the items of the row's split (and of its own item's category, where that is
asked for) that the user did not meet there; missing where the row was not sampled. Absent where no
items were."""
USER = "meta/user"
"""The user's raw key."""
ITEM = "meta/item"
"""Row of the item in the catalogue, -1 for an item that is not in it."""
TIME = "meta/time"
"""Unix time of the row, in seconds."""
SPLITS = ("train", "validation", "test")


SOFT_LABELS = "soft_labels"
"""Directory beside the splits, with files, row groups and rows as theirs: what teachers say of
them. `read_examples` gives its columns as inputs."""


def label(task: str) -> str:
    """Column of a ranking task's label."""
    return f"label/{task}"


def slice_(column: str) -> str:
    """Column that keeps a raw column's text, for evaluation by slice."""
    return f"slice/{column}"


def soft_label(task: str) -> str:
    """Column of the teachers' scores of a ranking task."""
    return f"soft_label/{task}"


def soft_query(task: str) -> str:
    """Column of the teachers' vectors of queries, divided by their temperatures; 0 where the
    row is no positive."""
    return f"soft_query/{task}"


def soft_item(task: str) -> str:
    """Column of the teachers' vectors of items; 0 where the row is no positive."""
    return f"soft_item/{task}"


def hint(task: str) -> str:
    """Column of the teachers' representations of a ranking task."""
    return f"hint/{task}"
