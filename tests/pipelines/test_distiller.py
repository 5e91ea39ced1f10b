"""Teachers and Distiller in the pipeline, and the gate between a student and its teachers."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny
import yaml

from pipelines.artifacts import (
    Anomalies,
    Evaluation,
    Model,
    Output,
    SoftLabels,
    Transformed,
)
from pipelines.components.base import Context, PipelineError
from pipelines.components.distiller import Distiller, taught
from pipelines.components.evaluator import Evaluator
from pipelines.components.teachers import Teachers, home_of, teacher_config
from pipelines.components.trainer import Trainer
from pipelines.pipeline import components
from pipelines.teacher_gate import outcomes
from tfmtl.config import Config, ConfigError
from tfmtl.models.saved import load_model, save_model

WIDE = {"changes": {"model.trunk.units": [24], "features.user.0.dim": 6, "training.epochs": 2}}


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_transformed(tmp_path_factory.mktemp("tiny") / "transformed")


def make_config(*teachers: dict[str, Any], **spec: Any) -> Config:
    return tiny.make_config({"distillation": {"teachers": list(teachers), **spec}})


def test_it_stands_in_the_trainers_place() -> None:
    steps = components(make_config(WIDE))
    assert Trainer not in steps
    place = steps.index(Distiller)
    assert steps[place - 1 : place + 2] == (Teachers, Distiller, Evaluator)
    assert Trainer in components(tiny.make_config())
    assert Teachers not in components(tiny.make_config())


@pytest.mark.slow
def test_a_teacher_is_trained_then_the_student(transformed: Path, tmp_path: Path) -> None:
    """On the same examples; the student's directory says how good its teachers are."""
    config = make_config(WIDE, {"changes": {}, "tasks": ["click"]}, hint=0.1, gate=None)
    told: list[Any] = []
    context = Context(config, tmp_path, tmp_path, tmp_path, lambda *given: told.append(given))
    (tmp_path / "soft").mkdir()
    soft: Output[SoftLabels] = Output(tmp_path / "soft")
    given = (Transformed(transformed), Anomalies(tmp_path))
    summary = Teachers(context, *given, soft)
    wide, single = summary["teachers"]
    assert summary["headline"] == (
        "2 teachers of retrieve, click, cart, stars, the largest of "
        f"{wide['parameters']:,} parameters"
    )
    assert single["tasks"] == ["click"]
    assert {given[3] for given in told} >= {"teachers"}
    own = load_model(tmp_path / "soft" / "models" / "0")
    assert own.count_params() == wide["parameters"]
    assert own.config.training.epochs == 2
    assert list(load_model(tmp_path / "soft" / "models" / "1").config.tasks) == ["click"]
    (tmp_path / "model").mkdir()
    model: Output[Model] = Output(tmp_path / "model")
    summary = Distiller(context, *given, SoftLabels(soft.path), model)
    share = summary["parameters"] / wide["parameters"]
    assert summary["headline"].endswith(f"; {share:.0%} of the largest teacher's parameters")
    assert json.loads((model.path / "teachers.json").read_bytes())["tasks"]["click"] == [
        "1, trained here",
        "2, trained here",
    ]
    assert load_model(model.path).config == config


def test_training_reads_soft_labels_beside_the_splits(transformed: Path, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with taught(transformed, tmp_path) as examples:
        assert (examples / "soft_labels" / "train").resolve() == tmp_path / "train"
        for path in transformed.iterdir():
            assert (examples / path.name).resolve() == path.resolve()
    assert not examples.exists()
    assert (transformed / "train").is_dir()


def test_a_changed_teacher_teaches_anew(transformed: Path, tmp_path: Path) -> None:
    """What is cached depends on the teacher's weights, not on where it lies."""
    homes = [tmp_path / name / "model" for name in ("one", "two")]
    for home in homes:
        save_model(tiny.make_model(), home, transformed)
    (homes[1] / "model.keras").write_bytes((homes[0] / "model.keras").read_bytes())
    one, two = (Teachers.reads(make_config({"run": str(home.parent)})) for home in homes)
    assert one == two
    (homes[1] / "model.keras").write_bytes(b"other")
    assert Teachers.reads(make_config({"run": str(homes[1])})) != one
    # How the student uses the answers does not ask for new ones; whether there are hints does.
    again = Teachers.reads(make_config({"run": str(homes[0])}, weight=0.9, temperature=3))
    assert again == one
    assert Teachers.reads(make_config({"run": str(homes[0])}, hint=1)) != one
    own = Teachers.reads(make_config(WIDE))
    assert Teachers.reads(make_config({"changes": {"model.trunk.units": [32]}})) != own


def test_a_teacher_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = make_config(WIDE, {"run": str(tmp_path)})
    assert config.distillation is not None
    told = rf"distillation.teachers\[1\].run: .* there is no model.keras in {tmp_path}; make one"
    with pytest.raises(ConfigError, match=told):
        home_of(config.distillation.teachers[1], 1)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"features.item.2.scale": "none"}, "such a teacher would read other examples"),
        ({"model.trunk.kind": "mmo"}, "distillation.teachers[0].changes: model.trunk: unknown"),
    ],
)
def test_a_teacher_of_other_examples_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        teacher_config(make_config({"changes": changes}), 0)
    assert told in str(raised.value)


