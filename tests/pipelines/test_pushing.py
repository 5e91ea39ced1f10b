"""Evaluator and Pusher beside what others push: when a verdict holds, and what is pushed again."""

import json
import shutil
import subprocess
import sys
from io import StringIO

import pytest
from fake_pipeline import make_config, make_data
from rich.console import Console

from pipelines import runner
from pipelines.artifacts import Evaluation, Infra, Output, Pushed
from pipelines.components import evaluator, infra_validator, pusher
from pipelines.components.base import Context, Summary, component
from serving.pushing import versions
from serving.pushing.manifest import read_manifest
from serving.pushing.rollback import roll_back

CONFIG = make_config()
RULE = {"task": "click", "metric": "auc", "at_least": 0.5}


@component(
    reads=lambda config: [config.seed, config.features.by_name["item_id"].dim],
    valid=infra_validator.InfraValidator.valid,
)
def InfraValidator(context: Context, infra: Output[Infra]) -> Summary:
    """A model for every seed; that of 13 is not fit to serve, that of 14 takes too long."""
    seed = context.config.seed
    variables = infra.path / "saved_model" / "variables"
    variables.mkdir(parents=True)
    (variables / "variables.index").write_text(f"weights of seed {seed}")
    graph = f"a graph of {context.config.features.by_name['item_id'].dim}"
    (infra.path / "saved_model" / "saved_model.pb").write_text(graph)
    reasons = {13: ["loading failed: no kernel"], 14: ["longer than 300 s"]}.get(seed, [])
    told = {"fit": not reasons, "reasons": reasons, "finished": seed != 14}
    told["model"] = f"model-{seed}"
    (infra.path / "infra.json").write_text(json.dumps(told))
    return {}


@component(reads=lambda config: len(config.gate), valid=evaluator.Evaluator.valid)
def Evaluator(context: Context, infra: Infra, evaluation: Output[Evaluation]) -> Summary:
    """Blesses a model unless the pushed one is version 2 or later, or the gate is empty."""
    version = versions.latest(context.serving / "tiny")
    blessed = bool(context.config.gate) or (version or 0) < 2
    found = {"blessed": blessed, "baseline": {"version": version}}
    (evaluation.path / "evaluation.json").write_text(json.dumps(found))
    return {}


COMPONENTS = (InfraValidator, Evaluator, pusher.Pusher)


@pytest.fixture
def home(tmp_path):
    make_data(tmp_path / "data")
    return tmp_path


def run(home, output="out", serving=None, config=CONFIG):
    """Names of the components that ran."""
    console = Console(file=StringIO())
    result = runner.run(COMPONENTS, config, home / "data", home / output, console, serving=serving)
    return [step.component for step in result.steps.values() if not step.cached]


def pushed(home):
    return json.loads((home / "out" / "artifacts" / "pushed" / "pushed.json").read_text())


def test_the_second_run_is_cached(home):
    assert run(home) == ["InfraValidator", "Evaluator", "Pusher"]
    assert run(home) == []
    assert versions.versions(home / "out" / "serving" / "tiny") == [1]
    assert pushed(home) == {"version": 1, "name": "tiny", "blessed": True, "reason": None}


def test_a_version_that_another_run_pushed_asks_for_a_new_verdict(home):
    run(home)
    served = home / "out" / "serving" / "tiny"
    versions.push(home / "out" / "artifacts" / "infra" / "saved_model", served)
    assert run(home) == ["Evaluator", "Pusher"]
    assert pushed(home)["version"] is None, "the verdict of before was about no model at all"
    assert versions.versions(served) == [1, 2]
    assert run(home) == []


def test_a_tuning_sees_what_is_pushed_to_the_run_it_belongs_to(home):
    run(home)
    tuned = make_config(seed=5)
    serving = home / "out" / "serving"
    assert run(home, "tuned", serving, tuned) == ["InfraValidator", "Evaluator", "Pusher"]
    assert run(home, "tuned", serving, tuned) == []
    assert run(home) == ["Evaluator", "Pusher"]


def test_the_manifest_tells_where_a_version_comes_from(home):
    run(home)
    manifest = read_manifest(home / "out" / "serving" / "tiny" / "1")
    artifacts = home / "out" / "artifacts"
    marker = json.loads((artifacts / "infra" / ".complete").read_text())
    assert manifest["sources"]["infra"] == marker["fingerprint"]
    assert manifest["sources"]["model"] == f"model-{CONFIG.seed}"
    assert manifest["run"]["number"] == 1
    assert manifest["run"]["directory"] == "out"
    assert len(manifest["run"]["config_hash"]) >= 32
    assert manifest["verdict"]["blessed"] is True
    assert list(manifest["files"]) == ["saved_model.pb", "variables/variables.index"]


def test_a_run_killed_after_its_push_pushes_no_second_version(home):
    run(home)
    evaluation = home / "out" / "artifacts" / "evaluation" / "evaluation.json"
    before = evaluation.read_bytes()
    shutil.rmtree(home / "out" / "artifacts" / "pushed")
    assert run(home) == ["Pusher"], "the verdict is the one that led to the push"
    assert evaluation.read_bytes() == before
    assert pushed(home)["version"] == 1
    assert versions.versions(home / "out" / "serving" / "tiny") == [1]


