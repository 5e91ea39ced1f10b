"""Broken data, configurations and commands through the command line: one line, nothing half-made.

Data is broken in a small simulated shop. ExampleGen refuses it, or sets rows aside and says so,
before TensorFlow is needed.
"""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.cli import main
from pipelines.components.example_gen import ExampleGen
from pipelines.simulator import simulate

IMPRESSIONS = 600

Break = Callable[[Path], object]
"""What is done to the data directory."""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop without the lines that the simulator malforms on purpose."""
    folder = tmp_path_factory.mktemp("shop") / "logs"
    simulate(folder, IMPRESSIONS)
    rows = []
    for part in sorted((folder / "impressions").iterdir()):
        lines = part.read_bytes().decode("utf-8", errors="replace").splitlines()
        rows += [row for row in csv.DictReader(lines) if good(row)]
        part.unlink()
    write(folder / "impressions" / "part-0.csv", rows[: len(rows) // 2])
    write(folder / "impressions" / "part-1.csv", rows[len(rows) // 2 :])
    return folder


def good(row: dict) -> bool:
    right = None not in row and None not in row.values() and row["click"] in ("0", "1")
    return right and "�" not in "".join(row.values())


def write(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def log(data: Path, part: int = 0) -> Path:
    return data / "impressions" / f"part-{part}.csv"


def content(change: Callable[[bytes], bytes], *parts: int) -> Break:
    """Changes the bytes of the log's files."""

    def run(data: Path) -> None:
        for part in parts or (0, 1):
            path = log(data, part)
            path.write_bytes(change(path.read_bytes()))

    return run


def column(name: str, value: str | Callable[[str], str], rows: int = IMPRESSIONS) -> Break:
    """Sets a column of the log's first rows."""

    def run(data: Path) -> None:
        for part in (0, 1):
            with log(data, part).open(encoding="utf-8") as file:
                read = list(csv.DictReader(file))
            for row in read[:rows]:
                row[name] = value(row[name]) if callable(value) else value
            write(log(data, part), read)

    return run


def only(rows: int) -> Break:
    """Keeps the log's first rows."""

    def run(data: Path) -> None:
        log(data, 1).unlink()
        log(data).write_text("\n".join(log(data).read_text().split("\n")[: rows + 1]))

    return run


def without(name: str) -> Break:
    """Renames a column of the log's second file."""
    return content(lambda text: text.replace(name.encode(), b"other", 1), 1)


def items(change: Callable[[pa.Table], pa.Table]) -> Break:
    """Changes the table of the items."""

    def run(data: Path) -> None:
        pq.write_table(change(pq.read_table(data / "items.parquet")), data / "items.parquet")

    return run


def item_column(name: str, make: Callable[[int], pa.Array]) -> Break:
    """Replaces a column of the items."""

    def change(table: pa.Table) -> pa.Table:
        return table.set_column(table.schema.get_field_index(name), name, make(len(table)))

    return items(change)


def damaged(change: Callable[[bytes], bytes]) -> Break:
    """Changes the bytes of the items' file."""
    return lambda data: (data / "items.parquet").write_bytes(
        change((data / "items.parquet").read_bytes())
    )


def in_latin_1(data: Path) -> None:
    column("query", "café")(data)
    content(lambda text: text.decode().encode("latin-1"))(data)


def nothing(data: Path) -> None:
    pass