def test_a_teacher_with_other_tasks_ends_the_run_in_one_line(
    transformed: Path, tmp_path: Path
) -> None:
    home = tmp_path / "teacher"
    save_model(tiny.make_model({"tasks": {"buy": tiny.RAW["tasks"]["click"]}}), home, transformed)
    context = Context(
        make_config({"run": str(home)}), tmp_path, tmp_path, tmp_path, lambda *_: None
    )
    (tmp_path / "soft").mkdir()
    with pytest.raises(PipelineError, match="expected a task of the same name and kind, got buy"):
        Teachers(context, Transformed(transformed), Anomalies(tmp_path), Output(tmp_path / "soft"))


def figures(**tasks: dict[str, float]) -> dict[str, Any]:
    return {task: {"overall": metrics} for task, metrics in tasks.items()}


TOLD = {
    "teachers": [
        {"tasks": ["click"], "metrics": {"click": {"auc": 0.80}}},
        {
            "tasks": ["click", "stars"],
            "metrics": {"click": {"auc": 0.79}, "stars": {"rmse": 2.0}},
        },
    ],
    "tasks": {"click": ["a", "b"], "stars": ["b"]},
}


@pytest.mark.parametrize(
    ("auc", "rmse", "holds"),
    [
        (0.798, 2.004, [True, True]),
        (0.7979, 2.005, [False, False]),
        (0.9, 1.0, [True, True]),
        (None, 2.0, [False, True]),
    ],
)
def test_the_best_teacher_is_the_measure(auc: Any, rmse: float, holds: list[bool]) -> None:
    found = list(
        outcomes(make_config(WIDE), TOLD, figures(click={"auc": auc}, stars={"rmse": rmse}))
    )
    assert [one.holds for one in found] == holds
    assert [one.task for one in found] == ["click", "stars"]


def test_a_line_says_what_was_held_against_what() -> None:
    config = make_config(WIDE, gate={"tasks": {"click": 0.01}})
    found = list(outcomes(config, TOLD, figures(click={"auc": 0.7895}, stars={"rmse": 2.1})))
    assert found[0].text == (
        "click auc is 0.7895, below 0.7900: the teacher's 0.8000 may be missed by 0.01"
    )
    assert found[1].text == (
        "stars rmse is 2.1000, above 2.0040: the teacher's 2.0000 may be missed by 0.2%"
    )
    assert list(outcomes(make_config(WIDE, gate=None), TOLD, {})) == []


@pytest.mark.parametrize(("best", "blessed"), [(0.0, True), (0.999, False)])
def test_a_student_below_its_teacher_is_not_blessed(
    transformed: Path, tmp_path: Path, best: float, blessed: bool
) -> None:
    home = tmp_path / "model"
    save_model(tiny.make_model(), home, transformed)
    told = {"teachers": [{"tasks": ["click"], "metrics": {"click": {"auc": best}}}],
            "tasks": {"click": ["one"]}}  # fmt: skip
    (home / "teachers.json").write_text(json.dumps(told))
    (tmp_path / "serving").mkdir()
    (tmp_path / "out").mkdir()
    context = Context(make_config(WIDE), tmp_path, tmp_path, tmp_path / "serving", lambda *_: None)
    # Without a rule under `gate`: that of the teachers is one.
    output: Output[Evaluation] = Output(tmp_path / "out")
    summary = Evaluator(context, Transformed(transformed), Model(home), output)
    assert summary["blessed"] == blessed
    found = json.loads((tmp_path / "out" / "evaluation.json").read_bytes())
    assert [rule["bound"] for rule in found["rules"]] == ["teacher"]
    assert bool(found["reasons"]) != blessed


@pytest.mark.e2e
@pytest.mark.slow
def test_a_run_distils_a_run(tmp_path: Path) -> None:
    """A large model, then a small one of it; a second run asks nobody again."""
    import subprocess
    import sys

    def tfmtl(*words: object, code: int = 0) -> str:
        program = [sys.executable, "-c", "from pipelines.cli import main; main()"]
        done = subprocess.run(
            [*program, *map(str, words)], capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    tfmtl("simulate", "--output", tmp_path / "logs", "--impressions", 6000)
    gate = "gate=[{task: click, metric: auc, at_least: 0.3}]"
    common = ["--data", tmp_path / "logs", "--set", "training.epochs=1", "--set", gate]
    common += ["--set", "serving.signatures=[]"]
    tfmtl("run", "shop", "--output", tmp_path / "large", *common)
    shop = Path("pipelines/configs/shop.yaml")
    config = yaml.safe_load(shop.read_text())
    config["model"]["trunk"] = {"kind": "shared_bottom", "units": [16]}
    config["distillation"] = {
        "teachers": [{"run": str(tmp_path / "large")}],
        "gate": {"tolerance": 1.0},
    }
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(config))
    small = ["run", tmp_path / "small.yaml", "--output", tmp_path / "small", *common]
    told = tfmtl(*small)
    assert "Teachers" in told
    assert "parameters" in told
    assert "may be missed by 1" in told
    assert "pushed as version 1" in told
    assert "Teachers         cached" in tfmtl(*small)
    report = (tmp_path / "small" / "report.html").read_text()
    assert "the teacher&#x27;s" in report or "the teacher's" in report
    # A stricter gate alone: nothing is trained again, nothing is pushed.
    shutil.rmtree(tmp_path / "small" / "serving")
    strict = tfmtl(*small, "--set", "distillation.gate.tolerance=0", "--set",
                   "distillation.weight=0.5", code=3)  # fmt: skip
    assert "Distiller        cached" in strict
    assert "not blessed" in strict
