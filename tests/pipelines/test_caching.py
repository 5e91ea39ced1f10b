"""What makes a step run again, what does not, and what is said about it."""

import json
import os
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from fake_pipeline import COMPONENTS, executed, make_config, make_data
from rich.console import Console

from pipelines import runner
from pipelines.artifacts import Examples, Hyperparameters, Output
from pipelines.caching import sources
from pipelines.caching.contents import Contents
from pipelines.caching.explaining import explain, print_explained
from pipelines.components.base import Context, PipelineError, Summary, component
from tfmtl.config import ConfigError, dump

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path / "data")


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out"


def run(data, output, steps=COMPONENTS[:2], reuse=(), **changes):
    """Names of the components that ran, and what was printed."""
    console = Console(file=StringIO(), width=100)
    config = make_config(**changes)
    result = runner.run(steps, config, data, output, console, reuse=reuse)
    ran = [step.component for step in result.steps.values() if not step.cached]
    return ran, console.file.getvalue()


def explained(data, output, steps=COMPONENTS[:2], **changes):
    found = explain(steps, make_config(**changes), data, output, output / "serving")
    return {step.component: (step.state, *step.reasons) for step in found}


def test_a_raw_file_that_was_only_touched_changes_nothing(data, output):
    run(data, output)
    os.utime(data / "rows.csv", (1, 1))
    assert run(data, output)[0] == []
    shutil.copy(data / "rows.csv", data / "copy.csv")
    (data / "copy.csv").replace(data / "rows.csv")
    assert run(data, output)[0] == []


def test_a_raw_file_of_the_same_size_and_time_is_seen_to_be_another(data, output):
    path = data / "rows.csv"
    run(data, output)
    before, text = path.stat(), path.read_text()
    path.write_text(text.replace("u,i,1,0", "u,i,1,1"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    ran, printed = run(data, output)
    assert ran == ["ExampleGen", "Trainer"]
    assert "ExampleGen              because rows.csv changed" in printed
    assert "Trainer                 because examples is another" in printed


def test_a_file_is_read_once_while_it_stays_the_same(tmp_path, monkeypatch):
    path, read = tmp_path / "a", []
    path.write_text("x")
    monkeypatch.setattr(
        "pipelines.caching.contents.file_hash",
        lambda path: read.append(path.read_text()) or read[-1],
    )
    for _ in range(2):
        contents = Contents(tmp_path / "memory.json")
        contents.sha256(path)
        contents.save()
    path.write_text("y")
    assert Contents(tmp_path / "memory.json").sha256(path) == "y"
    assert read == ["x", "y"]


@pytest.mark.parametrize("damage", ['{"/a": 3}', "[]", "{", ""])
def test_a_damaged_memory_is_no_harm(data, output, damage):
    run(data, output)
    (output / ".hashes.json").write_text(damage)
    assert run(data, output)[0] == []


def test_what_comes_out_the_same_does_not_run_what_follows(data, output):
    run(data, output)
    shutil.rmtree(output / "artifacts" / "examples")
    ran, printed = run(data, output)
    assert ran == ["ExampleGen"]
    assert "because" not in printed


def edited(artifact):
    (artifact / "model.keras").write_text("by hand")


def deleted(artifact):
    (artifact / "history.json").unlink()


def added(artifact):
    (artifact / "more").mkdir()
    (artifact / "more" / "notes.txt").write_text("by hand")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (edited, "artifacts/model/model.keras was edited by hand"),
        (deleted, "artifacts/model/history.json was deleted by hand"),
        (added, "artifacts/model/more/notes.txt was added by hand"),
    ],
)
def test_an_artifact_that_was_changed_by_hand_is_made_anew(data, output, change, line):
    run(data, output)
    change(output / "artifacts" / "model")
    assert explained(data, output)["Trainer"] == ("runs", line)
    ran, printed = run(data, output)
    assert ran == ["Trainer"]
    assert f"because {line}" in printed
    assert run(data, output)[0] == []


def test_a_copied_run_is_whole_and_is_read_once(data, output, tmp_path, monkeypatch):
    run(data, output)
    copy = tmp_path / "copy"
    shutil.copytree(output, copy)
    for path in copy.rglob("*.keras"):
        os.utime(path)
    assert run(data, copy)[0] == []
    monkeypatch.setattr("pipelines.caching.manifests.file_hash", None)
    assert run(data, copy)[0] == []


def test_the_directory_of_another_configuration_is_refused(data, output):
    run(data, output)
    line = "holds the run of 'tiny', and this configuration is 'other'; choose another --output"
    with pytest.raises(PipelineError, match=line):
        run(data, output, name="other")
    with pytest.raises(PipelineError, match=line):
        explained(data, output, name="other")
    assert run(data, output)[0] == []