REFUSED: dict[str, tuple[Break, list[str], int, str]] = {
    # what is broken: (how, changes of the configuration, exit code, part of the message)
    "an empty log": (
        content(lambda text: b""),
        [],
        1,
        "source.impressions.path: {data}/impressions/part-0.csv is empty (0 bytes)",
    ),
    "headers alone": (
        content(lambda text: text.split(b"\n")[0]),
        [],
        1,
        "source.impressions.path: there is no row in {data}/impressions/part-0.csv",
    ),
    "an empty directory": (
        lambda data: [path.unlink() for path in (data / "impressions").iterdir()],
        [],
        1,
        "source.impressions.path: there is no file {data}/impressions/*.csv; is --data right?",
    ),
    "a glob without a file": (
        nothing,
        ["source.impressions.path=logs/*.tsv"],
        1,
        "there is no file {data}/logs/*.tsv; is --data right?",
    ),
    "a wrong delimiter": (
        nothing,
        ["source.impressions.delimiter=;"],
        1,
        "is the delimiter ';' right?",
    ),
    "another delimiter in the second file": (
        content(lambda text: text.replace(b",", b";"), 1),
        [],
        1,
        "part-1.csv, it has impression_id;request_id",
    ),
    "too many malformed rows": (
        content(lambda text: text + b"a,b,c\n" * 100, 1),
        [],
        1,
        "most often: wrong number of fields (100, is source.impressions.delimiter right?); see",
    ),
    "latin-1 that is taken for UTF-8": (
        in_latin_1,
        [],
        1,
        "most often: not UTF-8 (600, is source.impressions.encoding right?)",
    ),
    "an unknown encoding": (
        nothing,
        ["source.impressions.encoding=klingon"],
        1,
        "source.impressions.encoding: 'klingon' is no encoding known here",
    ),
    "bytes of no text": (
        content(lambda text: bytes(range(256)) * 9),
        [],
        1,
        "source.impressions.user: there is no column 'user_id'",
    ),
    "no label": (without("click"), [], 1, "tasks.retrieve.positive: there is no column 'click'"),
    "no feature": (without("device"), [], 1, "features.context 'device': there is no column"),
    "no time": (without("timestamp"), [], 1, "source.impressions.time: there is no column"),
    "no key": (without("item_id"), [], 1, "source.impressions.item: there is no column 'item_id'"),
    "labels out of range": (
        column("cart", "2", 20),
        [],
        1,
        "label is not 0 or 1 (40, column 'cart')",
    ),
    "labels in words": (column("click", "yes"), [], 1, "label is not a number (600, column 'click"),
    "no user": (column("user_id", ""), [], 1, "most often: missing user (600, column 'user_id')"),
    "unknown scenarios": (
        column("scenario", "tv"),
        [],
        1,
        "unknown scenario (600, column 'scenario', should it be in scenario.values?)",
    ),
    "times in milliseconds": (
        column("timestamp", lambda time: f"{time}000"),
        ["source.impressions.time_unit=s"],
        1,
        "time out of range (600, column 'timestamp', is source.impressions.time_unit right?)",
    ),
    "times in words": (column("timestamp", "yesterday"), [], 1, "most often: unparsable time"),
    "times of the future": (
        column("timestamp", "2099-01-01"),
        [],
        1,
        "time in the future (600, column 'timestamp', should source.impressions.max_time be later",
    ),
    "one time": (column("timestamp", "1725000000"), [], 1, "split: no rows are left for training"),
    "a split longer than the log": (
        nothing,
        ["split.test=30d"],
        1,
        "split: no rows are left for training",
    ),
    "ten rows": (only(10), [], 1, "split: no rows are left for training"),
    "a column of words as a number": (
        nothing,
        ["features.context.1.kind=numeric", "evaluation.slices=[]"],
        1,
        "most often: not a number (5",
    ),
    "truncated items": (
        damaged(lambda file: file[: len(file) // 2]),
        [],
        1,
        "{data}/items.parquet: no readable Parquet file, it may be truncated",
    ),
    "corrupt items": (
        damaged(lambda file: file[:4] + bytes(400) + file[404:]),
        [],
        1,
        "{data}/items.parquet: damaged?",
    ),
    "items without rows": (items(lambda table: table.slice(0, 0)), [], 1, "source.items.path: "),
    "no items": (lambda data: (data / "items.parquet").unlink(), [], 1, "source.items.path: there"),
    "items without a price": (
        items(lambda table: table.drop_columns(["price"])),
        [],
        1,
        "features.item 'price': there is no column 'price'",
    ),
    "prices in words": (
        item_column("price", lambda count: pa.array(["cheap"] * count)),
        [],
        1,
        "source.items: 200 of 200 rows are bad (100.0%), none is left; most often: not a number "
        "(200, column 'price')",
    ),
    "lists of prices": (
        item_column("price", lambda count: pa.array([[1.0]] * count)),
        [],
        1,
        "column 'price' is of type list",
    ),
    "items without keys": (
        item_column("item_id", lambda count: pa.nulls(count)),
        [],
        1,
        "most often: missing key (200, column 'item_id')",
    ),
    "a column of two tables": (
        lambda data: pq.write_table(
            pq.read_table(data / "users.parquet").rename_columns(["user_id", "brand", "region"]),
            data / "users.parquet",
        ),
        ["features.user.1.column=brand"],
        1,
        "features.item 'brand': there is a column 'brand' in users and in items",
    ),
    "an unknown key": (nothing, ["trainin.epochs=1"], 2, "trainin: unknown key; did you mean"),
    "a wrong value": (nothing, ["training.epochs=many"], 2, "training.epochs: input should be a"),
    "a change without a value": (nothing, ["training.epochs"], 2, "expected key=value"),
    "a key of two lines": (nothing, ["a\nb=1"], 2, "a b: unknown key"),
    "no test rows wanted": (nothing, ["split.test=0d"], 2, "split: test: the model is measured"),
    "a task in no scenario": (nothing, ["tasks.cart.scenarios=[]"], 2, "tasks.cart.scenarios: "),
    "a task in an unknown scenario": (
        nothing,
        ["tasks.cart.scenarios=[tv]"],
        2,
        "tasks.cart.scenarios: 'tv' is not in scenario.values",
    ),
    "a number served as a word": (
        nothing,
        ["features.item.3.serve_as=abc"],
        2,
        "features.item[3].serve_as: a numeric feature is served as a number, got 'abc'",
    ),
    "a user's column named like the number of items": (
        nothing,
        ["features.user.1.column=k"],
        2,
        "feature 'age_band': in a request 'k' is how many items to retrieve; rename the raw column",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_line(case, logs, tmp_path, capsys):
    broken, changes, code, says = REFUSED[case]
    data, out = tmp_path / "logs", tmp_path / "out"
    shutil.copytree(logs, data)
    broken(data)

    ended, printed, errors = tfmtl(capsys, *run_words(data, out, changes))

    assert ended == code, printed
    assert says.format(data=data) in errors
    assert errors.startswith("tfmtl: ")
    assert errors.count("\n") == 1
    assert_nothing_half_made(out)


TOLERATED: dict[str, tuple[Break, list[str], list[str]]] = {
    # what is odd: (how, changes of the configuration, lines that are printed)
    "a few malformed rows": (
        content(lambda text: text + b"a,b\n" * 3, 1),
        [],
        [
            "rows: 603 read, 600 kept, 3 rejected",
            "3  wrong number of fields",
            "rejected rows lie in {out}/artifacts/examples/dead_letters",
        ],
    ),
    "a few rows of no text": (
        content(lambda text: text + b"\xff\xfe\n" * 2, 1),
        [],
        ["602 read, 600 kept, 2 rejected", "2  not UTF-8", "rejected rows lie in {out}/artifacts"],
    ),
    "a truncated log": (
        content(lambda text: text[: text.rindex(b",")], 1),
        [],
        ["600 read, 599 kept, 1 rejected", "1  wrong number of fields"],
    ),
    "a byte order mark": (
        content(lambda text: b"\xef\xbb\xbf" + text),
        [],
        ["600 read, 600 kept, 0 rejected"],
    ),
    "line ends of Windows": (
        content(lambda text: text.replace(b"\n", b"\r\n")),
        [],
        ["600 read, 600 kept, 0 rejected"],
    ),
    "latin-1 that is said to be": (
        in_latin_1,
        ["source.impressions.encoding=latin-1"],
        ["600 read, 600 kept, 0 rejected"],
    ),
    "one empty file of two": (
        content(lambda text: b"", 0),
        [],
        ["300 read, 300 kept, 0 rejected"],
    ),
    "a few times far in the future": (
        column("timestamp", "9999999999", 2),
        [],
        ["600 read, 596 kept, 4 rejected", "4  time out of range"],
    ),
    "a few unknown scenarios": (
        column("scenario", "tv", 2),
        [],
        ["600 read, 596 kept, 4 rejected", "4  unknown scenario"],
    ),
    "a column without a value": (column("device", ""), [], ["600 read, 600 kept, 0 rejected"]),
    "a price that is always null": (
        item_column("price", lambda count: pa.nulls(count)),
        [],
        ["600 read, 600 kept, 0 rejected"],
    ),
    "an item twice": (
        items(lambda table: pa.concat_tables([table, table.slice(0, 7)])),
        [],
        ["items: 207 read, 200 kept, 0 rejected, 7 with the key of another row"],
    ),
    "items that the table lacks": (
        items(lambda table: table.slice(0, 50)),
        [],
        ["600 read, 600 kept, 0 rejected"],
    ),
}


@pytest.mark.parametrize("case", TOLERATED)
def test_what_can_be_used_is_and_the_rest_is_accounted_for(
    case, logs, tmp_path, capsys, monkeypatch
):
    # ExampleGen alone: without a model nothing is blessed, hence the exit code.
    monkeypatch.setattr("pipelines.pipeline.components", lambda config: (ExampleGen,))
    monkeypatch.setattr("pipelines.pipeline.PUBLISHED", {})
    broken, changes, lines = TOLERATED[case]
    data, out = tmp_path / "logs", tmp_path / "out"
    shutil.copytree(logs, data)
    broken(data)

    ended, printed, errors = tfmtl(
        capsys, *run_words(data, out, ["source.max_bad_share=0.05", *changes])
    )

    assert (ended, errors) == (3, "")
    for line in lines:
        assert line.format(out=out) in printed
    letters = list((out / "artifacts" / "examples").glob("dead_letters/*.parquet"))
    assert bool(letters) == ("rejected rows lie in" in printed)


def test_dead_letters_of_an_earlier_failure_do_not_stay(logs, tmp_path, capsys):
    data, out = tmp_path / "logs", tmp_path / "out"
    shutil.copytree(logs, data)
    content(lambda text: text + b"a,b\n" * 100, 1)(data)
    assert tfmtl(capsys, *run_words(data, out, []))[0] == 1
    assert pq.read_table(out / "dead_letters").num_rows == 100

    column("timestamp", "1725000000")(data)
    assert tfmtl(capsys, *run_words(data, out, ["source.max_bad_share=0.5"]))[0] == 1
    assert not (out / "dead_letters").exists()


COMMANDS = {
    "report {logs}": "{logs} holds no run; `tfmtl run CONFIG --output {logs}` makes one",
    "evaluate {logs}": "{logs} holds no evaluation.json",
    "demo {logs}": "{logs} holds no pushed model",
    "serve {logs}": "{logs} holds no pushed model",
    "finetune {logs} --config shop --data {logs}": "{logs} holds no pushed model",
    "finetune {pushed} --config shop --data {logs}": "there is no model 'shop' in {pushed}/serving",
    "simulate --output s --impressions 0": "'--impressions'",
    "simulate --output s --impressions -7": "'--impressions'",
    "simulate --output s --impressions 99999999999999": "--impressions: 99,999,999,999,999 rows",
    "simulate --output {logs}/items.parquet": "--output: directory {logs}/items.parquet cannot be",
    "run shop --data {logs} --output {logs}/items.parquet": "--output: directory",
    "run shop --data {logs}/items.parquet": "--data: directory {logs}/items.parquet is a file",
    "query nowhere --model m --signature s --json -": "HOST:PORT: expected a host and a port",
    "query a:99999 --model m --signature s --json -": "HOST:PORT: expected a host and a port",
    "query a:1 --model m --signature s --json {logs}": "--json: {logs}: Is a directory",
    "query a:1 --model m --signature s --json {logs}/items.parquet": "not JSON",
}


@pytest.mark.parametrize("words", COMMANDS)
def test_bad_usage_changes_nothing(words, logs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pushed = tmp_path / "pushed"
    (pushed / "serving" / "other" / "1").mkdir(parents=True)
    before = sorted(logs.rglob("*"))
    places = {"logs": logs, "pushed": pushed}

    ended, printed, errors = tfmtl(capsys, *words.format(**places).split())

    assert (ended, printed) == (2, "")
    assert COMMANDS[words].format(**places) in errors
    assert errors.count("\n") == 1
    assert sorted(logs.rglob("*")) == before
    assert not (pushed / "finetuned").exists()


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": "\xff"}', "{'a': 1}"])
def test_what_is_no_json(text, tmp_path, capsys):
    file = tmp_path / "request.json"
    file.write_bytes(text.encode("latin-1"))
    words = f"query a:1 --model m --signature s --json {file}".split()

    ended, _, errors = tfmtl(capsys, *words)

    assert ended == 2
    assert f"--json: {file}: not JSON: " in errors
    assert errors.count("\n") == 1


def tfmtl(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert isinstance(end.value.code, int)
    return end.value.code, *capsys.readouterr()


def run_words(data: Path, out: Path, changes: list[str]) -> list[object]:
    options = [word for change in changes for word in ("--set", change)]
    return ["run", "shop", "--data", data, "--output", out, *options]


def assert_nothing_half_made(out: Path) -> None:
    artifacts = out / "artifacts"
    assert not artifacts.exists() or not list(artifacts.iterdir())
    for name in ("evaluation.json", "model", "serving"):
        assert not (out / name).exists()
    assert (out / "report.html").is_file() == out.exists(), "a run that fails has a report too"
