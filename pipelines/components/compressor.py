"""Compressor: the pushed model once more, in fewer bytes, where its metrics stay.

For every variant of `serving.variants` values lose their rows, or weights are stored as bfloat16 or
int8, or both; the model is measured on the test split as it then is, and written as a SavedModel
that is asked as the full one was. A variant that is good enough is pushed as `NAME-VARIANT`, for TF
Serving a model beside the full one; of others the figures are kept.
"""

import json
import math
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.artifacts import (
    Evaluation,
    Examples,
    Infra,
    Model,
    Output,
    Pushed,
    Transformed,
    Variants,
)
from pipelines.caching.fingerprints import content_fingerprint
from pipelines.components.base import Context, PipelineError, Summary, component
from pipelines.components.infra_validator import SAVED_MODEL, checked
from pipelines.console.variants import table_lines
from pipelines.main_metrics import loss, main_metric
from pipelines.pushes import pushed_version, served_already, weights_of, withdrawn_as
from tfmtl.config import Config, Variant

VARIANTS, FULL = "variants.json", "full model"


def _reads(config: Config) -> Any:
    served = config.serving.model_dump(mode="json", include={"variants", "signatures"})
    return [config.served_name, config.serving.keep_versions, served, config.evaluation.top_k]


def _still_there(artifact: Path, base_path: Path) -> bool:
    """Whether no variant has been removed since it was pushed."""
    told = json.loads((artifact / VARIANTS).read_bytes())
    return all(
        one["version"] is None or (_beside(base_path, kind) / str(one["version"])).is_dir()
        for kind, one in told.items()
    )


@component(reads=_reads, valid=_still_there)
def Compressor(
    context: Context,
    examples: Examples,
    transformed: Transformed,
    model: Model,
    evaluation: Evaluation,
    infra: Infra,
    pushed: Pushed,
    variants: Output[Variants],
) -> Summary:
    """Pushes the variants of a model that was pushed.

    The artifact holds `variants.json`, by variant: the `version`, null where nothing was pushed,
    for the `reason` given; the `bytes` of its weights and of its SavedModel, and the `latency` of
    100 candidates ranked or one request answered; its `metrics`; all beside the full model's; and
    how many values of each vocabulary it has `kept`. Beside it lie the SavedModels of those that
    are good enough, `VARIANT/`.
    """
    told: dict[str, Any] = {}
    if pushed_version(pushed.path) is not None:
        full = json.loads((evaluation.path / "evaluation.json").read_bytes())["tasks"]
        for name, spec in context.config.serving.variants.items():
            context.progress(len(told), len(context.config.serving.variants), "variants", name)
            output = variants.path / name
            told[name] = _make(context, name, spec, model, transformed, examples, full, output)
        _compare(context, told, model, examples, infra.path / SAVED_MODEL, variants.path)
        for name in told:
            _push(context, name, told[name], variants.path / name)
    (variants.path / VARIANTS).write_text(json.dumps(told, indent=2), encoding="utf-8")
    lines = table_lines(told)
    return {"variants": told, "headline": _headline(told), "lines": lines}


def _make(
    context: Context,
    name: str,
    spec: Variant,
    model: Model,
    transformed: Transformed,
    examples: Examples,
    full: Mapping[str, Any],
    directory: Path,
) -> dict[str, Any]:
    """Makes, measures and checks one variant."""
    from pipelines.served_rows import served_rows
    from tfmtl.models.compression import Compression
    from tfmtl.models.saved import load_model
    from tfmtl.training.errors import TrainingError
    from tfmtl.training.evaluating import measure
    from tfmtl.training.pruning import prune
    from tfmtl.training.translation import Translation

    config, home = context.config, model.path
    trained = load_model(home, config.serving)
    told: dict[str, Any] = {
        "version": None,
        "full_bytes": sum(_nbytes(variable) for variable in trained.variables),
        "kept": {},
    }
    with tempfile.TemporaryDirectory() as scratch:
        translate = None
        if spec.prune is not None:
            try:
                pruned = prune(trained, spec.prune, transformed.path / "train", Path(scratch))
            except TrainingError as error:
                raise PipelineError(f"serving.variants.{name}.{error}") from None
            trained, home, told["kept"] = pruned.model, Path(scratch), pruned.kept
            translate = Translation(config, transformed.path, home)
        storage = spec.stored_as(name)
        compression = None if storage == "float32" else Compression(trained, storage)
        unpacked = compression.unpacked() if compression else trained
        found = measure(unpacked, config, transformed.path, translate=translate, in_full=False)
        told["metrics"] = _metrics(config, found.tasks, full)
        told["bytes"] = (
            compression.nbytes
            if compression
            else sum(_nbytes(variable) for variable in trained.variables)
        )
        told["overall"] = {task: found.tasks[task]["overall"] for task in found.tasks}
        told["reason"] = too_bad(told["metrics"], spec.tolerance)
        rows = served_rows(examples.path, config)
        fitness = checked(trained, home, directory, rows, context.progress, compression)
        if fitness["reasons"]:
            told["reason"] = f"TF Serving would refuse it: {fitness['reasons'][0]}"
            shutil.rmtree(directory)
    return told