def test_what_another_run_has_made_is_taken_over(data, output, tmp_path):
    run(data, output)
    other = tmp_path / "other"
    ran, printed = run(data, other, reuse=[tmp_path / "gone", output], name="other")
    assert ran == []
    assert "Trainer          reused lr 0.001" in printed
    assert executed(other) == []
    here, there = (place / "artifacts" / "model" / "model.keras" for place in (other, output))
    assert here.samefile(there)
    shutil.rmtree(output)
    assert run(data, other, name="other")[0] == []


def test_only_what_is_made_from_the_same_is_taken_over_and_only_whole(data, output, tmp_path):
    run(data, output)
    ran, _ = run(data, tmp_path / "other", reuse=[output], training={"epochs": 9})
    assert ran == ["Trainer"]
    edited(output / "artifacts" / "model")
    assert run(data, tmp_path / "third", reuse=[output])[0] == ["Trainer"]


def searching(values: str):
    @component()
    def Tuner(context: Context, examples: Examples, found: Output[Hyperparameters]) -> Summary:
        (found.path / "best.yaml").write_text(values)
        return {}

    examples, trainer = COMPONENTS[:2]
    return examples, Tuner, trainer


def test_what_a_search_has_found_is_the_configuration_of_what_follows(data, output):
    steps = searching("training.optimizer.dense.learning_rate: 0.25\n")
    _, printed = run(data, output, steps)
    assert "lr 0.25" in printed
    assert run(data, output, steps)[0] == []
    assert explained(data, output, steps)["Trainer"] == ("cached",)
    found = explained(data, output, steps, seed=9)
    assert found["Tuner"] == ("runs", "seed: 7 -> 9")
    assert found["Trainer"] == ("follows", "runs if Tuner comes to another result")


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ("training.epochs: none", r"training\.epochs: .*none"),
        ("training.epoch: 3", r"training\.epoch: unknown key; did you mean 'epochs'\?"),
        ("[1, 2]", "expected a mapping, got list"),
        ("{", "best.yaml"),
    ],
)
def test_values_that_do_not_fit_are_one_line(data, output, values, line):
    with pytest.raises((ConfigError, PipelineError), match=line) as caught:
        run(data, output, searching(values))
    assert "\n" not in str(caught.value)


def test_the_reasons_name_keys_with_their_values_and_files(data, output):
    assert set(explained(data, output).values()) == {("runs", "there is no artifact yet")}
    assert not output.exists()
    run(data, output)
    assert explained(data, output) == {"ExampleGen": ("cached",), "Trainer": ("cached",)}
    found = explained(data, output, training={"epochs": 9, "batch_size": 8})
    assert found["ExampleGen"] == ("cached",)
    assert found["Trainer"] == (
        "runs",
        "training.epochs: 3 -> 9",
        "training.batch_size: 4096 -> 8",
    )
    (data / "rows.csv").write_text("user_id,item_id,timestamp,click\n")
    assert explained(data, output) == {
        "ExampleGen": ("runs", "rows.csv changed"),
        "Trainer": ("follows", "runs if ExampleGen comes to another result"),
    }
    assert executed(output) == ["ExampleGen", "Trainer"]


def test_a_key_that_a_component_does_not_read_is_no_reason(data, output):
    run(data, output)
    found = explained(data, output, seed=5, training={"epochs": 9})
    assert found["Trainer"] == ("runs", "training.epochs: 3 -> 9")


def test_the_versions_of_packages_are_reasons(data, output, monkeypatch):
    run(data, output)
    versions = {"tensorflow": "9.9"}
    monkeypatch.setattr("pipelines.caching.fingerprints._versions", lambda: versions)
    assert explained(data, output)["Trainer"][1].endswith("-> 9.9")


def test_the_explanation_fits_a_terminal(data, output):
    run(data, output)
    steps, config = COMPONENTS, make_config(training={"epochs": 9, "batch_size": 8})
    console = Console(file=StringIO(), width=60)
    found = explain(steps, config, data, output, output / "serving")
    print_explained(found, console)
    assert [line.rstrip() for line in console.file.getvalue().splitlines()] == [
        "3 of 4 steps would run",
        "  ExampleGen       cached",
        "  Trainer          runs   training.epochs: 3 -> 9",
        "                          training.batch_size: 4096 -> 8",
        "  Evaluator        runs   there is no artifact yet",
        "  Pusher           runs   there is no artifact yet",
    ]


