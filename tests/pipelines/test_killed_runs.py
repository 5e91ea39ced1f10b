"""A run may be killed anywhere: the next one ends as an unbroken one does, and no reader is fooled.

The small pipeline of `killing.py` is killed at the operations that change something; the shop's
real one by the clock.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from killing import Watcher
from shop_runs import CONFIG, contents

from pipelines.simulator import simulate
from serving.pushing import versions

SCRIPT = Path(__file__).with_name("killing.py")
MAIN = "from pipelines.cli import main; main()"

FIRST = [
    r"CREATE TABLE events",
    r"half of a file .*/\.model\.tmp",
    r"os\.rename .*/serving/tiny/\.tmp\S+ .*/serving/tiny/\d",
    r"os\.rename .*/artifacts/\.pushed\.tmp\S+ .*/artifacts/pushed$",
]
SECOND = [
    r"os\.rename .*/\.evaluation\.tmp\S+/\S+ .*\.complete",
    # The old artifact goes after the new one has taken its place, the old version likewise.
    r"os\.rmdir part-0",
    r"os\.rename .*/serving/tiny/1 .*/serving/tiny/\.tmp",
    r"open .*/out/\.model\.tmp",
    r"SQL COMMIT",
]


def kill(home, scenario, chosen):
    """What went wrong, by the point of the kill."""
    command = [sys.executable, str(SCRIPT), str(home / "runs"), scenario, chosen]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=3000, env=environment(), check=False
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert len(found) >= 4
    return found


def environment():
    paths = [str(Path(__file__).parents[2]), str(SCRIPT.parent)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def wrong(found):
    return {point: problems for point, problems in found.items() if problems}


@pytest.mark.parametrize(("scenario", "chosen"), [("first", FIRST), ("second", SECOND)])
def test_killed_where_it_hurts_most(tmp_path, scenario, chosen):
    found = kill(tmp_path, scenario, json.dumps(chosen))
    assert wrong(found) == {}


def test_without_an_exchange_of_names_there_may_be_nothing_but_never_a_half(tmp_path):
    patterns = [r"os\.rename .*/artifacts/model .*/\.model\.old", r"os\.rename .*/out/model "]
    assert wrong(kill(tmp_path, "no exchange", json.dumps(patterns))) == {}


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["first", "second", "no exchange"])
def test_killed_anywhere(tmp_path, scenario):
    assert wrong(kill(tmp_path, scenario, "every=4")) == {}


def start(logs, output):
    command = [sys.executable, "-c", MAIN, "run", str(CONFIG), "--data", str(logs)]
    settings = ["--set", "gate.0.at_least=0.4", "--set", "training.epochs=1"]
    with output.with_suffix(".txt").open("w") as printed:
        return subprocess.Popen(
            [*command, "--output", str(output), *settings],
            stdout=printed,
            stderr=printed,
            env=environment(),
            start_new_session=True,
        )


def told(output):
    """What a run has come to, but for times."""
    evaluation = json.loads((output / "evaluation.json").read_bytes())
    pushed = json.loads((output / "artifacts" / "pushed" / "pushed.json").read_bytes())
    data = ("examples", "statistics", "schema", "anomalies", "transformed")
    files = {name: hashed for name, hashed in contents(output).items() if name.startswith(data)}
    kept = {name: hashed for name, hashed in files.items() if not name.endswith(".complete")}
    return evaluation, pushed, versions.versions(output / "serving" / "shop"), kept


@pytest.mark.slow
@pytest.mark.e2e
def test_the_shop_killed_by_the_clock(tmp_path):
    logs = tmp_path / "logs"
    simulate(logs, impressions=8000)
    assert start(logs, tmp_path / "whole").wait(timeout=900) == 0, (
        tmp_path / "whole.txt"
    ).read_text()
    watcher, seconds, kills = Watcher(tmp_path / "out", gaps=False, name="shop"), 3.0, 0
    while True:
        running, end = start(logs, tmp_path / "out"), time.monotonic() + seconds
        while running.poll() is None and time.monotonic() < end:
            watcher.look()
            time.sleep(0.05)
        if running.poll() is not None:
            break
        os.killpg(running.pid, signal.SIGKILL)
        running.wait(timeout=60)
        kills, seconds = kills + 1, seconds * 1.3
    assert running.returncode == 0, (tmp_path / "out.txt").read_text()
    assert kills > 3
    assert watcher.problems == []
    assert told(tmp_path / "out") == told(tmp_path / "whole")
