"""The report of a whole run: every section says what the run's files say."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_example import make_evaluation, make_run

from pipelines.report import write_report

VOID = ("meta", "link", "wbr")
SECTIONS = (
    "Gate",
    "Metrics on the test rows",
    "Calibration and ROC",
    "Data",
    "Anomalies",
    "Learning",
    "Balance of the tasks",
    "Use of the experts",
    "Serving",
    "Time and memory",
    "Lineage",
    "Configuration",
)


class Words(HTMLParser):
    """The page's words by section, each in the order of the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sections: dict[str, list[str]] = {"": []}
        self.open: list[str] = []
        self._name = ""
        self.feed(page)
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["h2"]:
            self._name = data
            self.sections[data] = []
        elif "style" not in self.open:
            self.sections[self._name].append(data)

    def of(self, name: str) -> str:
        return " | ".join(self.sections[name])


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "shop")


@pytest.fixture(scope="module")
def words(example: Path) -> Words:
    return Words(write_report(example).read_text())


def test_the_verdict_comes_first_then_every_section(words: Words) -> None:
    assert tuple(words.sections)[1:] == SECTIONS
    top = words.of("")
    assert "Blessed, version 3" in top
    assert "Both rules of the gate hold. The model is in serving/shop/3." in top
    assert "click · auc | 0.716 | 0.674 to 0.758 | ▲ +0.020 vs version 2" in top


def test_a_rule_has_its_figure_and_its_limit(words: Words) -> None:
    assert "✓ holds | click auc is 0.7161, at least 0.65" in words.of("Gate")


def test_metrics_have_intervals_and_changes(words: Words) -> None:
    told = words.of("Metrics on the test rows")
    assert "click | 4,155 rows, 186 positive (4.48\N{NARROW NO-BREAK SPACE}%)" in told
    # 1.96 * 0.29 / sqrt(186) = 0.0417 to either side.
    assert "auc | 0.716 | 0.674 to 0.758 | ▲ +0.020 | +0.004 to +0.036" in told
    # 0.98 of the entropy of 186 in 4,155, 0.1829; 4.17 % to either side. A larger loss is worse.
    assert "log_ | loss | 0.179 | 0.172 to 0.187 | ▼ +0.020 | +0.004 to +0.036" in told
    assert "new_user | auc | change" in told
    assert "0.010 | \N{MINUS SIGN}0.050 to +0.030" in told, "no arrow where the interval holds 0"
    assert told.index("1-2") < told.index("11+")


def test_what_is_asked_for_less_often_is_folded(words: Words) -> None:
    told = words.of("Metrics on the test rows")
    first, more = told.split("More metrics", 1)
    assert "recall@10" in first
    assert "recall@50" not in first
    assert "recall@50" in more
    assert "Share of rows" not in told, "only metrics that were measured are explained"
    assert "0.5 is chance" in told


def test_anomalies_begin_with_the_gravest(words: Words) -> None:
    told = words.of("Anomalies")
    assert told.index("error | Few rows | there are 12 rows") < told.index("warning")
    assert "query: Often missing" in told
    assert "device | earlier rows | 0.070 | 0.100" in told


def test_experts_are_a_table_of_weights(words: Words, example: Path) -> None:
    told = words.of("Use of the experts")
    assert "purchase | 0.40 | 0.30 | 0.20 | 0.10 | search | 0.70 | 0.10" in told
    assert 'style="--w:95%">0.95' in (example / "report.html").read_text()


def test_serving_has_time_and_memory(words: Words) -> None:
    told = words.of("Serving")
    assert "0.43 s | to load" in told
    # 408,690,688 - 378,552,320 bytes.
    assert "30 MB | memory of the model, loaded" in told
    assert "rank | 1 | 3.9 | 7.2" in told


def test_lineage_goes_back_to_the_raw_files(words: Words) -> None:
    told = words.of("Lineage")
    assert "Raw data | 2 files" in told
    assert "SchemaGen | schema · 2222222222 | cached" in told
    assert "Pusher | pushed · 8888888888 | made" in told
    assert "impressions/part-2.csv | 2.1 MB | abababab" in told
    assert re.search(r"configuration \| [0-9a-f]{64}", told)


def test_a_cached_step_shows_what_it_once_took(words: Words, example: Path) -> None:
    assert "SchemaGen | cached" in words.of("Time and memory")
    assert 'class="bar pale"' in (example / "report.html").read_text()


def test_it_is_small_enough_to_be_mailed(example: Path) -> None:
    assert (example / "report.html").stat().st_size < 500_000


def test_a_run_that_failed_before_training_shows_its_anomalies(tmp_path: Path) -> None:
    from pipelines.metadata import Store

    with Store(tmp_path / "metadata.sqlite") as store:
        run = store.start_run("name: shop\n", tmp_path)
        step = store.start(run, "ExampleValidator", "f", [])
        store.fail(step, "Traceback ...\npipelines.components.base.PipelineError: no positives")
        store.end_run(run, "FAILED")
    (tmp_path / "anomalies.pbtxt").write_text(
        'anomaly_info { key: "click" value { severity: ERROR short_description: "One value" '
        'description: "column click is always 0" } }'
    )
    told = Words(write_report(tmp_path).read_text())
    assert "ExampleValidator failed: no positives" in told.of("")
    assert "error | click: One value | column click is always 0" in told.of("Anomalies")
    assert "Metrics on the test rows" not in told.sections


def test_a_model_that_is_not_blessed_says_why(example: Path, tmp_path: Path) -> None:
    evaluation = make_evaluation()
    evaluation |= {"blessed": False, "reasons": ["click auc is 0.61, below 0.65"]}
    evaluation["rules"][0] |= {"holds": False, "text": "click auc is 0.61, below 0.65"}
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    told = Words(write_report(tmp_path).read_text())
    assert "Not blessed | Nothing was pushed: click auc is 0.61, below 0.65." in told.of("")
    assert "✗ fails" in told.of("Gate")


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=8)
    | st.sampled_from(['<script>alert("x")</script>', "\x00\x1b", "\ud800", "5" * 30])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
FILES = (
    "artifacts/evaluation/evaluation.json",
    "artifacts/model/history.json",
    "artifacts/model/gates.json",
    "artifacts/infra/infra.json",
    "artifacts/pushed/pushed.json",
)


def replaced(found: Any, choose: Any) -> Any:
    """The same data with something else somewhere in it."""
    children = list(found) if isinstance(found, dict) else list(range(len(found)))
    key = choose(st.sampled_from(children))
    child = found[key]
    deeper = isinstance(child, dict | list) and child and choose(st.booleans() | st.just(True))
    copy = dict(found) if isinstance(found, dict) else list(found)
    copy[key] = replaced(child, choose) if deeper else choose(ANYTHING)
    return copy


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_value_breaks_the_page(example: Path, data: st.DataObject) -> None:
    path = example / data.draw(st.sampled_from(FILES))
    before = path.read_text()
    try:
        path.write_text(json.dumps(replaced(json.loads(before), data.draw)))
        page = write_report(example).read_text()
    finally:
        path.write_text(before)
    Words(page)
    assert "<script" not in page
    assert not re.search(r"\b(nan|inf)\b[,. \"]", "".join(re.findall(r'points="[^"]*"', page)))
