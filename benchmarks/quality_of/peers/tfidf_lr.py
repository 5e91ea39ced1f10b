"""TF-IDF and logistic regression, run by scikit-learn in an environment of its own.

    python tfidf_lr.py styles.csv classes.json

Reads names and classes of the rows whose `part` is train, validation or test. For each task it
tries words with and without pairs, two strengths of regularisation, plain and balanced classes, and
keeps what has the largest macro F1 on the validation rows. The second file has the classes that
count, `{rule: {task: [class, ...]}}`: each rule has a choice of its own. Prints
`{rule: {task: {class: F1}}}` of the test rows.
"""

import csv
import itertools
import json
import sys
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

PARTS = ("train", "validation", "test")
PAIRS, STRENGTHS, BALANCES = (1, 2), (10.0, 100.0), (None, "balanced")


def f1_by_class(labels, predicted, classes):
    """F1 of those of the classes that some row has."""
    present = [one for one in classes if (labels == one).any()]
    figures = f1_score(labels, predicted, average=None, labels=present, zero_division=0)
    return dict(zip(present, map(float, figures), strict=True))


with Path(sys.argv[1]).open(encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file))
texts = {part: [r["productDisplayName"] for r in rows if r["part"] == part] for part in PARTS}
made = {}
for most in PAIRS:
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, most), token_pattern=r"\w+")
    words.fit(texts["train"])
    made[most] = {part: words.transform(texts[part]).astype(np.float32) for part in PARTS}
rules = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
found = {rule: {} for rule in rules}
for task in next(iter(rules.values())):
    labels = {part: np.array([r[task] for r in rows if r["part"] == part]) for part in PARTS}
    known = {part: labels[part] != "" for part in PARTS}
    best = dict.fromkeys(rules, -1.0)
    for most, strength, balance in itertools.product(PAIRS, STRENGTHS, BALANCES):
        model = LogisticRegression(C=strength, class_weight=balance, max_iter=300, tol=1e-3)
        model.fit(made[most]["train"][known["train"]], labels["train"][known["train"]])
        predicted = {part: model.predict(made[most][part]) for part in ("validation", "test")}
        for rule, classes in rules.items():
            figures = {
                part: f1_by_class(
                    labels[part][known[part]], predicted[part][known[part]], classes[task]
                )
                for part in predicted
            }
            score = float(np.mean(list(figures["validation"].values())))
            if score > best[rule]:
                best[rule], found[rule][task] = score, figures["test"]
json.dump(found, sys.stdout)