def test_a_version_that_was_damaged_since_is_not_taken_for_the_push(home):
    run(home)
    shutil.rmtree(home / "out" / "artifacts" / "pushed")
    (home / "out" / "serving" / "tiny" / "1" / "saved_model.pb").write_text("half a gr")
    run(home)
    assert pushed(home)["version"] == 2


def test_an_unfit_model_is_refused(home):
    unfit = make_config(seed=13)
    assert run(home, config=unfit) == ["InfraValidator", "Evaluator", "Pusher"]
    told = pushed(home)
    assert (told["version"], told["blessed"]) == (None, True)
    assert told["reason"] == "TF Serving would refuse the model: loading failed: no kernel"
    assert not (home / "out" / "serving" / "tiny").exists()
    assert run(home, config=unfit) == []


def test_a_model_that_could_not_be_asked_is_asked_again(home):
    slow = make_config(seed=14)
    run(home, config=slow)
    assert pushed(home)["reason"] == "TF Serving would refuse the model: longer than 300 s"
    assert run(home, config=slow)[0] == "InfraValidator"


def test_a_rollback_stays_in_place(home):
    run(home)
    second = make_config(seed=5)
    run(home, config=second)
    served = home / "out" / "serving" / "tiny"
    assert pushed(home)["version"] == 2
    roll_back(served)
    assert run(home, config=second) == []
    assert versions.versions(served) == [1, 2, 3]
    assert run(home, config=second) == []


def test_a_model_that_was_rolled_back_is_not_pushed_by_another_verdict(home):
    run(home)
    second = make_config(seed=5, gate=[RULE])
    run(home, config=second)
    served = home / "out" / "serving" / "tiny"
    roll_back(served)
    again = make_config(seed=5, gate=[RULE, RULE | {"at_least": 0.6}])
    assert run(home, config=again) == ["Evaluator", "Pusher"]
    told = pushed(home)
    assert told["version"] is None
    assert told["reason"].startswith("this model was rolled back as version 2; `tfmtl rollback")
    roll_back(served, to=2)
    run(home, config=again)
    assert pushed(home)["version"] == 4, "it is served again"
    third = make_config(seed=6, gate=[RULE])
    run(home, config=third)
    assert pushed(home)["version"] == 5
    assert versions.versions(served) == [1, 2, 3, 4, 5]


def test_the_same_weights_in_another_graph_are_the_model_that_was_rolled_back(home):
    run(home)
    run(home, config=make_config(seed=5, gate=[RULE]))
    roll_back(home / "out" / "serving" / "tiny")
    item = {"name": "item_id", "kind": "id", "dim": 7}
    exported_anew = make_config(seed=5, gate=[RULE], features={"item": [item]})
    assert run(home, config=exported_anew) == ["InfraValidator", "Evaluator", "Pusher"]
    assert pushed(home)["reason"].startswith("this model was rolled back as version 2")


def test_fewer_versions_to_keep_take_effect_without_a_push(home):
    run(home)
    run(home, config=make_config(seed=5))
    fewer = make_config(seed=5, serving={"keep_versions": 1})
    assert run(home, config=fewer) == ["Pusher"]
    assert versions.versions(home / "out" / "serving" / "tiny") == [2]


def test_a_version_that_was_removed_is_pushed_again(home):
    run(home)
    shutil.rmtree(home / "out" / "serving" / "tiny" / "1")
    assert run(home) == ["Pusher"]
    assert run(home) == []


def test_another_working_directory_or_place_pushes_no_duplicate(home, tmp_path, monkeypatch):
    monkeypatch.chdir(home)
    run(home.relative_to(tmp_path))
    monkeypatch.chdir("/")
    assert run(home) == []
    moved = home / "elsewhere"
    (home / "out").rename(moved)
    assert run(home, "elsewhere") == []
    assert versions.versions(moved / "serving" / "tiny") == [1]


def test_what_decides_about_caching_imports_no_tensorflow(home):
    run(home)
    program = (
        "import sys; from pathlib import Path\n"
        "from pipelines.pipeline import components\n"
        "from tfmtl.config import load\n"
        "out, config = Path(sys.argv[1]), load('pipelines/configs/shop.yaml')\n"
        "for component in components(config):\n"
        "    component.reads(config)\n"
        "    artifact = out / 'artifacts' / component.produces\n"
        "    assert not artifact.exists() or component.valid(artifact, out / 'serving/tiny')\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    command = [sys.executable, "-c", program, str(home / "out")]
    assert subprocess.run(command, check=False, timeout=60).returncode == 0


def test_as_many_versions_stay_as_the_configuration_says(home):
    source = home / "graph"
    source.mkdir()
    (source / "saved_model.pb").write_text("a graph")
    base_path = home / "out" / "serving" / "tiny"
    for _ in range(6):
        versions.push(source, base_path)
    context = Context(
        config=CONFIG,
        data=home / "data",
        run=home / "out",
        serving=home / "out" / "serving",
        progress=lambda *reported: None,
    )
    judged, infra = Evaluation(home / "evaluation"), Infra(home / "infra")
    target: Output[Pushed] = Output(home / "pushed")
    for directory in (judged.path, infra.path, target.path):
        directory.mkdir()
    (home / "evaluation" / "evaluation.json").write_text('{"blessed": true}')
    (home / "infra" / "infra.json").write_text('{"fit": true}')
    source.rename(home / "infra" / "saved_model")
    assert pusher.Pusher(context, judged, infra, target)["version"] == 7
    assert versions.versions(base_path) == [3, 4, 5, 6, 7]
