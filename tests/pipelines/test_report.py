"""The report: complete, self-contained, and safe whatever the values are."""

import json
import re
from html import escape
from html.parser import HTMLParser

import pytest
from fake_pipeline import EPOCHS, FIGURES, RULES

from pipelines.metadata import Store
from pipelines.report import write_report
from pipelines.report.charts import line_chart
from pipelines.report.html import element, table

NASTY = '<script>alert("x")</script>&'
EXAMPLES = {
    "headline": NASTY,
    "rows": 1010,
    "kept": 1000,
    "rejected": {NASTY: 10},
    "dead_letters": {"rows": 10, "path": "dead_letters"},
    "tables": {
        "events": {},
        "items": {"rows": 9, "kept": 5, "duplicates": 3, "rejected": {"no key": 1}},
    },
    "examples": 1036,
    "events": {"rows": 940, "merged": 60, "sampled": 96, "not_found": 4},
}
COUNTS = {"rows": 936, "known": {NASTY: 900}, "positives": {NASTY: 45}}
TRANSFORM = {
    "examples": {"train": 936, "test": 100},
    "changes": {"train": {"negatives left out": -36}},
    "splits": {"train": 900, "test": 100},
    "label_means": {"train": {"click": 0.05}, "test": {"click": None}},
    "sampling": {
        "scenarios": {
            NASTY: {"keep_rate": 0.25, "before": COUNTS, "after": {**COUNTS, "rows": 900}}
        },
        "by": "scenario",
        "repeat": {NASTY: 1.5},
    },
}


class Balance(HTMLParser):
    """Checks that elements are closed in the order they were opened."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "link", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def run(tmp_path):
    """A run whose every text is nasty."""
    with Store(tmp_path / "metadata.sqlite") as store:
        number = store.start_run(f"name: shop\nnote: {NASTY}\n", tmp_path / NASTY.replace("/", ""))
        for component, summary in (
            ("ExampleGen", EXAMPLES),
            ("Transform", TRANSFORM),
            ("ExampleValidator", {"warnings": [f"column {NASTY} is empty"]}),
        ):
            execution = store.start(number, component, "f", [])
            store.end(execution, "COMPLETE", summary, ("examples", tmp_path, "f"))
        store.end_run(number, "COMPLETE")
    tasks = {
        NASTY: {"overall": FIGURES, "slices": {NASTY: {NASTY: FIGURES, "": FIGURES}}},
        "retrieve": {"overall": {"recall@10": 0.3}, "slices": {}},
    }
    rules = [*RULES, {**RULES[0], "holds": False, "text": NASTY}]
    (tmp_path / "evaluation.json").write_text(
        json.dumps({"tasks": tasks, "blessed": False, "rules": rules})
    )
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "history.json").write_text(
        json.dumps({"epochs": [{**epoch, f"loss/{NASTY}": 1.0} for epoch in EPOCHS]})
    )
    return tmp_path


def test_escapes_every_value(run):
    html = write_report(run).read_text()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 8


def test_needs_nothing_from_outside(run):
    html = write_report(run).read_text()
    html = html.replace('<link rel="icon" href="data:,">', "")
    assert not re.findall(r"https?://|url\(|@import|<link|<img|<script|src=", html)
    assert '<meta name="viewport"' in html


def test_is_well_formed(run):
    parser = Balance()
    parser.feed(write_report(run).read_text())
    assert parser.open == []


def test_shows_rows_metrics_and_curves(run):
    html = write_report(run).read_text()
    for text in (
        "<td>1,010</td><td>9</td>",
        f"rejected: {escape(NASTY)}</th><td>-10</td><td></td>",
        "key of another row</th><td></td><td>-3</td>",
        "left</th><td>1,036</td><td>5</td>",
        "negatives: 4 fewer than asked for",
        "11.111%",
        "<td>-60</td>",
        "<td>+96</td>",
        "negatives left out",
        "<td>-36</td><td></td><td>-36</td>",
        f"{escape(NASTY)}, before",
        "<td>936</td><td>100.0%</td><td>45</td><td>5.00%</td>",
        f"share of the negatives that is kept: {escape(NASTY)} 0.25",
        f"rows come so many times, by scenario: {escape(NASTY)} 1.5",
        "Not blessed",
        "click auc is 0.71, at least 0.65",
        "0.710",
        "recall@10",
        "loss/click",
        "(missing)",
        "0.0500",
    ):
        assert text in html
    drawn = re.findall(r'aria-label="([^"]+)"', html)
    assert [d for d in drawn if "by epoch" in d] == [
        "loss/click by epoch",
        "loss/retrieve by epoch",
        f"loss/{escape(NASTY)} by epoch",
    ]


def test_a_directory_without_anything_has_a_report_too(tmp_path):
    html = write_report(tmp_path).read_text()
    assert "No model yet" in html
    assert tmp_path.name in html


def test_a_failed_run_says_in_which_step(run):
    with Store(run / "metadata.sqlite") as store:
        number = store.start_run("name: shop\n", run)
        execution = store.start(number, "Trainer", "f", [])
        store.fail(execution, "Traceback ...\nPipelineError: the loss is <nan>")
        store.end_run(number, "FAILED")
    html = write_report(run).read_text()
    assert "Not finished" in html
    assert "Trainer failed: the loss is &lt;nan&gt;" in html
    assert "Traceback ..." in html


@pytest.mark.parametrize("broken", ["metadata.sqlite", "evaluation.json", "model/history.json"])
def test_damaged_files_count_as_missing(run, broken):
    (run / broken).write_text("{ no such thing")
    assert write_report(run).is_file()


def test_the_balance_of_the_tasks_is_drawn_where_it_changes(run):
    history = run / "model" / "history.json"
    epochs = json.loads(history.read_text())["epochs"]
    for number, epoch in enumerate(epochs):
        epoch |= {"weight/click": 1.0, "weight/cart": number, "cosine/click/cart": number / 10}
    history.write_text(json.dumps({"epochs": epochs}))
    page = write_report(run).read_text()
    before, after = page.split("Balance of the tasks")
    assert "loss/click by epoch" in before
    assert "Weights of the tasks by epoch" in after
    assert "click, epoch 3: 1.00" in after
    assert "cart, epoch 3: 2.00" in after
    assert "Gradient cosines by epoch" in after
    assert "click/cart, epoch 3: 0.200" in after
    assert "Gradient norms" not in page


def test_a_chart_places_its_values():
    svg = line_chart("loss", {"training": [2.0, 1.0, 0.0]})
    points = re.search(r'points="([^"]+)"', svg)
    assert points is not None
    pairs = [tuple(map(float, pair.split(","))) for pair in points[1].split()]
    (x0, y0), (x1, y1), (x2, y2) = pairs
    assert x1 - x0 == pytest.approx(x2 - x1)
    assert y1 - y0 == pytest.approx(y2 - y1)
    assert y0 < y1 < y2, "a larger value stands higher"


def test_a_chart_leaves_gaps_for_undefined_values():
    svg = line_chart("loss", {"training": [None, float("nan"), 1.0], "validation": [None] * 3})
    assert svg.count("<circle") == 1
    assert "validation" not in svg
    assert "no values" in line_chart("loss", {"training": [None]})


def test_elements_escape_children_and_attributes():
    assert element("p", "1 < 2", class_='a"b') == '<p class="a&quot;b">1 &lt; 2</p>'
    assert "&lt;b&gt;" in table(["<b>"], [])
