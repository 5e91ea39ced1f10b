"""`tfmtl lineage`: which artifact is meant, and what the tree and the graph say of it."""

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from fake_pipeline import COMPONENTS, PUBLISHED, make_config, make_data
from rich.console import Console

from pipelines import runner
from pipelines.cli import main
from pipelines.components.base import PipelineError
from pipelines.metadata import Store, reading
from pipelines.metadata.wording import size
from serving.pushing.manifest import write_manifest

GATE = [{"task": "click", "metric": "auc", "at_least": 0.65}]


def run(home, **changes):
    console = Console(file=StringIO(), width=100)
    config = make_config(**{"gate": GATE, **changes})
    runner.run(COMPONENTS, config, home / "data", home / "out", console, PUBLISHED)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_data(tmp_path / "data")
    run(tmp_path)
    return tmp_path


def ask(capsys, *words):
    """Exit code, what was printed, and what was complained about."""
    with pytest.raises(SystemExit) as ended:
        main(["lineage", *map(str, words)])
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


def printed(capsys, *words):
    code, text, errors = ask(capsys, *words)
    assert (code, errors) == (0, "")
    return text


def test_the_tree_goes_down_to_files_config_and_commit(home, capsys):
    lines = printed(capsys, "out", "pushed").splitlines()
    assert lines[0].startswith("pushed #")
    assert lines[0].endswith(", version 1 of tiny")
    text = "\n".join(lines)
    digest = "sha256 "
    with reading(home / "out" / "metadata.sqlite") as reader:
        properties = reader.last_run().properties
    for part in (
        "made by Pusher, run 1, ",
        "└─ evaluation #",
        "blessed  Evaluator, run 1, ",
        "   ├─ examples #",
        "   │  └─ rows.csv  40 B  sha256 ",
        "   └─ model #",
        "(above)",
        "made from it\n└─ nothing",
        f"  config    {digest}{properties['config_hash'][:12]}",
        f"  data      {home / 'data'}",
        "tensorflow 2.",
    ):
        assert part in text, part
    assert max(map(len, lines)) <= 100


def test_what_was_made_from_a_raw_file(home, capsys):
    text = printed(capsys, "out", "rows.csv")
    assert text.startswith("rows.csv  40 B  sha256 ")
    made = text[text.index("made from it") :]
    assert made.index("examples #") < made.index("model #") < made.index("evaluation #")
    assert made.index("evaluation #") < made.index("pushed #")
    assert "made by" not in text


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["out", "model"], "model"),
        (["out", "1"], "examples"),
        (["out", "#1"], "examples"),
        (["out", "serving/tiny/1"], "pushed"),
        (["out/serving/tiny/1"], "pushed"),
        (["out/serving/tiny/1/saved_model.pb"], "pushed"),
        (["out/artifacts/model"], "model"),
        (["out/model/model.keras"], "model"),
        (["out/evaluation.json"], "evaluation"),
        (["out", "out/evaluation.json"], "evaluation"),
        (["out", "data/rows.csv"], "rows.csv"),
    ],
)
def test_an_artifact_by_name_number_or_path(home, capsys, words, name):
    graph = json.loads(printed(capsys, *words, "--json"))
    found = {one["id"]: one["name"] for one in graph["artifacts"]}
    if words[-1] in ("1", "#1"):
        assert graph["artifact"] == 1
    else:
        assert found[graph["artifact"]] == name


def test_a_version_that_a_rollback_made_is_the_one_it_copies(home, capsys):
    first = home / "out/serving/tiny/1"
    graph = printed(capsys, first, "--json")
    copy = first.with_name("2")
    copy.mkdir()
    write_manifest(copy, "tiny", 2, {"rolled_back": {"from": 1, "to": 1}})
    assert printed(capsys, copy, "--json") == graph


