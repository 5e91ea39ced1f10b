"""A run's directory with all that a report can tell, written without a model."""

import json
import math
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2 as pb

from pipelines.metadata import DataFile, Store
from pipelines.storage.directories import Marker, mark

Z = 1.96
ROWS = {"search": 1420, "feed": 1730, "ads": 1005}
AUCS = {"click": 0.7161, "cart": 0.6682, "purchase": 0.5244}
POSITIVES = {"click": 186, "cart": 32, "purchase": 11}
SLICES = {
    "scenario": ROWS,
    "device": {"mobile": 2260, "desktop": 1240, "tablet": 655},
    "new_user": {"no": 4100, "yes": 55},
    "new_item": {"no": 4150, "yes": 5},
    "history": {"0": 800, "1-2": 1400, "3-5": 1200, "6-10": 600, "11+": 155},
}
GATES = {
    "experts": ["expert 1", "expert 2", "expert 3", "expert 4"],
    "tasks": {
        task: {
            "overall": [0.4, 0.3, 0.2, 0.1],
            "scenarios": {
                "search": [0.7, 0.1, 0.1, 0.1],
                "feed": [0.25, 0.25, 0.25, 0.25],
                "ads": [0.0, 0.0, 0.05, 0.95],
            },
        }
        for task in AUCS
    },
}
HISTORY = {
    "epochs": [
        {
            "epoch": n,
            "seconds": 2.4,
            "examples_per_second": 17300.5,
            "loss": 6.2 - n * 0.8,
            "val_loss": 6.0 - n * 0.6,
            **{f"loss/{task}": 0.3 / n for task in AUCS},
            **{f"val_loss/{task}": 0.31 / n + 0.01 * n for task in AUCS},
            **{f"weight/{task}": 1 + 0.02 * n * i for i, task in enumerate(AUCS)},
            "cosine/click/cart": 0.4 - 0.3 * n,
        }
        for n in (1, 2, 3)
    ]
}
STEPS = (
    ("ExampleGen", "examples", ()),
    ("StatisticsGen", "statistics", ("examples",)),
    ("SchemaGen", "schema", ("statistics",)),
    ("ExampleValidator", "anomalies", ("statistics", "schema")),
    ("Transform", "transformed", ("examples", "statistics")),
    ("Trainer", "model", ("transformed", "anomalies")),
    ("Evaluator", "evaluation", ("transformed", "model")),
    ("InfraValidator", "infra", ("model",)),
    ("Pusher", "pushed", ("evaluation", "infra")),
)


