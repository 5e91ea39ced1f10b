"""The compiled Kubeflow pipeline: its graph is the pipeline's, its commands run."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.commands.common import load_config
from pipelines.components.base import PipelineError
from pipelines.kubeflow import compiling
from pipelines.kubeflow.compiling import compile_pipeline
from pipelines.pipeline import components
from pipelines.storage.directories import read_marker
from tfmtl.config import parse

TFMTL = Path(sys.executable).parent / "tfmtl"

ORDER = [
    "example-gen",
    "statistics-gen",
    "schema-gen",
    "example-validator",
    "transform",
    "trainer",
    "evaluator",
    "infra-validator",
    "pusher",
]
READS = {
    "statistics-gen": {"example-gen"},
    "transform": {"example-gen", "statistics-gen"},
    "trainer": {"transform"},
    "evaluator": {"transform", "trainer"},
    "infra-validator": {"trainer"},
    "pusher": {"evaluator", "infra-validator"},
}
"""What at least each of them reads."""


def tfmtl(*words):
    return subprocess.run(
        [str(TFMTL), *map(str, words)], capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The two documents of the shop's compiled pipeline: the graph, and what Kubernetes mounts."""
    pytest.importorskip("kfp", reason="the Kubeflow Pipelines SDK is an extra: tfmtl[kubeflow]")
    path = tmp_path_factory.mktemp("kubeflow") / "pipeline.yaml"
    words = ("--output", path, "--image", "registry/tfmtl:1", "--volume", "shop-volume")
    ended = tfmtl("compile", "shop", *words, "--set", "training.epochs=1")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{path}: 9 steps of image registry/tfmtl:1\n"
    assert ended.stderr == ""
    return list(yaml.safe_load_all(path.read_text()))


def test_the_graph_is_the_pipeline(compiled):
    graph, _ = compiled
    tasks = graph["root"]["dag"]["tasks"]
    assert sorted(tasks) == sorted(ORDER)
    for place, name in enumerate(ORDER):
        before = set(tasks[name].get("dependentTasks", ()))
        assert READS.get(name, set()) <= before
        assert before <= set(ORDER[:place]), "nothing waits for what comes later"
        assert ORDER[place - 1 : place] == [
            one for one in ORDER[place - 1 : place] if one in before
        ]
    assert graph["pipelineInfo"]["name"] == "shop"


def test_the_graph_names_every_artifact_that_is_read(compiled):
    graph, _ = compiled
    tasks = graph["root"]["dag"]["tasks"]
    steps = components(load_config("shop"))
    dashed = dict(zip((step.name for step in steps), ORDER, strict=True))
    makers = {step.produces: dashed[step.name] for step in steps}
    for step in steps:
        wanted = {makers[name] for name in step.consumes}
        assert wanted <= set(tasks[dashed[step.name]].get("dependentTasks", ()))


def test_every_step_mounts_the_volume_and_leaves_caching_to_itself(compiled):
    graph, platform = compiled
    mounted = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert len(mounted) == len(ORDER)
    for executor in mounted.values():
        (mount,) = executor["pvcMount"]
        assert (mount["constant"], mount["mountPath"]) == ("shop-volume", "/mnt/tfmtl")
    for task in graph["root"]["dag"]["tasks"].values():
        assert not task["cachingOptions"].get("enableCache")


def filled(compiled, task, **parameters):
    """Image and command line of a task, as Kubeflow would fill its parameters in."""
    graph, _ = compiled
    inputs = graph["root"]["inputDefinitions"]["parameters"]
    values = {name: one["defaultValue"] for name, one in inputs.items()} | parameters
    component = graph["components"][graph["root"]["dag"]["tasks"][task]["componentRef"]["name"]]
    container = graph["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
    words = [*container["command"], *container["args"]]
    for name, value in values.items():
        words = [word.replace(f"{{{{$.inputs.parameters['{name}']}}}}", value) for word in words]
    return container["image"], words


def test_the_configuration_is_in_the_file(compiled):
    image, words = filled(compiled, "trainer")
    assert image == "registry/tfmtl:1"
    assert words[:3] == ["tfmtl", "step", "Trainer"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options["--data"] == "/mnt/tfmtl/data"
    assert options["--output"] == "/mnt/tfmtl/out/shop"
    config = load_config("shop", ["training.epochs=1"])
    assert parse(yaml.safe_load(options["--config-text"])) == config


def test_the_command_of_a_step_runs(compiled, tmp_path):
    assert tfmtl("simulate", "--output", tmp_path / "logs", "--impressions", 300).returncode == 0
    where = {"data": str(tmp_path / "logs"), "output": str(tmp_path / "out")}
    _, words = filled(compiled, "example-gen", **where)
    assert words[0] == TFMTL.name
    ended = subprocess.run(
        [str(TFMTL), *words[1:]], capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert "300 of" in ended.stdout
    marker = read_marker(tmp_path / "out" / "artifacts" / "examples")
    assert marker is not None
    assert marker.summary["kept"] == 300
    _, words = filled(compiled, "trainer", **where)
    refused = subprocess.run(
        [str(TFMTL), *words[1:]], capture_output=True, text=True, check=False, timeout=300
    )
    assert refused.returncode == 1
    assert "has to run first" in refused.stderr


def test_without_the_sdk_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kfp", None)
    config = load_config("shop")
    with pytest.raises(PipelineError, match=r"pip install 'tfmtl\[kubeflow\]'"):
        compile_pipeline(
            config, components(config), tmp_path / "p.yaml", "i", "v", "/m", "/m/d", "/m/o"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--output", "pipeline.json"), "expected a .yaml file, got pipeline.json"),
        (("--output", "nowhere/p.yaml"), "directory nowhere does not exist"),
        (("--mount", "here"), "expected an absolute path, got here"),
        (("--set", "trunk=1"), "trunk"),
    ],
)
def test_bad_usage_is_one_line(words, said):
    ended = tfmtl("compile", "shop", *words)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "dashed"),
    [("ExampleGen", "example-gen"), ("my_shop", "my-shop"), ("Été 2", "t-2"), ("__", "pipeline")],
)
def test_names_as_kubeflow_wants_them(name, dashed):
    assert compiling._dashed(name) == dashed
