"""Kills a run at one moment after the other, lets the next run go on, and watches as a reader does.

    python killing.py HOME SCENARIO every=7
    python killing.py HOME SCENARIO '["os.rename .*/serving/"]'

A point is an operation that changes files, told by Python's audit events, or a statement of SQL,
or a write that the system cuts off. The process forks for every run, so that a kill costs no
import. What is printed is JSON: what went wrong after a kill, by the point it came at.
"""

import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from io import StringIO
from pathlib import Path

from fake_pipeline import make_config
from rich.console import Console

from pipelines import runner
from pipelines.artifacts import Evaluation, Examples, Infra, Model, Output
from pipelines.caching.sources import Sources
from pipelines.components import evaluator, pusher
from pipelines.components.base import Context, Summary, component
from pipelines.metadata import StoreError, lineage, reading
from pipelines.storage import directories
from serving.pushing import manifest, versions

GATE = [{"task": "click", "metric": "auc", "at_least": 0.65}]
CONFIG = make_config(gate=GATE, serving={"keep_versions": 1})
PUBLISHED = {"evaluation.json": "evaluation/evaluation.json", "model": "model"}
FILES = 6
CUTS, FINEST = (12_001, 500_000), 4_099
"""Sizes in bytes that no file but the store's has, and steps that are no multiple of its pages."""
SURVIVED = "it was not killed"
CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "half of a file")


def write(path: Path, text: str) -> None:
    """Writes a file in two halves, with time to be killed between them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        sys.audit("half of a file", str(path))
        file.write(text[len(text) // 2 :])


@component(reads=lambda config: None, raw=True)
def ExampleGen(context: Context, examples: Output[Examples]) -> Summary:
    rows = (context.data / "rows.csv").read_text()
    for number in range(FILES):
        write(examples.path / f"part-{number}" / "rows.txt", f"{number} {rows}" * 50)
    return {"headline": f"{len(rows)} bytes"}


@component(reads=lambda config: None)
def Trainer(context: Context, examples: Examples, model: Output[Model]) -> Summary:
    for number in range(FILES):
        rows = (examples.path / f"part-{number}" / "rows.txt").read_text()
        write(model.path / f"weights-{number}", rows.upper())
    return {}


@component(reads=lambda config: None, valid=evaluator.Evaluator.valid)
def Evaluator(
    context: Context, examples: Examples, model: Model, evaluation: Output[Evaluation]
) -> Summary:
    """Says which version it was compared with, as the real one."""
    found = {
        "tasks": {"click": {"overall": {"auc": 0.7}}},
        "blessed": True,
        "rules": [],
        "reasons": [],
        "baseline": {"version": versions.latest(context.serving / "tiny")},
        "weights": (model.path / "weights-0").read_text()[:200],
    }
    write(evaluation.path / "evaluation.json", json.dumps(found))
    return {"blessed": True}


@component(reads=lambda config: None)
def InfraValidator(context: Context, model: Model, infra: Output[Infra]) -> Summary:
    write(infra.path / "saved_model" / "saved_model.pb", "a graph" * 100)
    keras_model = infra.path / "saved_model" / versions.KERAS_MODEL
    shutil.copytree(model.path, keras_model, ignore=shutil.ignore_patterns(".complete"))
    write(infra.path / "infra.json", json.dumps({"fit": True, "reasons": [], "model": "m"}))
    return {}


COMPONENTS = (ExampleGen, Trainer, Evaluator, InfraValidator, pusher.Pusher)


def run(home: Path, output: Path) -> None:
    # Hashing the code of every step takes longer than all the rest of such a run.
    Sources.of = lambda self, function: {}
    console = Console(file=StringIO(), width=100)
    runner.run(COMPONENTS, CONFIG, home / "data", output, console, PUBLISHED)


class Points:
    """Counts the points of a run, and kills the process at one of them."""

    def __init__(self, fatal: int | None = None):
        self.fatal = fatal
        self.names: list[str] = []

    def watch(self) -> None:
        sys.addaudithook(self._heard)
        connect = sqlite3.connect

        def traced(*arguments: object, **named: object) -> sqlite3.Connection:
            connection = connect(*arguments, **named)
            connection.set_trace_callback(lambda text: self._reached(f"SQL {text}"))
            return connection

        sqlite3.connect = traced

    def _heard(self, event: str, arguments: tuple) -> None:
        if event in CHANGES:
            paths = [str(one) for one in arguments if isinstance(one, str | os.PathLike)]
            self._reached(" ".join((event, *paths)))
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE:
            self._reached(f"open {arguments[0]}")

    def _reached(self, name: str) -> None:
        if len(self.names) == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        self.names.append(name)


def forked(work: Callable[[], None], watcher: "Watcher | None" = None) -> int:
    """Does the work in a child; its wait status. The parent looks on meanwhile."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
    while True:
        if watcher is not None:
            watcher.look()
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.002)


