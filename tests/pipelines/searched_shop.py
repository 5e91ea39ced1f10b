"""A search over a small shop, which can be killed: `searched_shop.py HOME KILL_IN_TRIAL`.

HOME holds the data and gets the run. The process ends itself as the system would when the Trainer
of the given trial begins.
"""

import os
import signal
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from data_components import HEADER, shop_config, write_shop
from rich.console import Console

from pipelines import runner, session
from pipelines.artifacts import Hyperparameters, Model
from pipelines.pipeline import components, until
from tfmtl.config import Config

RATE = "training.optimizer.dense.learning_rate"
VALUES: dict[str, Any] = {
    "model.trunk": [{"kind": "shared_bottom", "units": [4]}, {"kind": "mmoe", "units": [4]}],
    RATE: {"low": 1e-3, "high": 1e-1, "log": True},
}


def make_config(**search: Any) -> Config:
    """The shop's configuration with a search of three trials."""
    asked = {"values": VALUES, "trials": 3, "objective": {"task": "click", "metric": "auc"}}
    return shop_config(
        split={"by": "time", "validation": "30s", "test": "30s"},
        model={"tower": [4], "retrieval": {"dim": 4, "units": []}},
        training={"epochs": 1, "batch_size": 16, "precision": "float32"},
        tuner={**asked, **search},
    )


def write_data(data: Path) -> Path:
    """Writes a log of 160 rows: those of the test tell nothing of those of the validation."""
    random = np.random.default_rng(3)
    rows = []
    for time in range(160):
        user, item = random.integers(0, 12), random.integers(1, 6)
        click = int(random.random() < (0.8 if item < 3 else 0.2))
        scenario = random.choice(["search", "feed"])
        rows.append(
            f"u{user},i{item},{scenario},shoes,phone,{time},{click},{int(click and item < 2)}"
        )
    assert HEADER.count(",") == rows[0].count(",")
    write_shop(data, tuple(rows))
    return data


def search(home: Path, config: Config, artifact: Any = Hyperparameters) -> session.RunResult:
    """Runs the pipeline up to an artifact."""
    steps = until(artifact, components(config))
    console = Console(file=StringIO(), width=200)
    return runner.run(steps, config, home / "data", home / "out", console)


def kill_in(trial: int) -> None:
    """Has this process killed while the Trainer of a trial works."""
    from pipelines.components import trainer

    train = trainer.train

    def killed(context: Any, *arguments: Any, **named: Any) -> Any:
        if context.run.name == f"{trial:04d}":
            os.kill(os.getpid(), signal.SIGKILL)
        return train(context, *arguments, **named)

    trainer.train = killed


if __name__ == "__main__":
    home, trial = Path(sys.argv[1]), int(sys.argv[2])
    kill_in(trial)
    search(home, make_config(), Model)
