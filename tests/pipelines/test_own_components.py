"""Components of the user's own: where they come, when they run again, what may be wrong."""

import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from fake_pipeline import COMPONENTS, executed, make_config, make_data
from rich.console import Console

from pipelines import runner
from pipelines.caching import sources
from pipelines.components.base import PipelineError
from pipelines.own_components import with_own
from tfmtl.config import ConfigError, dump, load

HEAD = """
from pipelines.artifacts import Artifact, Evaluation, Examples, Model, Output
from pipelines.components.base import Context, PipelineError, Summary, component
"""
COUNT = """
from words import WORD

class Counted(Artifact):
    name = "counted"

@component()
def Counter(context: Context, examples: Examples, counted: Output[Counted]) -> Summary:
    rows = (examples.path / "rows.txt").read_text().splitlines()
    (counted.path / "rows").write_text(f"{len(rows)} {WORD}")
    return {"headline": f"{len(rows)} {WORD}"}
"""
JUDGE = """
class Judged(Artifact):
    name = "judged"

@component(reads=lambda config: None)
def Judge(context: Context, evaluation: Evaluation, judged: Output[Judged]) -> Summary:
    raise PipelineError("the model is no good; train it longer")
"""


def write(path: Path, *parts: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((HEAD, *parts)))
    return str(path)


@pytest.fixture
def home(tmp_path):
    make_data(tmp_path / "data")
    (tmp_path / "words.py").write_text('WORD = "rows"\n')
    yield tmp_path
    sys.modules.pop("words", None)
    sys.path[:] = [place for place in sys.path if place != str(tmp_path)]


def run(home, *files):
    sys.modules.pop("words", None)
    sources._files.cache_clear()
    sources._module.cache_clear()
    console = Console(file=StringIO(), width=100)
    steps = with_own(COMPONENTS, files)
    result = runner.run(steps, make_config(), home / "data", home / "out", console)
    return result, console.file.getvalue()


def test_it_comes_right_behind_the_last_of_what_it_reads(home):
    first = write(home / "a.py", COUNT)
    second = write(home / "b.py", JUDGE)
    names = [step.name for step in with_own(COMPONENTS, [second, first])]
    assert names == ["ExampleGen", "Counter", "Trainer", "Evaluator", "Judge", "Pusher"]


def test_one_may_read_what_another_makes_in_whatever_order_they_are_named(home):
    write(home / "kinds.py", 'class Counted(Artifact):\n    name = "counted"\n')
    chain = (
        "from kinds import Counted\n"
        'class Summed(Artifact):\n    name = "summed"\n'
        "@component()\n"
        "def Sum(\n"
        "    context: Context, model: Model, counted: Counted, made: Output[Summed]\n"
        ") -> Summary:\n    return {}\n"
        "@component()\n"
        "def Count(context: Context, examples: Examples, made: Output[Counted]) -> Summary:\n"
        "    return {}\n"
    )
    names = [step.name for step in with_own(COMPONENTS, [write(home / "a.py", chain)])]
    assert names == ["ExampleGen", "Count", "Trainer", "Sum", "Evaluator", "Pusher"]


def test_those_of_one_place_keep_their_order(home):
    two = COUNT.replace("Count", "Again").replace("counted", "again")
    names = [step.name for step in with_own(COMPONENTS, [write(home / "a.py", COUNT, two)])]
    assert names[:3] == ["ExampleGen", "Counter", "Againer"]


def test_it_makes_an_artifact_and_is_skipped_the_next_time(home):
    file = write(home / "own.py", COUNT)
    result, _ = run(home, file)
    made = result.steps["Counter"]
    assert made.artifact == home / "out" / "artifacts" / "counted"
    assert (made.artifact / "rows").read_text() == "1 rows"
    again, printed = run(home, file)
    assert again.steps["Counter"].cached
    assert "Counter          cached 1 rows" in printed


def test_its_file_and_what_that_imports_beside_it_count(home):
    file = write(home / "own.py", COUNT)
    run(home, file)
    (home / "words.py").write_text('WORD = "lines"\n')
    result, printed = run(home, file)
    assert not result.steps["Counter"].cached
    assert result.steps["Trainer"].cached
    assert "because words.py changed" in printed
    write(home / "own.py", COUNT, "\n")
    assert not run(home, file)[0].steps["Counter"].cached