class Watcher:
    """A reader of the output directory that asks for what it may ask for, again and again."""

    def __init__(self, output: Path, gaps: bool, name: str = "tiny"):
        self.output = output
        self.name = name
        self.gaps = gaps
        self.seen: set[str] = set()
        self.problems: list[str] = []
        self.looks = 0

    def look(self) -> None:
        self.looks += 1
        self._evaluation()
        for path in (self.output / "model", *(self.output / "artifacts").glob("[!.]*")):
            self._note(str(path.relative_to(self.output)), path.is_dir())
            self.problems += torn(path)
        for name in self.seen:
            if "/" in name and not (self.output / name).is_dir():
                self._note(name, False)
        self._versions()
        self._store()

    def _note(self, name: str, there: bool) -> None:
        if there:
            self.seen.add(name)
        elif name in self.seen and not self.gaps:
            self.problems.append(f"{name} was gone for a moment")

    def _evaluation(self) -> None:
        try:
            text = (self.output / "evaluation.json").read_text()
        except FileNotFoundError:
            self._note("evaluation.json", False)
            return
        self._note("evaluation.json", True)
        try:
            json.loads(text)
        except ValueError:
            self.problems.append(f"half of evaluation.json: {text[-20:]!r}")

    def _versions(self) -> None:
        base_path = self.output / "serving" / self.name
        numbers = versions.versions(base_path)
        self._note("a version", bool(numbers))
        for number in numbers:
            directory = base_path / str(number)
            try:
                known = manifest.read_manifest(directory)
                found = manifest.damages(directory) if known else ["no manifest"]
            except FileNotFoundError as error:
                found = [repr(error)]
            # A version that is taken away meanwhile is gone as a whole.
            if found and directory.is_dir():
                self.problems.append(f"version {number}: {found}")

    def _store(self) -> None:
        path = self.output / "metadata.sqlite"
        if path.is_file():
            try:
                with reading(path) as reader:
                    reader.runs()
            except StoreError as error:
                if "is empty" not in str(error):
                    self.problems.append(str(error))


COMPONENTS_OF = {one.name: one.artifact for one in COMPONENTS}