def test_the_graph_as_json(home, capsys):
    graph = json.loads(printed(capsys, "out", "model", "--json"))
    names = {one["id"]: one["name"] for one in graph["artifacts"]}
    steps = {one["id"]: one["component"] for one in graph["executions"]}
    events = {
        (steps[one["execution"]], one["kind"], names[one["artifact"]]) for one in graph["events"]
    }
    # Beside the model stand its descendants' other inputs only as far as they made the model.
    assert events == {
        ("ExampleGen", "INPUT", "rows.csv"),
        ("ExampleGen", "OUTPUT", "examples"),
        ("Trainer", "INPUT", "examples"),
        ("Trainer", "OUTPUT", "model"),
        ("Evaluator", "INPUT", "model"),
        ("Evaluator", "OUTPUT", "evaluation"),
        ("Pusher", "INPUT", "evaluation"),
        ("Pusher", "OUTPUT", "pushed"),
    }
    (told,) = graph["runs"]
    assert (told["run"], told["state"]) == (1, "COMPLETE")
    assert {"config", "config_hash", "git", "versions", "data"} <= set(told)
    raw = next(one for one in graph["artifacts"] if one["type"] == "RawFile")
    assert len(raw["properties"]["sha256"]) == 64


def test_a_replaced_model_is_still_known_by_its_number(home, capsys):
    with reading(home / "out" / "metadata.sqlite") as reader:
        (before,) = reader.artifacts("model")
    (home / "data" / "rows.csv").write_text("user_id,item_id,timestamp,click\nu,j,1,1\n")
    run(home)
    now = printed(capsys, "out", "model")
    assert "made by Trainer, run 2" in now
    old = printed(capsys, "out", before.id)
    assert old.startswith(f"model #{before.id}, replaced since")
    assert "made by Trainer, run 1" in old


def test_a_step_that_failed_stands_in_the_tree(home, capsys, monkeypatch):
    monkeypatch.setenv("FAKE_TROUBLE", "Trainer:bug")
    with pytest.raises(PipelineError):
        run(home, training={"epochs": 9})
    text = printed(capsys, "out", "examples")
    assert "Trainer, run 2, " in text
    assert ", failed" in text


def test_many_files_are_summed_up(tmp_path, monkeypatch, capsys):
    from pipelines.metadata import DataFile

    monkeypatch.chdir(tmp_path)
    files = [DataFile(f"part-{number:02}.csv", 1_000_000, f"{number:064x}") for number in range(30)]
    with Store(tmp_path / "metadata.sqlite") as store:
        number = store.start_run("name: shop\n", tmp_path)
        step = store.start(number, "ExampleGen", "f", [], files=files)
        store.end(step, "COMPLETE", {}, ("examples", tmp_path / "artifacts" / "examples", "a"))
    text = printed(capsys, tmp_path, "examples")
    assert text.count("sha256 000") == 8
    assert "22 more files, 30.0 MB in all; --json names them" in text


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["out", "nothing"], 1, "out knows no artifact 'nothing'; it knows examples, model, "),
        (["out", "77"], 1, "out knows no artifact '77'"),
        (["out", "serving/tiny/4"], 1, "no run of out has pushed version 4 of tiny"),
        (["out"], 2, "out is a run's directory; name an artifact of it: model, pushed, ..."),
        (["data/rows.csv"], 2, "data/rows.csv lies in no run's directory; give DIR and ARTIFACT"),
        (["data", "model"], 2, "data holds no run; `tfmtl run CONFIG --output data` makes one"),
        (["gone", "model"], 2, "directory gone does not exist"),
    ],
)
def test_bad_input_is_one_line(home, capsys, words, code, message):
    ended, text, errors = ask(capsys, *words)
    assert (ended, text) == (code, "")
    assert message in errors
    assert errors.count("\n") == 1


def test_a_store_of_an_earlier_or_later_version_is_one_line(home, capsys):
    import sqlite3

    with sqlite3.connect(home / "out" / "metadata.sqlite") as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    code, _, errors = ask(capsys, "out", "model")
    assert code == 1
    assert "was written by a newer tfmtl (schema 9, this one knows 1)" in errors
    with pytest.raises(PipelineError, match="newer tfmtl"):
        run(home)


def test_neither_command_imports_tensorflow_or_beam(home):
    program = (
        "import sys\n"
        "from pipelines.cli import _exit_code\n"
        "assert _exit_code(['lineage', 'out', 'model']) == 0\n"
        "assert _exit_code(['runs', 'out']) == 0\n"
        "assert not {'tensorflow', 'keras', 'apache_beam'} & set(sys.modules)\n"
    )
    root = str(Path(__file__).parents[2])
    ended = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": root}, check=False, timeout=60
    )
    assert ended.returncode == 0


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_250_000, "1.2 MB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_sizes(count, text):
    assert size(count) == text
