"""Evaluation of retrieval over a whole catalogue, beside TFRS's metric."""

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.figures import Bar, Row
from tfmtl.evaluation.ranks import ranks
from tfmtl.evaluation.retrieval import recall_at

ITEMS, DIM, KS = 100_000, 64, (1, 10, 100)
PEER = Path(__file__).parent / "peers" / "tfrs_topk.py"


def measured(work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
    """Ranks every query; the Streaming layer, slow as it is, sees a sample of them.

    Items are Gaussian, so that no bound on their lengths can spare a score. The two take turns, and
    neither is timed while it traces or compiles; medians are compared.
    """
    queries, sample, turns = (4_000, 1_024, 1) if quick else (20_000, 2_048, 3)
    random = np.random.default_rng(0)
    items = random.normal(size=(ITEMS, DIM)).astype(np.float32)
    positives = random.integers(0, ITEMS, queries).astype(np.int32)
    noise = random.normal(size=(queries, DIM)).astype(np.float32)
    asked = items[positives] * 0.4 + noise  # so that recalls are neither 0 nor 1
    for name, values in {"queries": asked, "positives": positives}.items():
        np.save(work / f"{name}.npy", values[:sample])
    np.save(work / "items.npy", items)
    ranks(asked[:1], items, positives[:1])
    ours, theirs = [], []
    for _ in range(turns):
        began = time.perf_counter()
        found = ranks(asked, items, positives)
        ours.append(queries / (time.perf_counter() - began))
        ended = subprocess.run(
            [sys.executable, PEER, work, ",".join(map(str, KS))],
            capture_output=True,
            text=True,
            check=True,
        )
        peer = json.loads(ended.stdout.splitlines()[-1])
        theirs.append(sample / peer["seconds"])
    apart = max(
        abs(recall_at(found[:sample], k) - recall)
        for k, recall in zip(KS, peer["recalls"], strict=True)
    )
    rows = [
        Row("retrieval, tfmtl", median(ours), "queries/s"),
        Row(f"retrieval, TFRS Streaming, {sample} queries", median(theirs), "queries/s"),
        *(
            Row(f"retrieval, TFRS recall@{k}", r, "")
            for k, r in zip(KS, peer["recalls"], strict=True)
        ),
    ]
    return rows, [
        Bar("queries/s over TFRS Streaming", 10.0, median(ours) / median(theirs)),
        Bar("recall apart from TFRS", 1e-6, apart, at_most=True),
    ]
