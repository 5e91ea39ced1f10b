"""`tfmtl runs`: what it lists, and what it says two runs did otherwise."""

import json

import pytest

from pipelines.cli import main
from pipelines.metadata import DataFile, Store
from pipelines.metadata.wording import clock

CONFIG = "name: shop\ntraining: {epochs: %s}\ngate:\n- {task: click, at_least: %s}\n"


def record(home, config, auc=None, *, version=None, file="5e", state="COMPLETE"):
    """A run of three steps; without an AUC it fails in the second."""
    with Store(home / "metadata.sqlite") as store:
        run = store.start_run(config, home / "data")
        files = [DataFile("rows.csv", 3, file)]
        step = store.start(run, "ExampleGen", "f", [], files=files)
        store.end(step, "COMPLETE", {}, ("examples", home / "artifacts" / "examples", file))
        step = store.start(run, "Evaluator", "f", [])
        if auc is None:
            store.fail(step, "ValueError: no rows")
        else:
            made = home / "artifacts" / "evaluation"
            made.mkdir(parents=True, exist_ok=True)
            tasks = {
                "click": {"overall": {"rows": 1200, "auc": auc, "gauc": None}},
                "retrieve": {"overall": {"rows": 1200, "recall@10": auc / 2}},
            }
            evaluation = {"tasks": tasks, "blessed": version is not None}
            (made / "evaluation.json").write_text(json.dumps(evaluation))
            store.end(step, state, {}, ("evaluation", made, str(auc)))
            made = home / "artifacts" / "pushed"
            made.mkdir(exist_ok=True)
            (made / "pushed.json").write_text(json.dumps({"name": "shop", "version": version}))
            step = store.start(run, "Pusher", "f", [])
            store.end(step, state, {}, ("pushed", made, f"version {version}"))
        store.end_run(run, "FAILED" if auc is None else "COMPLETE")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "out"
    directory.mkdir()
    record(directory, CONFIG % (3, 0.6), 0.61, version=1)
    record(directory, CONFIG % (5, 0.6), None, file="77")
    record(directory, CONFIG % (5, 0.7), 0.64, version=None, file="77")
    return directory


def ask(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(["runs", *map(str, words)])
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


def lines(capsys, *words):
    code, text, errors = ask(capsys, *words)
    assert (code, errors) == (0, "")
    return [" ".join(line.split()) for line in text.splitlines()]


def test_lists_what_each_run_came_to(home, capsys):
    head, names, first, second, third = lines(capsys, "out")
    assert head == "click retrieve"
    assert names == "run started took came to ran version auc recall@10"
    assert first.startswith("1 20")
    assert first.endswith("0:00 blessed 3/3 1 0.6100 0.3050")
    assert second.endswith("0:00 Evaluator failed 1/2 - - -")
    assert third.endswith("0:00 not blessed 3/3 - 0.6400 0.3200")


def test_a_cached_run_shows_the_metrics_it_found(home, capsys):
    record(home, CONFIG % (5, 0.7), 0.64, state="CACHED")
    assert lines(capsys, "out")[-1].endswith("0:00 not blessed 1/3 - 0.6400 0.3200")


def test_a_running_and_a_killed_run(home, capsys):
    for _ in range(2):
        with Store(home / "metadata.sqlite") as store:
            run = store.start_run(CONFIG % (5, 0.7), home)
            store.start(run, "Trainer", "f", [])
    killed, running = lines(capsys, "out")[-2:]
    assert killed.endswith("- Trainer killed 0/1 - - -")
    assert running.endswith("- running 0/1 - - -")


def test_metrics_that_have_no_room_are_left_out(home, capsys, monkeypatch):
    monkeypatch.setattr("pipelines.commands.common._WIDTH_OF_LOGS", 68)
    found = lines(capsys, "out")
    assert "recall@10" not in found[1]
    assert found[2].endswith("1 0.6100")
    _, text, _ = ask(capsys, "out")
    assert max(map(len, text.splitlines())) <= 68


def test_several_directories_and_json(home, capsys, tmp_path):
    (tmp_path / "other").mkdir()
    record(tmp_path / "other", CONFIG % (1, 0.6), 0.7, version=1)
    found = lines(capsys, "out", "other")
    assert found[0] == "out"
    assert found[6] == "other"
    told = json.loads("\n".join(lines(capsys, "out", "other", "--json")))
    assert [(one["directory"], one["run"], one["state"]) for one in told] == [
        ("out", 1, "COMPLETE"),
        ("out", 2, "FAILED"),
        ("out", 3, "COMPLETE"),
        ("other", 1, "COMPLETE"),
    ]
    assert told[0]["metrics"]["click"] == {"rows": 1200, "auc": 0.61, "gauc": None}
    assert (told[0]["blessed"], told[0]["version"], told[0]["pushed"]) == (True, 1, True)
    assert told[1]["stopped_in"] == "Evaluator"


def test_compares_configurations_files_and_metrics(home, capsys):
    assert lines(capsys, "out", "--compare", "1", "3") == [
        "config run 1 run 3",
        "training.epochs 3 5",
        "gate.0.at_least 0.6 0.7",
        "",
        "started from run 1 run 3",
        "file rows.csv 5e 77",
        "",
        "metric run 1 run 3 change",
        "click rows 1,200 1,200 =",
        "click auc 0.6100 0.6400 +0.0300",
        "click gauc - - -",
        "retrieve rows 1,200 1,200 =",
        "retrieve recall@10 0.3050 0.3200 +0.0150",
    ]


def test_compares_with_a_run_that_was_not_evaluated(home, capsys):
    found = lines(capsys, "out", "--compare", "1", "2")
    assert "click auc 0.6100 - -" in found
    same = lines(capsys, "out", "--compare", "2", "2")
    assert same == [
        "config: no difference",
        "",
        "started from: no difference",
        "",
        "neither run was evaluated",
    ]


def test_the_comparison_as_json(home, capsys):
    told = json.loads("\n".join(lines(capsys, "out", "--compare", "1", "3", "--json")))
    assert told["runs"] == [1, 3]
    assert told["config"][0] == {"key": "training.epochs", "first": 3, "second": 5}
    assert {"key": "click auc", "first": 0.61, "second": 0.64} in told["metrics"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (141, "2:21"), (3741, "1:02:21")]
)
def test_durations(seconds, text):
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["out", "--compare", "1", "9"], 1, "out has no run 9; its runs are 1 to 3"),
        (["out", "--compare", "1", "x"], 2, "Input should be a valid integer"),
        (["out", "out", "--compare", "1", "2"], 2, "takes two runs of one directory, got 2"),
        (["gone"], 2, "directory gone does not exist"),
        (["."], 2, "holds no run"),
        ([], 2, "Missing argument"),
    ],
)
def test_bad_input_is_one_line(home, capsys, words, code, message):
    ended, text, errors = ask(capsys, *words)
    assert (ended, text) == (code, "")
    assert message in errors
    assert errors.count("\n") == 1