def torn(directory: Path) -> Iterator[str]:
    """What is wrong with a directory that its marker calls whole, if it is still there then."""
    try:
        handle = os.open(directory, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        marker = json.loads(_bytes(handle, ".complete"))
        for name, (size, *_) in marker["files"].items():
            found = len(_bytes(handle, name))
            if found != size:
                raise ValueError(f"{name} has {found} bytes, not {size}")
    except (OSError, ValueError) as error:
        if directory.exists() and directory.stat().st_ino == os.fstat(handle).st_ino:
            yield f"{directory.name}: {error!r}"
    finally:
        os.close(handle)


def _bytes(directory: int, name: str) -> bytes:
    handle = os.open(name, os.O_RDONLY, dir_fd=directory)
    with os.fdopen(handle, "rb") as file:
        return file.read()


def settled(output: Path) -> dict[str, object]:
    """All that a run has left, but for times and what they decide."""
    found: dict[str, object] = {}
    for path in sorted(output.rglob("*")):
        name = path.relative_to(output).as_posix()
        if path.is_dir() or name.startswith(("metadata.sqlite", ".lock", "artifacts/.hashes")):
            continue
        if path.name == ".complete":
            marker = json.loads(path.read_bytes())
            files = {name: digest for name, (_, _, digest) in marker["files"].items()}
            found[name] = (marker["fingerprint"], marker["summary"], files)
        elif path.name == "manifest.json":
            told = json.loads(path.read_bytes())
            del told["pushed_at"], told["run"]["number"], told["run"]["directory"]
            found[name] = told
        else:
            found[name] = path.read_bytes()
    return found


def recorded(output: Path) -> Iterator[str]:
    """What is wrong with the store's tale of the runs."""
    with reading(output / "metadata.sqlite") as reader:
        runs = reader.runs()
        if runs[-1].state != "COMPLETE" or any(run.state == "RUNNING" for run in runs):
            yield f"states of the runs: {[run.state for run in runs]}"
        if any(step.state == "RUNNING" for run in runs for step in run.executions):
            yield "a step still runs"
        if any(one.state == "PENDING" for one in reader.artifacts()):
            yield "an artifact is still being made"
        graph = lineage(reader, reader.results(runs[-1].number)["pushed"])
        reached = {one.name for one in graph.artifacts.values()}
        expected = {one.name for one in COMPONENTS_OF.values()} | {"rows.csv"}
        if reached != expected:
            yield f"lineage of the version: {sorted(reached)}"


def scenario(home: Path, name: str) -> tuple[Path, Path]:
    """A directory as it is before the run that is killed, and as it is after an unbroken one."""
    before, after = home / "before", home / "after"
    (home / "data").mkdir(parents=True)
    (home / "data" / "rows.csv").write_text("user_id,item_id,timestamp,click\nu,i,1,0\n")
    before.mkdir()
    if name != "first":
        forked(lambda: run(home, before))
        (home / "data" / "rows.csv").write_text("user_id,item_id,timestamp,click\nu,j,1,1\n")
    if name == "no exchange":
        directories.exchange = lambda first, second: False
    shutil.copytree(before, after)
    assert forked(lambda: run(home, after)) == 0
    return before, after


def count(home: Path, before: Path) -> list[str]:
    """Names of the points of an unbroken run."""
    shutil.copytree(before, home / "out")

    def counted() -> None:
        points = Points()
        points.watch()
        run(home, home / "out")
        names = list(points.names)
        (home / "points.json").write_text(json.dumps(names))

    assert forked(counted) == 0
    shutil.rmtree(home / "out")
    return json.loads((home / "points.json").read_text())


def kill(
    home: Path, before: Path, after: dict[str, object], gaps: bool, die: Callable
) -> list[str]:
    """One killed run and the one after it; what went wrong."""
    output = home / "out"
    shutil.copytree(before, output)
    watcher = Watcher(output, gaps)

    def dying() -> None:
        die()
        run(home, output)

    killed = forked(dying, watcher)
    if not os.WIFSIGNALED(killed):
        watcher.problems.append(SURVIVED)
    if forked(lambda: run(home, output), watcher) != 0:
        watcher.problems.append("the next run failed")
    else:
        found = settled(output)
        watcher.problems += [
            f"another {name}"
            for name in found.keys() | after.keys()
            if found.get(name) != after.get(name)
        ]
        watcher.problems += recorded(output)
    shutil.rmtree(output)
    return watcher.problems


def cut_off(size: int) -> None:
    """Lets the system end the process in the write that would make a file larger than that."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def main() -> None:
    home, name, chosen = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    before, unbroken = scenario(home, name)
    after, gaps = settled(unbroken), name == "no exchange"
    names = count(home, before)
    deaths = {f"{at}: {names[at]}": Points(at).watch for at in selected(names, chosen)}
    found = {point: kill(home, before, after, gaps, die) for point, die in deaths.items()}
    if name == "first":
        step = 3 * FINEST if chosen.startswith("every=") else 40 * FINEST
        for size in range(*CUTS, step):
            problems = kill(home, before, after, gaps, partial(cut_off, size))
            if problems == [SURVIVED] and size > CUTS[0]:
                break  # no file is that large
            found[f"cut off at {size}"] = problems
    print(json.dumps(found))


def selected(names: list[str], chosen: str) -> list[int]:
    """Every so many points, or the first that matches a pattern and the one after it."""
    if chosen.startswith("every="):
        return list(range(0, len(names), int(chosen.removeprefix("every="))))
    first = [
        next(at for at, name in enumerate(names) if re.search(pattern, name))
        for pattern in json.loads(chosen)
    ]
    return sorted({at + more for at in first for more in (0, 1) if at + more < len(names)})


if __name__ == "__main__":
    main()