def _compare(
    context: Context,
    told: Mapping[str, Any],
    model: Model,
    examples: Examples,
    full: Path,
    variants: Path,
) -> None:
    """Sizes and latencies of the SavedModels, the full one's beside them."""
    from pipelines.served_rows import served_rows
    from serving.served_model.wanted import default_signature
    from serving.signatures import RANK
    from serving.validation.examples import timed_requests
    from serving.validation.latency import side_by_side
    from tfmtl.models.saved import load_model

    made = {name: variants / name for name in told if (variants / name).is_dir()}
    if not made:
        return
    config = context.config
    rows = served_rows(examples.path, config)
    requests = timed_requests(load_model(model.path, config.serving), model.path, 100, rows)
    signature = RANK if RANK in requests else default_signature(config)
    models = {FULL: full, **made}
    asked = dict.fromkeys(models, requests[signature])
    latency = side_by_side(models, asked, signature)
    for name, path in made.items():
        told[name]["saved_model_bytes"] = served_bytes(path)
        told[name]["full_saved_model_bytes"] = served_bytes(full)
        told[name]["latency"] = {"signature": signature, **latency[name]}
        told[name]["full_latency"] = {"signature": signature, **latency[FULL]}


def _push(context: Context, name: str, told: dict[str, Any], directory: Path) -> None:
    """Pushes a variant that is good enough, unless it is served already or was withdrawn."""
    from serving.pushing import versions

    overall = told.pop("overall")
    if told["reason"] is not None:
        shutil.rmtree(directory, ignore_errors=True)
        return
    config = context.config
    base_path = _beside(context.serving / config.served_name, name)
    weights = weights_of(directory)
    sources = {"weights": weights, "infra": content_fingerprint(directory)}
    withdrawn = withdrawn_as(base_path, weights) if base_path.is_dir() else None
    if withdrawn is not None:
        told["reason"] = f"it was rolled back as version {withdrawn}"
        return
    told["version"] = served_already(base_path, sources)
    if told["version"] is None:
        about = {"sources": sources, "metrics": overall}
        keep = config.serving.keep_versions
        told["version"] = versions.push(directory, base_path, keep, about)


def served_bytes(saved_model: Path) -> int:
    """Bytes that a server reads: graph, variables and assets, without what lies beside them."""
    parts = [saved_model / "saved_model.pb"]
    parts += [f for d in ("variables", "assets") for f in (saved_model / d).rglob("*")]
    return sum(part.stat().st_size for part in parts if part.is_file())


def _nbytes(variable: Any) -> int:
    return int(variable.value.dtype.size) * math.prod(variable.shape)


def _metrics(
    config: Config, found: Mapping[str, Any], full: Mapping[str, Any]
) -> dict[str, dict[str, dict[str, float]]]:
    """Each task's main metric: `{task: {metric: {"full": x, "variant": y}}}`."""
    metrics: dict[str, dict[str, dict[str, float]]] = {}
    for task in config.tasks:
        name = main_metric(config, task)
        both = {"full": full[task]["overall"].get(name), "variant": found[task]["overall"][name]}
        if None not in both.values():
            metrics[task] = {name: both}
    return metrics


def too_bad(metrics: Mapping[str, Any], tolerance: float) -> str | None:
    """Why a variant is not good enough; None where it is."""
    for task, by_name in metrics.items():
        for name, both in by_name.items():
            if loss(name, both["full"], both["variant"]) > tolerance:
                return (
                    f"{task} {name} {both['variant']:.4f} where the full model has "
                    f"{both['full']:.4f}; the tolerance is {tolerance:g}"
                )
    return None


def _beside(base_path: Path, kind: str) -> Path:
    """Where the versions of a variant lie."""
    return base_path.with_name(f"{base_path.name}-{kind}")


def _headline(told: Mapping[str, Any]) -> str:
    if not told:
        return "none, nothing was pushed"
    pushed = [name for name, one in told.items() if one["version"] is not None]
    refused = [f"{name} not pushed" for name in told if name not in pushed]
    return ", ".join([*(f"{name}: version {told[name]['version']}" for name in pushed), *refused])
