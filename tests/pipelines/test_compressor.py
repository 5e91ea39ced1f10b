"""When variants of a model are made, when they are good enough, and that they are pushed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from data_components import shop_config

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
from pipelines.components.base import Context
from pipelines.components.bulk_inferrer import BulkInferrer
from pipelines.components.compressor import Compressor, too_bad
from pipelines.components.pusher import Pusher
from pipelines.pipeline import components
from serving.pushing.manifest import read_manifest
from tfmtl.config import ConfigError

INT8 = {"variants": {"int8": {}}}


def test_it_comes_behind_the_pusher_where_variants_are_wanted() -> None:
    steps = components(shop_config(serving=INT8))
    assert steps.index(Compressor) == steps.index(Pusher) + 1
    assert Compressor not in components(shop_config())
    both = shop_config(serving=INT8, bulk_inference={"data": "x/*.csv", "outputs": ["scores"]})
    assert components(both)[-2:] == (Compressor, BulkInferrer)


def test_an_unknown_storage_is_named() -> None:
    told = r"serving\.variants\.int4: .* give storage, 'bfloat16' or 'int8', or prune"
    with pytest.raises(ConfigError, match=told):
        shop_config(serving={"variants": {"int4": {}}})


def figures(task: str, name: str, full: float, variant: float) -> dict[str, Any]:
    return {task: {name: {"full": full, "variant": variant}}}


@pytest.mark.parametrize(
    ("name", "full", "variant", "good"),
    [
        ("auc", 0.800, 0.7985, True),
        ("auc", 0.800, 0.7975, False),
        ("auc", 0.800, 0.9, True),
        ("recall@100", 0.30, 0.2985, True),
        ("recall@100", 0.30, 0.297, False),
        ("rmse", 2.0, 2.003, True),  # .15 % more
        ("rmse", 2.0, 2.005, False),  # .25 % more
        ("rmse", 2.0, 1.0, True),
        ("rmse", 0.0, 0.001, True),
        ("rmse", 0.0, 0.01, False),
    ],
)
def test_what_a_variant_may_lose(name: str, full: float, variant: float, good: bool) -> None:
    reason = too_bad(figures("click", name, full, variant), 0.002)
    assert (reason is None) == good
    if reason:
        assert reason.startswith(f"click {name} {variant:.4f} where the full model has {full:.4f}")


def test_one_bad_task_is_enough() -> None:
    both = figures("click", "auc", 0.8, 0.8) | figures("cart", "auc", 0.7, 0.6)
    assert "cart auc" in (too_bad(both, 0.002) or "")


def test_without_a_push_there_is_no_variant(tmp_path: Path) -> None:
    for name in ("pushed", "variants"):
        (tmp_path / name).mkdir()
    (tmp_path / "pushed" / "pushed.json").write_text('{"version": null}')
    made: list[Any] = [
        kind(tmp_path / kind.name)
        for kind in (Examples, Transformed, Model, Evaluation, Infra, Pushed)
    ]
    context = Context(shop_config(serving=INT8), tmp_path, tmp_path, tmp_path, lambda *_: None)
    output: Output[Variants] = Output(tmp_path / "variants")
    assert Compressor(context, *made, output)["headline"] == "none, nothing was pushed"
    assert json.loads((tmp_path / "variants" / "variants.json").read_bytes()) == {}


@pytest.mark.e2e
@pytest.mark.slow
def test_variants_are_pushed_served_and_not_made_twice(tmp_path: Path) -> None:
    def tfmtl(*words: object) -> str:
        program = [sys.executable, "-c", "from pipelines.cli import main; main()"]
        done = subprocess.run(
            [*program, *map(str, words)], capture_output=True, text=True, check=False, timeout=900
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    tfmtl("simulate", "--output", tmp_path / "logs", "--impressions", 6000)
    run = ["run", "shop", "--data", tmp_path / "logs", "--output", tmp_path / "out"]
    gate = "gate=[{task: click, metric: auc, at_least: 0.3}]"
    run += ["--set", "training.epochs=1", "--set", gate]
    run += ["--set", "serving.signatures=[rank]", "--set"]
    small = "small: {storage: int8, prune: {fewer_than: 20}, tolerance: 1}"
    bare = "bare: {prune: {fewer_than: 1000000}, tolerance: 0}"
    run += [f"serving.variants={{int8: {{tolerance: 1}}, {bare}, {small}}}"]
    printed = tfmtl(*run)
    assert "weights MB" in printed
    assert "small has kept" in printed
    told = json.loads((tmp_path / "out/artifacts/variants/variants.json").read_bytes())
    assert told["int8"]["version"] == 1
    # A quarter of the weights' bytes, and the scales; the small weights are as they were.
    assert told["int8"]["bytes"] < 0.33 * told["int8"]["full_bytes"]
    assert told["small"]["bytes"] < told["int8"]["bytes"]
    assert told["small"]["kept"]["item_id"][1] < told["small"]["kept"]["item_id"][0] == 200
    for name in ("int8", "small"):
        assert told[name]["latency"]["signature"] == "rank"
        assert 0 < told[name]["latency"]["p50"] <= told[name]["latency"]["p99"]
        files = [tmp_path / "out/artifacts/variants" / name / "saved_model.pb"]
        for part in ("variables", "assets"):
            files += [*(files[0].parent / part).iterdir()]
        assert told[name]["saved_model_bytes"] == sum(file.stat().st_size for file in files)
    assert "Variants" in (tmp_path / "out" / "report.html").read_text()
    served = tmp_path / "out" / "serving"
    sources = read_manifest(served / "shop-int8" / "1")["sources"]
    assert set(sources) == {"weights", "infra"}
    full, small = (
        sum(f.stat().st_size for f in (served / name / "1" / "variables").iterdir())
        for name in ("shop", "shop-int8")
    )
    assert small < 0.75 * full  # the items and their vectors are stored in full
    assert told["bare"]["version"] is None
    assert "the tolerance is" in told["bare"]["reason"]
    assert told["bare"]["saved_model_bytes"] < told["bare"]["full_saved_model_bytes"]
    assert told["bare"]["latency"]["p50"] > 0
    assert not (served / "shop-bare").exists()
    assert not (tmp_path / "out/artifacts/variants/bare").exists()
    tfmtl(*run)
    assert [path.name for path in (served / "shop-int8").iterdir()] == ["1"]
