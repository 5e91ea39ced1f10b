"""What the metrics mean, in plain words, and which way is better."""

from typing import NamedTuple


class Meaning(NamedTuple):
    """A metric for people.

    Attributes:
        text: what it says, in a sentence.
        better: `higher`, `lower`, or what it should be.
        floor: where its picture begins: what chance reaches, or 0.
        top: where its picture ends; None where there is no largest value.
    """

    text: str
    better: str
    floor: float = 0.0
    top: float | None = 1.0


UNSEEN = "_unseen"
"""End of the names of metrics without the items a user has met before."""
_MEANINGS = {
    "auc": Meaning(
        "How often a positive row is scored above a negative one; 0.5 is chance.", "higher", 0.5
    ),
    "gauc": Meaning(
        "AUC within each user's own rows, averaged by their number: order, not popularity.",
        "higher",
        0.5,
    ),
    "pr_auc": Meaning(
        "Area under precision and recall; chance reaches the share of positives.", "higher"
    ),
    "log_loss": Meaning(
        "Mean surprise of what happened under the predictions, in nats.", "lower", top=None
    ),
    "normalized_entropy": Meaning(
        "Log loss divided by that of always predicting the mean; below 1 is better than that.",
        "lower",
        top=None,
    ),
    "ece": Meaning(
        "Expected calibration error: mean distance of predicted and observed share, by groups "
        "of alike predictions.",
        "lower",
        top=None,
    ),
    "calibration": Meaning(
        "Sum of the predictions divided by the number of positives; 1 is right on average, 1.5 "
        "means half as much again was predicted as came.",
        "1",
        top=None,
    ),
    "rmse": Meaning("Root of the mean squared error, in the label's unit.", "lower", top=None),
    "mae": Meaning("Mean absolute error, in the label's unit.", "lower", top=None),
    "accuracy": Meaning("Share of rows whose most probable class is the right one.", "higher"),
    "macro_f1": Meaning("F1 of each class, averaged over the classes.", "higher"),
    "macro_auc": Meaning(
        "AUC of each class against all others, averaged over the classes.", "higher"
    ),
    "precision": Meaning("Share of what was predicted that came.", "higher"),
    "f1": Meaning(
        "Harmonic mean of precision (the share of what was predicted that came) and recall (the "
        "share of what came that was predicted).",
        "higher",
    ),
    "micro_f1": Meaning("F1 over all decisions together.", "higher"),
    "majority": Meaning("Share of the most frequent class: what guessing it reaches.", "neither"),
    "recall": Meaning("How often the item that was chosen is among the first K.", "higher"),
    "ndcg": Meaning(
        "As recall or precision among the first K, and the more the higher the place.", "higher"
    ),
    "mrr": Meaning("Mean of 1 / place of the item that was chosen.", "higher"),
    "coverage": Meaning("Share of the catalogue that is among anybody's first K.", "higher"),
    "gini": Meaning(
        "How unevenly the places among the first K are divided among the items: 0 evenly, 1 all "
        "to one item.",
        "lower",
    ),
}
_MAIN = ("auc", "recall@", "rmse", "accuracy", "micro_f1", "ndcg@")


def meaning(metric: str) -> Meaning | None:
    """What a metric means, whatever its cut-off."""
    return _MEANINGS.get(metric.removesuffix(UNSEEN).partition("@")[0])


def is_good(metric: str, difference: float) -> bool | None:
    """Whether a change is for the better; None where neither way is."""
    found = meaning(metric)
    if found is None or found.better not in ("higher", "lower") or difference == 0:
        return None
    return (difference > 0) == (found.better == "higher")


def main_metric(metrics: list[str]) -> str | None:
    """The metric that stands for a task where there is place for one."""
    found = (name for start in _MAIN for name in metrics if name.startswith(start))
    return next(found, None)


def glossary(metrics: list[str]) -> list[tuple[str, str]]:
    """The metrics' names without their cut-offs, and what they mean."""
    found: dict[str, str] = {}
    for metric in metrics:
        told = meaning(metric)
        name = metric.removesuffix(UNSEEN).partition("@")[0]
        if told is not None:
            found[name + "@K" * ("@" in metric)] = f"{told.text} {_advice(told.better)}"
        if metric.endswith(UNSEEN):
            found["..._unseen"] = "The same without the items the user has met before."
    return list(found.items())


def _advice(better: str) -> str:
    return {
        "higher": "Higher is better.",
        "lower": "Lower is better.",
        "neither": "",
    }.get(better, f"Best at {better}.").strip()