def binary(task: str, rows: int, shift: float = 0.0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of a binary task and their intervals, as wide as so few positives make them."""
    positives = max(round(POSITIVES[task] * rows / 4155), 1)
    width = Z * 0.29 / math.sqrt(positives)
    auc = min(AUCS[task] + shift, 0.95)
    rate = positives / rows
    figures = {
        "auc": auc,
        "pr_auc": 2.2 * rate,
        "log_loss": 0.98 * -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate)),
        "normalized_entropy": 0.98,
        "ece": 0.3 * rate,
        "calibration": 1.2 + shift,
        "gauc": auc - 0.02,
    }
    intervals: dict[str, Any] = {
        name: [max(value * (1 - width), 0.0), value * (1 + width)]
        for name, value in figures.items()
        if name not in ("auc", "gauc")
    }
    for name in ("auc", "gauc"):
        intervals[name] = [max(figures[name] - width, 0.0), min(figures[name] + width, 1.0)]
    return {"rows": rows, "positives": positives, **figures}, intervals


def retrieval(rows: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of a retrieval task and their intervals."""
    figures: dict[str, Any] = {
        "recall@10": 0.4194,
        "ndcg@10": 0.259,
        "recall@50": 0.672,
        "mrr": 0.225,
        "recall@10_unseen": 0.462,
    }
    width = Z * 0.45 / math.sqrt(rows)
    intervals = {name: [value - width, value + width] for name, value in figures.items()}
    return {"rows": rows, **figures}, intervals


def make_evaluation() -> dict[str, Any]:
    """As the Evaluator writes it, with intervals, curves and a baseline."""
    tasks: dict[str, Any] = {}
    differences: dict[str, Any] = {}
    for task in ("retrieve", *AUCS):
        overall, intervals = retrieval(186) if task == "retrieve" else binary(task, 4155)
        measured: dict[str, Any] = {
            "overall": overall,
            "slices": {},
            "intervals": {"overall": intervals, "slices": {}},
        }
        changes = {
            name: {"difference": 0.02, "low": 0.004, "high": 0.036}
            for name in intervals
            if name != "calibration"
        }
        differences[task] = {"overall": changes, "slices": {}}
        for column, values in SLICES.items():
            found = {
                value: retrieval(max(rows // 20, 1))
                if task == "retrieve"
                else binary(task, rows, 0.02 * place - 0.03)
                for place, (value, rows) in enumerate(values.items())
            }
            measured["slices"][column] = {value: pair[0] for value, pair in found.items()}
            measured["intervals"]["slices"][column] = {v: pair[1] for v, pair in found.items()}
            differences[task]["slices"][column] = {
                value: {n: {"difference": -0.01, "low": -0.05, "high": 0.03} for n in pair[1]}
                for value, pair in found.items()
            }
        if task != "retrieve":
            measured["curves"] = make_curves(task)
        tasks[task] = measured
    rules = [
        {
            "rule": "click auc at_least",
            "task": "click",
            "metric": "auc",
            "bound": "at_least",
            "slice": "overall",
            "figure": 0.7161,
            "limit": 0.65,
            "holds": True,
            "text": "click auc is 0.7161, at least 0.65",
        },
        {
            "rule": "click auc not_worse_by",
            "task": "click",
            "metric": "auc",
            "bound": "not_worse_by",
            "slice": "scenario=ads",
            "figure": 0.7261,
            "limit": 0.7001,
            "holds": True,
            "text": "click auc for scenario=ads is 0.7261, at least 0.7001",
        },
    ]
    return {
        "tasks": tasks,
        "blessed": True,
        "reasons": [],
        "rules": rules,
        "baseline": {
            "version": 2,
            "tasks": {task: {"overall": {}, "slices": {}} for task in tasks},
            "differences": differences,
            "reason": None,
        },
    }


def make_curves(task: str) -> dict[str, Any]:
    """Ten groups of alike predictions, and an ROC curve of the area `AUCS` has."""
    rate = POSITIVES[task] / 4155
    calibration = []
    for place in range(10):
        predicted = rate * 0.2 * 1.45**place
        observed = predicted * (0.7 + 0.05 * place)
        width = Z * math.sqrt(observed * (1 - observed) / 415)
        low, high = max(observed - width, 0.0), observed + width
        calibration.append(
            {"predicted": predicted, "observed": observed, "low": low, "high": high, "rows": 415}
        )
    power = 1 / AUCS[task] - 1
    return {
        "calibration": calibration,
        "roc": [[x / 50, (x / 50) ** power] for x in range(51)],
    }


def make_anomalies() -> str:
    """An error and a warning, in the proto's text form."""
    found = pb.Anomalies()
    info = found.anomaly_info["query"]
    info.severity = pb.AnomalyInfo.WARNING
    for split in ("train", "test"):
        text = f"column 'query' is missing in 63% of the {split} rows, but 50% may be"
        info.reason.add(short_description="Often missing", description=text)
    whole = found.dataset_anomaly_info
    whole.severity = pb.AnomalyInfo.ERROR
    whole.reason.add(short_description="Few rows", description="there are 12 rows")
    drift = found.drift_skew_info.add()
    drift.path.step.append("device")
    drift.drift_measurements.add(value=0.07, threshold=0.1)
    return text_format.MessageToString(found, as_utf8=True)


def summaries() -> dict[str, dict[str, Any]]:
    """What the components said about their work."""
    rejected = {"wrong number of fields": 7, "label is not 0 or 1": 3}
    side = {"rows": 500, "kept": 500, "duplicates": 0, "rejected": {}}
    splits = {"train": 41_780, "validation": 4_065, "test": 4_155}
    return {
        "ExampleGen": {
            "rows": 50_010,
            "kept": 50_000,
            "rejected": rejected,
            "dead_letters": {"rows": 10, "path": "dead_letters"},
            "tables": {"impressions": {}, "items": side, "users": {**side}},
        },
        "Transform": {"splits": splits, "label_means": {"train": {"click": 0.0534}}},
        "Trainer": {"best_epoch": 2},
    }


def make_run(directory: Path, cached: tuple[str, ...] = ("SchemaGen",)) -> Path:
    """Writes the directory of a run that has pushed version 3."""
    artifacts = directory / "artifacts"
    said = summaries()
    files = [DataFile(f"impressions/part-{n}.csv", 1_048_576 * n, "ab" * 32) for n in (1, 2)]
    for number, (_, name, _) in enumerate(STEPS):
        (artifacts / name).mkdir(parents=True)
        mark(artifacts / name, Marker(f"{number}" * 32, 4.8, {}, {}, {}, {}))
    evaluation = json.dumps(make_evaluation())
    for path, text in {
        "evaluation.json": evaluation,
        "artifacts/evaluation/evaluation.json": evaluation,
        "artifacts/anomalies/anomalies.pbtxt": make_anomalies(),
        "artifacts/pushed/pushed.json": json.dumps({"version": 3, "name": "shop"}),
        "artifacts/infra/infra.json": json.dumps(
            {
                "fit": True,
                "reasons": [],
                "load_seconds": 0.43,
                "memory": {"before": 378_552_320, "loaded": 408_690_688, "peak": 467_791_872},
                "latency": {"rank": {"1": {"p50": 3.913, "p99": 7.234, "calls": 123}}},
                "warmup_records": 9,
            }
        ),
        "artifacts/model/history.json": json.dumps(HISTORY),
        "artifacts/model/gates.json": json.dumps(GATES),
    }.items():
        (directory / path).write_text(text, encoding="utf-8")
    with Store(directory / "metadata.sqlite") as store:
        run = store.start_run("name: shop\nseed: 7\ntasks:\n  click: {}\n", directory / "logs")
        for number, (component, output, reads) in enumerate(STEPS):
            inputs = [(name, artifacts / name, f"{name}-1") for name in reads]
            step = store.start(
                run, component, f"{number}" * 32, inputs, files=() if reads else files
            )
            state = "CACHED" if component in cached else "COMPLETE"
            made = (output, artifacts / output, f"{output}-1")
            store.end(step, state, said.get(component, {}), made)
        store.end_run(run, "COMPLETE")
    return directory
