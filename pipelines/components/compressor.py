"""Compressor: the pushed model once more, in fewer bytes, where its metrics stay.

For every variant of `serving.variants` the model's weights are stored as bfloat16 or int8, measured
on the test split as they then are, and written as a SavedModel that is asked as the full one was.
A variant that is good enough is pushed as `NAME-KIND`, for TF Serving a model beside the full one.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.artifacts import Evaluation, Examples, Model, Output, Pushed, Transformed, Variants
from pipelines.caching.fingerprints import content_fingerprint
from pipelines.components.base import Context, Summary, component
from pipelines.components.infra_validator import checked
from pipelines.pushes import pushed_version, served_already, weights_of, withdrawn_as
from tfmtl.config import Config, Storage, Variant
from tfmtl.config.evaluation import is_lower_better

VARIANTS = "variants.json"
_MAIN = {
    "binary": "auc",
    "regression": "rmse",
    "multi_class": "accuracy",
    "multi_label": "micro_f1",
}


def _reads(config: Config) -> Any:
    variants = config.model_dump(mode="json")["serving"]["variants"]
    return [config.served_name, config.serving.keep_versions, variants, config.evaluation.top_k]


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
    pushed: Pushed,
    variants: Output[Variants],
) -> Summary:
    """Pushes the variants of a model that was pushed.

    The artifact holds `variants.json`, by variant: the `version`, null where nothing was pushed,
    for the `reason` given, the `bytes` of its weights and of the full model's, and its `metrics`
    beside the full model's; and the SavedModels, `KIND/`.
    """
    told: dict[str, Any] = {}
    if pushed_version(pushed.path) is not None:
        full = json.loads((evaluation.path / "evaluation.json").read_bytes())["tasks"]
        for kind, spec in context.config.serving.variants.items():
            context.progress(len(told), len(context.config.serving.variants), "variants", kind)
            output = variants.path / kind
            told[kind] = _make(context, kind, spec, model, transformed, examples, full, output)
    (variants.path / VARIANTS).write_text(json.dumps(told, indent=2), encoding="utf-8")
    lines = [_line(kind, one) for kind, one in told.items()]
    return {"variants": told, "headline": lines[0] if lines else "none", "lines": lines[1:]}


def _make(
    context: Context,
    kind: Storage,
    spec: Variant,
    model: Model,
    transformed: Transformed,
    examples: Examples,
    full: Mapping[str, Any],
    directory: Path,
) -> dict[str, Any]:
    """Makes, measures, checks and pushes one variant."""
    from pipelines.served_rows import served_rows
    from serving.pushing import versions
    from tfmtl.models.compression import Compression
    from tfmtl.models.saved import load_model
    from tfmtl.training.evaluating import measure

    config = context.config
    trained = load_model(model.path, config.serving)
    compression = Compression(trained, kind)
    unpacked = compression.unpacked()
    found = measure(unpacked, config, transformed.path, in_full=False).tasks
    told = {
        "version": None,
        "bytes": compression.nbytes,
        "full_bytes": 4 * trained.count_params(),
        "metrics": _metrics(config, found, full),
    }
    reason = too_bad(told["metrics"], spec.tolerance)
    if reason is not None:
        return {**told, "reason": reason}
    rows = served_rows(examples.path, config)
    fitness = checked(trained, model.path, directory, rows, context.progress, compression)
    if fitness["reasons"]:
        reason = f"TF Serving would refuse it: {fitness['reasons'][0]}"
        return {**told, "reason": reason}
    told["latency"] = fitness["latency"]
    base_path = _beside(context.serving / config.served_name, kind)
    weights = weights_of(directory)
    sources = {"weights": weights, "infra": content_fingerprint(directory)}
    withdrawn = withdrawn_as(base_path, weights) if base_path.is_dir() else None
    if withdrawn is not None:
        return {**told, "reason": f"it was rolled back as version {withdrawn}"}
    version = served_already(base_path, sources)
    if version is None:
        about = {"sources": sources, "metrics": {task: found[task]["overall"] for task in found}}
        version = versions.push(directory, base_path, config.serving.keep_versions, about)
    return {**told, "version": version, "reason": None}


def _metrics(
    config: Config, found: Mapping[str, Any], full: Mapping[str, Any]
) -> dict[str, dict[str, dict[str, float]]]:
    """Each task's main metric: `{task: {metric: {"full": x, "variant": y}}}`."""
    metrics: dict[str, dict[str, dict[str, float]]] = {}
    for task, spec in config.tasks.items():
        name = _MAIN.get(spec.kind, f"recall@{max(config.evaluation.top_k)}")
        both = {"full": full[task]["overall"].get(name), "variant": found[task]["overall"][name]}
        if None not in both.values():
            metrics[task] = {name: both}
    return metrics


def too_bad(metrics: Mapping[str, Any], tolerance: float) -> str | None:
    """Why a variant is not good enough; None where it is."""
    for task, by_name in metrics.items():
        for name, both in by_name.items():
            loss = both["full"] - both["variant"]
            if is_lower_better(name):
                loss = -loss / both["full"] if both["full"] else -loss
            if loss > tolerance:
                return (
                    f"{task} {name} {both['variant']:.4f} where the full model has "
                    f"{both['full']:.4f}; the tolerance is {tolerance:g}"
                )
    return None


def _beside(base_path: Path, kind: str) -> Path:
    """Where the versions of a variant lie."""
    return base_path.with_name(f"{base_path.name}-{kind}")


def _line(kind: str, told: Mapping[str, Any]) -> str:
    """What is printed of a variant."""
    share = f"{told['bytes'] / told['full_bytes']:.0%} of the full model's bytes"
    figures = ", ".join(
        f"{task} {name} {both['variant']:.4f} ({both['full']:.4f})"
        for task, by_name in told["metrics"].items()
        for name, both in by_name.items()
    )
    outcome = f"version {told['version']}" if told["version"] else f"not pushed: {told['reason']}"
    return f"{kind}: {outcome}; {share}; {figures}"
