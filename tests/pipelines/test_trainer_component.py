"""What the Trainer hands on, and where a killed one goes on."""

import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
import yaml
from fake_pipeline import COMPONENTS, PUBLISHED, make_config, make_data
from rich.console import Console

from pipelines import runner
from pipelines.artifacts import Anomalies, Examples, Model, Output, Transformed
from pipelines.caching.contents import Contents
from pipelines.caching.fingerprints import step_parts
from pipelines.components import trainer
from pipelines.components.base import Context, PipelineError, Summary, component
from pipelines.metadata import Store
from tfmtl.config import Config, dump
from tfmtl.training.artifact import Outcome
from tfmtl.training.errors import DivergedError

EXAMPLES, OWN, *_ = COMPONENTS


@component(reads=OWN.reads)
def Trainer(context: Context, examples: Examples, model: Output[Model]) -> Summary:
    """Fails at its first and second try, each time a bit further."""
    assert context.work is not None
    context.work.mkdir(parents=True, exist_ok=True)
    tries = len(list(context.work.iterdir()))
    (context.work / str(tries)).touch()
    if tries < 2:
        raise PipelineError("not yet")
    (model.path / "model.keras").write_text("done")
    return {"headline": f"after {tries} tries"}


def run(home: Path, **changes: object) -> str:
    console = Console(file=StringIO(), width=100)
    published = {"model": PUBLISHED["model"]}
    result = runner.run(
        (EXAMPLES, Trainer), make_config(**changes), home / "data", home / "out", console, published
    )
    return str(result.steps["Trainer"].summary["headline"])


def test_a_step_finds_what_its_killed_self_left(tmp_path: Path) -> None:
    make_data(tmp_path / "data")
    artifacts = tmp_path / "out" / "artifacts"
    for _ in range(2):
        with pytest.raises(PipelineError, match="not yet"):
            run(tmp_path)
    assert len(list(artifacts.glob(".work-model/*/*"))) == 2
    assert run(tmp_path) == "after 2 tries"
    assert not list(artifacts.glob(".work*"))


def test_what_other_inputs_left_is_removed(tmp_path: Path) -> None:
    make_data(tmp_path / "data")
    for epochs in (1, 2, 2):
        with pytest.raises(PipelineError, match="not yet"):
            run(tmp_path, training={"epochs": epochs})
    assert run(tmp_path, training={"epochs": 2}) == "after 2 tries"


def train(tmp_path: Path, config: Config) -> Summary:
    context = Context(config, tmp_path, tmp_path, tmp_path, lambda *_: None, tmp_path)
    return trainer.Trainer(
        context,
        Transformed(tmp_path / "transformed"),
        Anomalies(tmp_path / "anomalies"),
        Output(tmp_path / "new"),
    )


@pytest.mark.parametrize(
    ("training", "maker", "logs"),
    [
        ({}, "artifact.make_model", None),
        ({"tensorboard": True}, "artifact.make_model", "tensorboard"),
        ({"strategy": "mirrored", "tensorboard": "tb"}, "artifact.make_model", "tb"),
        ({"strategy": "multi_worker"}, "cluster.train_on_workers", None),
    ],
)
def test_who_trains_and_where_the_curves_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, training: dict, maker: str, logs: str | None
) -> None:
    given: dict = {}

    def make(*words: object, **options: object) -> Outcome:
        given.update(options)
        return Outcome({"headline": "made"}, [])

    monkeypatch.setattr(f"tfmtl.training.{maker}", make)
    assert train(tmp_path, make_config(training=training)) == {"headline": "made"}
    assert given["logs"] == (tmp_path / logs if logs else None)
    assert given["work"] == tmp_path


def test_a_diverging_loss_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(*_: object, **__: object) -> Outcome:
        raise DivergedError("task click: the loss is nan at step 3 of epoch 1")

    monkeypatch.setattr("tfmtl.training.artifact.make_model", diverge)
    with pytest.raises(PipelineError, match=r"^task click: the loss is nan at step 3 of epoch 1$"):
        train(tmp_path, make_config())


def test_workers_are_an_option_of_the_command(tmp_path: Path) -> None:
    make_data(tmp_path / "data")
    (tmp_path / "tiny.yaml").write_text(dump(make_config()))
    words = ["run", "tiny.yaml", "--data", "data", "--output", "out", "--workers", "3"]
    script = Path(__file__).with_name("fake_pipeline.py")
    done = subprocess.run([sys.executable, script, *words], cwd=tmp_path, check=False)
    assert done.returncode == 3, "without a gate nothing is pushed"
    with Store(tmp_path / "out" / "metadata.sqlite") as store:
        training = yaml.safe_load(store.last_run().config)["training"]
    assert (training["strategy"], training["workers"]) == ("multi_worker", 3)


def test_how_often_it_is_written_down_does_not_train_anew() -> None:
    def parts(**training: object) -> dict[str, object]:
        config = make_config(training=training)
        return step_parts(trainer.Trainer, config, {}, Path(), Contents())

    assert parts(checkpoints={"steps": 5}) == parts()
    assert parts(epochs=9) != parts()
