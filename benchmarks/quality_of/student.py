"""A student beside its teacher on the simulated shop, and the teacher in int8.

The teacher is an MMoE with wide experts, the student one shared bottom with narrow embeddings, once
with the teacher's predictions beside the labels and once without. Both answer `rank` with 100
candidates by turns, each from its exported SavedModel.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.figures import Bar
from benchmarks.quality_of.experiments import Metrics, Table, transform
from benchmarks.quality_of.shop import CONFIG, TASKS
from pipelines.components.compressor import served_bytes
from pipelines.components.distiller import taught
from pipelines.simulator import simulate
from tfmtl.config import Config, parse
from tfmtl.config.searched import with_values

if TYPE_CHECKING:
    from tfmtl.models.multi_task import MultiTaskModel

SIZE = {"impressions": 400_000, "users": 400, "items": 1_000, "seed": 11}
CANDIDATES = 100


def _dims(ids: int, attributes: int) -> dict[str, int]:
    wide = ("features.user.0", "features.item.0", "features.item.4", "features.query.0")
    narrow = ("features.item.1", "features.item.2")
    return {f"{one}.dim": ids for one in wide} | {f"{one}.dim": attributes for one in narrow}


TEACHER: dict[str, Any] = {
    "model.trunk": {"kind": "mmoe", "experts": 4, "units": [1024, 512]},
    **_dims(64, 32),
}
PLAIN: dict[str, Any] = {
    "model.trunk": {"kind": "shared_bottom", "units": [128, 64]},
    "training.precision": "float32",
    **_dims(16, 8),
}
TAUGHT: dict[str, Any] = {
    **PLAIN,
    "distillation": {"teachers": [{"changes": TEACHER}], "weight": 0.3},
}


def measured(data: Path, work: Path, seeds: Sequence[int]) -> tuple[Table, list[Bar]]:
    """Metrics of teacher, student and int8, their sizes and speed."""
    from tfmtl.models.compression import Compression
    from tfmtl.models.saved import load_model, save_model
    from tfmtl.training.distillation import Teaching, write_soft_labels
    from tfmtl.training.trainer import train

    logs = work / "logs"
    if not (logs / "truth.parquet").exists():
        simulate(logs, **SIZE)
    transformed = transform(CONFIG, logs, work / "run")
    runs: dict[str, list[Metrics]] = {}
    models: dict[str, MultiTaskModel] = {}
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        for seed in seeds:
            home = Path(scratch) / f"teacher_{seed}"
            config = _config(TEACHER, seed)
            save_model(train(config, transformed).model, home, transformed)
            teacher = load_model(home)
            own = _config(TAUGHT, seed)
            soft = Path(scratch) / f"soft_{seed}"
            teaching = Teaching("the teacher", home, translated=False)
            write_soft_labels(own, transformed, [teaching], soft)
            with taught(transformed, soft) as examples:
                student = train(own, examples).model
            alone = train(_config(PLAIN, seed), transformed).model
            int8 = Compression(teacher, "int8")
            found = {
                "teacher": teacher,
                "teacher, int8": int8.unpacked(),
                "student": student,
                "student, labels alone": alone,
            }
            for name, model in found.items():
                runs.setdefault(name, []).append(_metrics(model, config, transformed))
            models = {"teacher": teacher, "student": student}
        speed, sizes = _served(models, transformed, Path(scratch))
    table = Table("Teacher and student on the simulated shop, AUC on the last day")
    for name, found_runs in runs.items():
        table.add(name, found_runs)
    table.baselines = table.means["teacher"]
    parameters = {name: model.count_params() for name, model in models.items()}
    table.notes = [
        *(f"{name}: {count:,} parameters" for name, count in parameters.items()),
        *(
            f"{name}: rank, {CANDIDATES} candidates {ms['p50']:.2f} ms"
            for name, ms in speed.items()
        ),
        *(f"{name}: SavedModel of {size / 1e6:.2f} MB" for name, size in sizes.items()),
    ]
    full = 4 * parameters["teacher"]
    share = parameters["student"] / parameters["teacher"]
    files = sizes["teacher, int8"] / sizes["teacher"]
    faster = speed["teacher"]["p50"] / speed["student"]["p50"]
    bars = [
        Bar("student: share of the teacher's parameters", 0.25, share, at_most=True),
        Bar("student: times faster, rank of 100 candidates", 3.0, faster),
        Bar("int8: share of the bytes of all weights", 0.3, int8.nbytes / full, at_most=True),
        Bar("int8: share of the SavedModel's bytes", 0.3, files, at_most=True),
    ]
    for name in ("student", "teacher, int8"):
        for task in TASKS:
            lost = table.means["teacher"][f"{task} auc"] - table.means[name][f"{task} auc"]
            bars.append(Bar(f"{name}: {task} auc below the teacher's", 0.002, lost, at_most=True))
    return table, bars


def _config(changes: Mapping[str, Any], seed: int) -> Config:
    raw = with_values(parse(CONFIG), {"serving.signatures": ["rank"], **changes})
    return parse({**raw, "seed": seed})


def _metrics(model: "MultiTaskModel", config: Config, transformed: Path) -> Metrics:
    from tfmtl.training.evaluating import measure

    found = measure(model, config, transformed, in_full=False).tasks
    metrics = {f"{task} auc": found[task]["overall"]["auc"] for task in TASKS}
    return metrics | {"retrieve recall@100": found["retrieve"]["overall"]["recall@100"]}


def _served(
    models: Mapping[str, "MultiTaskModel"], transformed: Path, scratch: Path
) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """Latencies and bytes of the exported models; the teacher's once more in int8."""
    from serving.exporting import write_saved_model
    from serving.signatures import RANK
    from serving.validation.examples import timed_requests
    from serving.validation.latency import side_by_side
    from tfmtl.models.compression import Compression
    from tfmtl.models.saved import load_model, save_model

    paths: dict[str, Path] = {}
    requests: dict[str, Mapping[str, np.ndarray]] = {}
    for name, model in models.items():
        home = scratch / f"home of {name}"
        save_model(model, home, transformed)
        kept = load_model(home)
        paths[name] = scratch / f"saved {name}"
        write_saved_model(kept, home, paths[name])
        requests[name] = timed_requests(kept, home, CANDIDATES, {})[RANK]
        if name == "teacher":
            small = f"{name}, int8"
            paths[small], requests[small] = scratch / "saved int8", requests[name]
            write_saved_model(kept, home, paths[small], None, Compression(kept, "int8"))
    sizes = {name: served_bytes(path) for name, path in paths.items()}
    return side_by_side(paths, requests, RANK, rounds=300), sizes
