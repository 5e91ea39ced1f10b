"""The whole way through the command line: logs, a pushed model, answers over gRPC, fine-tuning."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PROGRAM = [sys.executable, "-c", "from pipelines.cli import main; main()"]
IMPRESSIONS = 6000
ITEMS = 200
QUICK = ["--set", "training.epochs=1", "--set", "gate=[{task: click, metric: auc, at_least: 0.3}]"]
TASKS = {"click", "cart", "purchase"}
HISTORY = {"click_history_item_id": [], "click_history_category": [], "click_history_brand": []}
USER = {"user_id": "u1", "age_band": "25-34", "region": "north", "query": "", **HISTORY}
CANDIDATES = {
    "item_id": ["i1", "i2", "i3"],
    "category": ["lamps", "lamps", None],
    "brand": None,
    "price": [10.0, 1000.0, None],
    "title": ["a lamp", "", None],
    "device": "phone",
}


def tfmtl(*words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *map(str, words)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=Path(__file__).parents[1],
    )


def simulate(folder: Path, seed: int) -> Path:
    made = tfmtl("simulate", "--output", folder, "--impressions", IMPRESSIONS, "--seed", seed)
    assert made.returncode == 0, made.stderr
    return folder


@dataclass(frozen=True)
class Shop:
    """A finished run: its directory and what it printed."""

    out: Path
    done: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    logs = simulate(folder / "logs", 7)
    done = tfmtl("run", "shop", "--data", logs, "--output", folder / "out", *QUICK)
    assert done.returncode == 0, done.stderr + done.stdout
    return Shop(folder / "out", done)


@pytest.fixture(scope="module")
def address(shop: Shop) -> Iterator[str]:
    server = subprocess.Popen(
        [*PROGRAM, "serve", str(shop.out), "--backend", "embedded", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert server.stdout
    try:
        word, _, place = server.stdout.readline().strip().partition(" ")
        assert word == "ready"
        yield place
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(timeout=30)
    assert code == 0


def ask(address: str, signature: str, request: dict) -> dict:
    """The answer to a request that is read from stdin."""
    words = ("query", address, "--model", "shop", "--signature", signature, "--json", "-")
    answered = tfmtl(*words, stdin=json.dumps(request))
    assert answered.returncode == 0, answered.stderr
    return json.loads(answered.stdout)


def refused(address: str, signature: str, request: dict, model: str = "shop") -> str:
    """The one line that a wrong request gets."""
    words = ("query", address, "--model", model, "--signature", signature, "--json", "-")
    answered = tfmtl(*words, stdin=json.dumps(request))
    assert (answered.returncode, answered.stdout) == (1, "")
    assert answered.stderr.count("\n") == 1
    return answered.stderr


def test_a_run_leaves_what_scripts_rely_on(shop):
    evaluation = json.loads((shop.out / "evaluation.json").read_text())
    assert evaluation["blessed"] is True
    assert set(evaluation["tasks"]) == {"retrieve", *TASKS}
    click = evaluation["tasks"]["click"]
    assert 0.3 <= click["overall"]["auc"] <= 1
    slices = {"scenario", "device", "new_user", "new_item", "history"}
    assert set(click["slices"]) == slices
    assert set(click["slices"]["scenario"]) == {"search", "feed", "ads"}
    assert {"recall@10", "ndcg@100", "mrr"} <= set(evaluation["tasks"]["retrieve"]["overall"])
    assert (shop.out / "report.html").read_text().startswith("<!doctype html>")
    with sqlite3.connect(shop.out / "metadata.sqlite") as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert (shop.out / "model" / "model.keras").is_file()
    assert (shop.out / "serving" / "shop" / "1" / "saved_model.pb").is_file()
    assert len(list((shop.out / "artifacts").iterdir())) == 9


def test_a_run_says_what_became_of_the_rows(shop):
    assert f"rows: {IMPRESSIONS + 3:,} read, " in shop.done.stdout
    assert f"rejected rows lie in {shop.out}/artifacts/examples/dead_letters" in shop.done.stdout
    assert "blessed and pushed as version 1" in shop.done.stdout
    assert shop.done.stderr == ""


def test_evaluate_gives_the_metrics(shop):
    printed = json.loads(tfmtl("evaluate", shop.out).stdout)
    assert printed == json.loads((shop.out / "evaluation.json").read_text())


def test_rank_rows(address):
    answer = ask(address, "rank_rows", {**USER, **CANDIDATES, "scenario": "search"})
    assert set(answer) == TASKS
    assert all(0 < chance < 1 for chances in answer.values() for chance in chances)
    assert all(len(chances) == 3 for chances in answer.values())


def test_rank_joins_the_items_and_recommend_finds_them(address):
    user = {**USER, "scenario": "feed", "device": "phone"}
    best = ask(address, "recommend", {**user, "k": 4})
    (items,), (scores,) = best["item_id"], best["score"]
    assert len(set(items)) == 4
    assert best["count"] == [4]
    assert scores == sorted(scores, reverse=True)
    ranked = ask(address, "rank", {**user, "item_id": [items]})
    assert set(ranked) == {*TASKS, "score"}
    for name in (*TASKS, "score"):
        assert ranked[name][0] == pytest.approx(best[name][0], rel=1e-4)


def test_unknown_users_items_and_scenarios_get_one_answer(address):
    rows = [
        {**USER, **CANDIDATES, "user_id": user, "item_id": item, "scenario": scenario}
        for user, item, scenario in (("x", "y", "z"), ("nobody", "nothing", "nowhere"))
    ]
    first, second = (ask(address, "rank_rows", row) for row in rows)
    assert first == second


@pytest.mark.parametrize(("k", "given"), [(5, 5), (10 * ITEMS, ITEMS), (0, 1), (-3, 1)])
def test_retrieve(address, k, given):
    answer = ask(address, "retrieve", {**USER, "k": k})
    (items,), (scores,) = answer["item_id"], answer["score"]
    assert len(set(items)) == len(items) == given
    assert scores == sorted(scores, reverse=True)


def test_a_missing_history_is_an_empty_one(address):
    missing = {**USER, **dict.fromkeys(HISTORY), "k": 3}
    assert ask(address, "retrieve", missing) == ask(address, "retrieve", {**USER, "k": 3})


def test_ten_items_where_k_is_missing(address):
    for request in (USER, {**USER, "k": None}):
        assert [len(items) for items in ask(address, "retrieve", request)["item_id"]] == [10]


LEFT_OUT = object()
WRONG = {
    # what is wrong: (signature, changes of the request, part of the message)
    "an input that is missing": (
        "rank",
        {"item_id": LEFT_OUT},
        "missing input `item_id`; signature `rank` takes",
    ),
    "an input that is unknown": ("retrieve", {"k": 1, "kk": 1}, "unknown input `kk`; signature"),
    "a number as a text": ("retrieve", {"k": 1, "user_id": 7}, "input `user_id` should be string"),
    "a text as a number": ("retrieve", {"k": "3"}, "input `k` should be int32. Received: '3'"),
    "lists of different lengths": (
        "retrieve",
        {"k": 1, "user_id": ["a", "b"], "region": ["x", "y", "z"]},
        "inputs should have one length, or 1. Received: `user_id` 2, `region` 3",
    ),
    "half a character": ("retrieve", {"k": 1, "query": "\ud800"}, "input `query` should be text"),
    "an unknown signature": ("rnk", {}, "has no signature `rnk`, it has: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_is_refused(address, case):
    signature, changes, says = WRONG[case]
    request = {name: one for name, one in {**USER, **changes}.items() if one is not LEFT_OUT}
    assert says in refused(address, signature, request)


def test_an_unknown_model_is_refused(address):
    assert "NOT_FOUND: Servable not found" in refused(address, "rank", {}, model="shopp")


def test_a_port_in_use_is_refused(shop, address):
    port = address.rpartition(":")[2]
    second = tfmtl("serve", shop.out, "--port", port)
    assert second.returncode == 1
    assert second.stderr == (
        f"tfmtl: serve: cannot listen on {address}: Address already in use; choose another "
        "--port, or 0 for a free one\n"
    )


def test_finetuning_pushes_the_next_version(shop, address, tmp_path):
    newer = simulate(tmp_path / "newer", 8)

    tuned = tfmtl(
        *(
            "finetune",
            shop.out,
            "--config",
            "shop",
            "--data",
            newer,
            "--output",
            tmp_path / "tuned",
        ),
        *("--epochs", 1, "--freeze-tables", *QUICK),
    )

    assert tuned.returncode == 0, tuned.stderr + tuned.stdout
    assert "pushed as version 2" in tuned.stdout
    assert (shop.out / "serving" / "shop" / "2" / "saved_model.pb").is_file()
    assert json.loads((tmp_path / "tuned" / "evaluation.json").read_text())["blessed"] is True
    # The server has taken the new version up meanwhile, or soon will; it answers either way.
    assert set(ask(address, "rank_rows", {**USER, **CANDIDATES, "scenario": "ads"})) == TASKS


def test_reindexing_serves_new_items_without_training(shop, tmp_path):
    raw = pq.read_table(shop.out.parent / "logs" / "items.parquet")
    rows = [*raw.to_pylist()[5:], {**raw.to_pylist()[0], "item_id": "brand-new"}]
    pq.write_table(pa.Table.from_pylist(rows, schema=raw.schema), tmp_path / "items.parquet")
    served = sorted(int(path.name) for path in (shop.out / "serving" / "shop").iterdir())

    done = tfmtl(
        *("reindex", shop.out, "--items", tmp_path / "items.parquet"),
        *("--set", "serving.index={kind: inverted_file, recall: 0.9, at: 20}"),
    )

    assert done.returncode == 0, done.stderr
    assert "196 items in " in done.stdout
    assert "1 new, 5 of those served before gone" in done.stdout
    assert "index inverted file of 196 items in 56 cells" in done.stdout
    assert done.stdout.rstrip().endswith(f"serving/shop/{served[-1] + 1}")
    version = shop.out / "serving" / "shop" / str(served[-1] + 1)
    manifest = json.loads((version / "assets.extra" / "manifest.json").read_text())
    assert manifest["reindexed"]["from"] == served[-1]
    assert manifest["index"]["recall"]["declared"] == 0.9
    assert manifest["index"]["recall"]["measured"] >= 0.85
    before = version.with_name(str(served[-1])) / "assets.extra" / "keras_model" / "model.keras"
    kept = version / "assets.extra" / "keras_model" / "model.keras"
    assert kept.read_bytes() == before.read_bytes()
    with serving.EmbeddedServer({"shop": version.parent}) as server:
        answer = ask(server.address, "retrieve", {**USER, "k": 196})
        candidates = {"item_id": ["brand-new", "no such item"], "scenario": "feed"}
        ranked = ask(server.address, "rank_rows", {**USER, **candidates, "device": "phone"})
    assert {*answer["item_id"][0]} == {row["item_id"] for row in rows}
    assert {*TASKS} <= {*ranked}


def test_nothing_is_left_running(shop):
    names = [
        Path(f"/proc/{number}/cmdline").read_bytes().decode(errors="replace")
        for number in os.listdir("/proc")
        if number.isdigit() and Path(f"/proc/{number}/cmdline").exists()
    ]
    started_here = [name for name in names if str(shop.out.parent) in name and "serve" not in name]
    assert started_here == []