EDITED = {
    "tfmtl/trunks/mmoe.py": ("Trainer", {"Trainer", "Evaluator", "InfraValidator"}),
    "tfmtl/heads/retrieval.py": ("Trainer", {"Trainer", "Evaluator", "InfraValidator"}),
    "tfmtl/training/loop.py": ("Trainer", {"Trainer"}),
    "pipelines/preprocess/histories.py": ("Transform", {"Transform"}),
    "pipelines/preprocess/parsing.py": ("ExampleGen", {"ExampleGen"}),
    "serving/validation/infra_worker.py": ("InfraValidator", {"InfraValidator"}),
    "serving/pushing/versions.py": ("Evaluator", {"Evaluator", "Pusher"}),
}
"""File -> the first component that it is code of, and those that at least run again."""

CODE = """
import json
from pipelines.commands.common import load_config
from pipelines.caching.contents import Contents
from pipelines.pipeline import components
from pipelines.caching.sources import Sources
of = Sources(Contents()).of
print(json.dumps({step.name: of(step.function) for step in components(load_config("shop"))}))
"""


def code_of(tree: Path) -> dict[str, dict[str, str]]:
    words = [sys.executable, "-c", CODE]
    done = subprocess.run(words, cwd=tree, capture_output=True, text=True, check=True)
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def codes(tmp_path_factory):
    """The components' code in a copy of the project, before and after files were edited."""
    tree = tmp_path_factory.mktemp("tree")
    for package in ("tfmtl", "pipelines", "serving"):
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("*.pyc"))
    before = code_of(tree)
    for file in EDITED:
        with (tree / file).open("a") as source:
            source.write("# edited\n")
    return before, code_of(tree)


@pytest.mark.parametrize("file", EDITED)
def test_an_edit_runs_the_steps_that_import_the_file_and_none_before(codes, file):
    before, after = codes
    order, (first, at_least) = list(before), EDITED[file]
    changed = {name for name in order if before[name].get(file) != after[name].get(file)}
    assert changed >= at_least
    assert not changed.intersection(order[: order.index(first)])


def test_nothing_but_what_was_edited_is_seen_as_changed(codes):
    before, after = codes
    for name, files in after.items():
        assert {file for file in files if before[name].get(file) != files[file]} <= set(EDITED)


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("from .beside import VALUE", True),
        ("from . import beside", True),
        ("from pipelines.within.beside import *", True),
        ("import pipelines.within.beside as other", True),
        ("def later():\n    from pipelines.within import beside", True),
        ('TABLE = {"beside": "pipelines.within.beside"}', True),
        ('PATH = __file__.replace("step.py", "beside.py")', True),
        ("if TYPE_CHECKING:\n    from pipelines.within import beside", False),
        ('"""Is like beside, see pipelines.within.beside for more."""', False),
    ],
)
def test_the_ways_to_name_a_module(tmp_path, monkeypatch, line, counts):
    package = tmp_path / "pipelines" / "within"
    package.mkdir(parents=True)
    (tmp_path / "pipelines" / "__init__.py").write_text("from pipelines import eager\n")
    (tmp_path / "pipelines" / "eager.py").write_text('LAZY = "pipelines.lazy"\n')
    (tmp_path / "pipelines" / "lazy.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "beside.py").write_text("VALUE = 1\n")
    (package / "step.py").write_text(f"{line}\n")
    monkeypatch.setattr(sources, "_ROOT", tmp_path)
    sources._files.cache_clear()
    sources._module.cache_clear()
    monkeypatch.setattr(sources.inspect, "getsourcefile", lambda made: package / "step.py")
    found = set(sources.Sources(Contents()).of(lambda: None))
    assert ("pipelines/within/beside.py" in found) == counts
    if counts and line.startswith(("import", "from pipelines")):
        assert {"pipelines/__init__.py", "pipelines/within/__init__.py"} <= found
    assert "pipelines/within/step.py" in found


def test_the_command_explains_and_leaves_nothing(data, output, tmp_path):
    (tmp_path / "tiny.yaml").write_text(dump(make_config()))
    program = (
        "import sys, runpy\n"
        "sys.argv = sys.argv[1:]\n"
        "try:\n"
        "    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally:\n"
        "    print('tensorflow' in sys.modules)\n"
    )
    script = Path(__file__).with_name("fake_pipeline.py")
    words = ["run", str(tmp_path / "tiny.yaml"), "--data", str(data), "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-c", program, str(script), *words, "--explain"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{script.parent}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "4 of 4 steps would run"
    assert lines[-1] == "False", "TensorFlow is not needed to say so"
    assert not output.exists()