def test_a_file_elsewhere_is_the_same_component(home):
    file = write(home / "own.py", COUNT)
    run(home, file)
    moved = home / "elsewhere"
    moved.mkdir()
    for name in ("own.py", "words.py"):
        (home / name).rename(moved / name)
    sys.path.append(str(moved))
    assert run(home, str(moved / "own.py"))[0].steps["Counter"].cached
    sys.path.remove(str(moved))


def test_one_that_raises_stops_the_run_before_the_model_is_pushed(home):
    with pytest.raises(PipelineError, match=r"^Judge: the model is no good; train it longer$"):
        run(home, write(home / "own.py", JUDGE))
    assert executed(home / "out") == ["ExampleGen", "Trainer", "Evaluator"]
    assert not (home / "out" / "artifacts" / "pushed").exists()


def test_one_whose_reads_raises_is_named(home):
    wrong = COUNT.replace("@component()", '@component(reads=lambda config: config["seed"])')
    with pytest.raises(PipelineError, match=r"^Counter: unexpected TypeError: .*subscriptable"):
        run(home, write(home / "own.py", wrong))
    assert executed(home / "out") == ["ExampleGen"]


def test_paths_are_relative_to_the_file_of_the_configuration(home, monkeypatch):
    (home / "configs").mkdir()
    made = make_config(pipeline={"components": ["own.py", "/there/own.py"]})
    (home / "configs" / "tiny.yaml").write_text(dump(made))
    monkeypatch.chdir(home)
    config = load("configs/tiny.yaml")
    assert config.pipeline.components == [str(home / "configs" / "own.py"), "/there/own.py"]
    assert load("configs/tiny.yaml", ["pipeline.components=[]"]).pipeline.components == []


def own(body: str, name: str = "Own", reads: str = "examples: Examples") -> str:
    signature = f"def {name}(context: Context, {reads}, {body}) -> Summary:"
    return f"@component()\n{signature}\n    return {{}}\n"


MADE = 'class Made(Artifact):\n    name = "made"\n'
OTHER = 'class Other(Artifact):\n    name = "other"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def broken(:\n", r", line 4: not Python: invalid syntax$"),
        ("import no_such_package\n", r", line 4: ModuleNotFoundError: No module named 'no_such_"),
        ("VALUE = 3\n", r": expected a function decorated with @component\(\), there is none$"),
        (
            MADE + "@component()\ndef Own(context: Context, made: Made) -> Summary:\n    return {}",
            r", line 6: component Own: expected one parameter annotated as Output\[\.\.\.\], got 0",
        ),
        (
            MADE + OTHER + own("made: Output[Made]", reads="other: Other"),
            r": Own reads 'other', which no component before it makes; there are evaluation, exam",
        ),
        (
            own("model: Output[Model]"),
            r": Own makes 'model', which Trainer makes already; define an artifact class of anoth",
        ),
        (
            MADE + own("made: Output[Made]", name="Trainer"),
            r": there is a component Trainer already; give it another name$",
        ),
        (
            MADE
            + OTHER
            + own("made: Output[Made]", "A", "other: Other")
            + own("other: Output[Other]", "B", "made: Made"),
            r": A reads 'other', which no component before it makes",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file(home, text, said):
    file = write(home / "own.py", text)
    with pytest.raises(ConfigError, match=rf"^pipeline\.components: {file}{said}") as caught:
        with_own(COMPONENTS, [file])
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_and_one_that_is_no_python(home):
    with pytest.raises(ConfigError, match=r"gone\.py: there is no such file; paths are relative"):
        with_own(COMPONENTS, [str(home / "gone.py")])
    with pytest.raises(ConfigError, match=r"rows\.csv: expected a Python file"):
        with_own(COMPONENTS, [str(home / "data" / "rows.csv")])


def test_the_command_line_says_it_in_one_line(home):
    made = make_config(pipeline={"components": ["gone.py"]})
    (home / "tiny.yaml").write_text(dump(made))
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", "run"]
    done = subprocess.run(
        [*command, str(home / "tiny.yaml"), "--data", str(home / "data")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"tfmtl: pipeline.components: {home}/gone.py: there is no such file; "
        "paths are relative to the config's\n"
    )
