"""What of the optimiser a tuned model keeps, and what its saved state fits."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import tiny

from tfmtl.config import ConfigError
from tfmtl.models.saved import load_model, save_model
from tfmtl.optimizers import build_optimizer
from tfmtl.training.carried_optimizer import transfer_optimizer
from tfmtl.training.finetuning import finetune
from tfmtl.training.trainer import train

SMALL = {"tasks": {"click": tiny.RAW["tasks"]["click"]}, "training.batch_size": 32}


@pytest.fixture(scope="module")
def base(transformed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("base")
    save_model(train(tiny.make_config(SMALL), transformed).model, directory, transformed)
    return directory


def test_frozen_tables_stay_and_the_saved_optimiser_fits(
    transformed: Path, base: Path, tmp_path: Path
) -> None:
    trained, _ = finetune(
        tiny.make_config({**SMALL, "training.freeze": ["tables"]}), transformed, base
    )
    before = {v.path: v.numpy() for v in load_model(base).variables}
    moved = {
        v.path for v in trained.model.variables if not np.array_equal(v.numpy(), before[v.path])
    }
    assert moved
    assert not any("embedding" in path for path in moved)
    save_model(trained.model, tmp_path, transformed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_model(tmp_path)
    for part in ("tables", "dense"):
        one, other = (getattr(m.optimizer, part).variables for m in (trained.model, loaded))
        for variable, kept in zip(one, other, strict=True):
            assert np.array_equal(variable.numpy(), kept.numpy()), variable.path


def test_the_optimiser_goes_on(transformed: Path, base: Path) -> None:
    """Without a step of its own, as after none at all, the state is the base's."""
    source, target = load_model(base), tiny.make_model({**SMALL, "name": "elsewhere"})
    rate = {"tables": {"learning_rate": 0.5}}
    spec = tiny.make_config({**SMALL, "training.optimizer": rate}).training.optimizer
    target.compile(optimizer=build_optimizer(spec))
    target.optimizer.build(target.trainable_variables)
    copied = transfer_optimizer(source, target)
    for part in ("tables", "dense"):
        old, new = getattr(source.optimizer, part), getattr(target.optimizer, part)
        assert int(new.iterations) == 2
        slots = [variable for variable in new.variables if variable.name != "learning_rate"]
        assert len([name for name in copied if name.startswith(part)]) == len(slots)
        for variable, kept in zip(old.variables, new.variables, strict=True):
            if variable.name != "learning_rate":
                assert np.array_equal(variable.numpy(), kept.numpy()), variable.path
    assert float(target.optimizer.tables.learning_rate) == 0.5
    assert not np.all(target.optimizer.tables.variables[-1].numpy() == 0.1)


def test_other_optimisers_cannot_go_on(base: Path) -> None:
    source, target = load_model(base), tiny.make_model(SMALL)
    spec = tiny.make_config({"training.optimizer": {"dense": {"kind": "adagrad"}}})
    target.compile(optimizer=build_optimizer(spec.training.optimizer))
    with pytest.raises(ConfigError, match="the optimisers must be those of the model that is tun"):
        transfer_optimizer(source, target)


def test_a_schedule_and_a_kept_optimiser_exclude_one_another() -> None:
    changes = {
        "training.keep_optimizer": True,
        "training.optimizer": {"dense": {"schedule": {"kind": "cosine"}}},
    }
    with pytest.raises(ConfigError, match="keep_optimizer goes on with the count of steps"):
        tiny.make_config(changes)
