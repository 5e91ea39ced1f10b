"""A training that was killed goes on to the result it would have had."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tiny

from tfmtl.config.training import Checkpoints
from tfmtl.training.checkpoints import Checkpoint, Due, state_of
from tfmtl.training.trainer import train

SCRIPT = Path(__file__).with_name("killed_training.py")
CHANGES = {
    "tasks": {name: tiny.RAW["tasks"][name] for name in ("click", "stars")},
    "model.trunk": {"kind": "shared_bottom", "units": [8], "dropout": 0.2},
    "model.balancer": {"kind": "dwa"},
    "training.epochs": 3,
    "training.batch_size": 12,
    "training.early_stopping": {"metric": "loss", "patience": 3},
    "training.optimizer": {"dense": {"schedule": {"kind": "cosine", "warm_up": 0.2}}},
    "training.checkpoints": {"steps": 4},
}
STEPS_A_EPOCH = 6  # 64 rows


def killed(transformed: Path, work: Path, steps: int, changes: Any = CHANGES) -> None:
    words = [sys.executable, SCRIPT, transformed, work, json.dumps(changes), str(steps)]
    ended = subprocess.run(
        [*map(str, words)], env=None, cwd=SCRIPT.parents[2], capture_output=True, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


@pytest.mark.slow
def test_a_budget_is_gone_on_with(transformed: Path, tmp_path: Path) -> None:
    """Killed after the second decision, of steps of which some have a part of the tasks only."""
    changes = {
        "tasks": CHANGES["tasks"],
        "training.epochs": 9,
        "training.batch_size": 2,
        "training.budget": {"steps": 60, "decisions": 4, "validation_rows": 32},
        "training.checkpoints": {"steps": 4},
    }
    killed(transformed, tmp_path, 47, changes)
    config = tiny.make_config(changes)
    resumed, whole = train(config, transformed, work=tmp_path), train(config, transformed)
    for one, other in zip(state_of(whole.model), state_of(resumed.model), strict=True):
        assert np.array_equal(one.numpy(), other.numpy()), one.path
    assert resumed.budget == whole.budget


@pytest.mark.slow
def test_a_killed_training_goes_on_bit_for_bit(transformed: Path, tmp_path: Path) -> None:
    keras.layers.Dropout(0.5)  # Keras counts layers without a name, and here one more
    killed(transformed, tmp_path, steps=2 * STEPS_A_EPOCH - 1)
    steps: list[int] = []
    seen = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(batch)
    )
    config = tiny.make_config(CHANGES)
    resumed = train(config, transformed, callbacks=[seen], work=tmp_path)
    assert steps == [2, 3, 4, 5, 0, 1, 2, 3, 4, 5], "after 8 of 18 steps there was a checkpoint"

    whole = train(config, transformed)
    for one, other in zip(state_of(whole.model), state_of(resumed.model), strict=True):
        assert np.array_equal(one.numpy(), other.numpy()), one.path
    spent = ("seconds", "examples_per_second")
    for one, other in zip(whole.epochs, resumed.epochs, strict=True):
        assert {n: v for n, v in one.items() if n not in spent} == {
            n: v for n, v in other.items() if n not in spent
        }


@pytest.fixture
def variables() -> list[keras.Variable]:
    return [keras.Variable([1.0, 2.0], name="a"), keras.Variable(3, dtype="int64", name="b")]


def test_a_checkpoint_gives_back_what_it_was_given(
    variables: list[keras.Variable], tmp_path: Path
) -> None:
    checkpoint = Checkpoint(tmp_path / "c", variables, "this")
    checkpoint.write({"batch": 7}, [np.arange(3)])
    for variable in variables:
        variable.assign(variable * 0)
    progress, others = checkpoint.read()
    assert progress == {"batch": 7}
    assert [others[0].tolist(), variables[0].numpy().tolist()] == [[0, 1, 2], [1.0, 2.0]]
    assert int(variables[1]) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("trouble", ["absent", "another", "damaged", "cut", "other variables"])
def test_a_checkpoint_that_does_not_fit_is_not_read(
    variables: list[keras.Variable], tmp_path: Path, trouble: str
) -> None:
    path = tmp_path / "c"
    if trouble != "absent":
        Checkpoint(path, variables, "this").write({"batch": 7})
    if trouble == "damaged":
        written = bytearray(path.read_bytes())
        written[written.index(np.float32(2.0).tobytes())] ^= 1
        path.write_bytes(written)
    if trouble == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    mine = variables[:1] if trouble == "other variables" else variables
    other = Checkpoint(path, mine, "that" if trouble == "another" else "this")
    variables[0].assign([5.0, 6.0])
    assert other.read() is None
    assert variables[0].numpy().tolist() == [5.0, 6.0]


def test_time_between_checkpoints_grows_with_their_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("tfmtl.training.checkpoints.time.monotonic", lambda: now[0])
    due = Due(Checkpoints(seconds=60))
    now[0] = 59
    assert not due.step()
    now[0] = 60
    assert due.step()
    due.written(seconds=0.1)  # a hundredth of 10 seconds
    now[0] = 120
    assert due.step()
    due.written(seconds=3)  # a hundredth of 300 seconds
    now[0] = 419
    assert not due.step()
    now[0] = 420
    assert due.step()
    assert not Due(Checkpoints(steps=1), may_be=False).step()
