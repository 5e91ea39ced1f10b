"""The report in a real browser: it opens offline, complains of nothing and fits a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Chromium, Page, needs_chromium
from report_example import make_run
from typer.testing import CliRunner

from pipelines.report import write_report

pytestmark = needs_chromium
PHONE = 360
OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true)"
# What is too wide may scroll in a box of its own, never the page.
TOO_WIDE = """
[...document.body.querySelectorAll('*')].filter(e => {
  if (e.getBoundingClientRect().right <= document.documentElement.clientWidth + 0.5) return false;
  for (let p = e.parentElement; p; p = p.parentElement)
    if (['auto', 'scroll'].includes(getComputedStyle(p).overflowX)) return false;
  return true;
}).map(e => e.tagName + '.' + e.getAttribute('class') + ': ' + e.textContent.slice(0, 40))
"""
# Texts whose colour is too near to what is behind them, by the formula of WCAG 2.
TOO_PALE = """
(() => {
  const numbers = c => c.match(/[\\d.]+/g).map(Number);
  const rgb = c => c.startsWith('color(') ? numbers(c.slice(10)) :
    numbers(c).map((v, i) => i < 3 ? v / 255 : v);
  const light = c => [.2126, .7152, .0722].reduce((sum, share, i) =>
    sum + share * (c[i] <= .04045 ? c[i] / 12.92 : ((c[i] + .055) / 1.055) ** 2.4), 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    throw new Error('nothing is behind');
  };
  const pale = new Set(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement, style = getComputedStyle(e);
    if (!walker.currentNode.data.trim() || e.tagName === 'title' || !e.getClientRects().length)
      continue;
    const inSvg = e.namespaceURI.endsWith('svg');
    const [a, b] = [light(rgb(inSvg ? style.fill : style.color)), light(behind(e))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    seen += 1;
    if (ratio < 4.5) pale.add(ratio.toFixed(2) + ' ' + walker.currentNode.data.slice(0, 30));
  }
  return seen > 20 ? [...pale] : ['only ' + seen + ' texts were looked at'];
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(make_run(tmp_path_factory.mktemp("runs") / "shop"))


def check(page: Page, report: Path, width: int) -> None:
    assert page.errors == []
    assert page.failed == []
    # The icon is an empty one, said in the page itself.
    assert set(page.requests) - {"data:,"} == {report.resolve().as_uri()}
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(TOO_WIDE) == []
    assert page.evaluate(TOO_PALE) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, 1280])
def test_it_opens_offline_fits_and_can_be_read(
    browser: Chromium, report: Path, width: int, dark: bool
) -> None:
    page = browser.open(report, width, dark=dark)
    check(page, report, width)
    assert page.evaluate("document.querySelector('h1').textContent") == "shop"
    assert page.evaluate("document.querySelectorAll('svg[role=img]').length") > 10
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 150) == dark


def test_every_drawing_has_a_name_and_every_link_a_target(browser: Chromium, report: Path) -> None:
    page = browser.open(report, PHONE)
    assert page.evaluate(
        "[...document.querySelectorAll('svg:not([aria-hidden])')]"
        ".every(s => s.getAttribute('aria-label') && s.querySelector('title').textContent)"
    )
    assert page.evaluate(
        "[...document.querySelectorAll('a')].every(a => document.querySelector(a.hash))"
    )


def test_printed_it_is_unfolded(browser: Chromium, report: Path) -> None:
    page = browser.open(report, 800)
    page.call("Emulation.setEmulatedMedia", media="print")
    height = "document.querySelector('#configuration pre').getBoundingClientRect().height"
    assert page.evaluate(height) > 20
    assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"


def test_the_tests_see_what_is_wrong(browser: Chromium, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<meta name='viewport' content='width=device-width'><body style='background: #fff'>"
        "<p style='width: 900px; color: #bbb'>wide and pale</p>"
        "<img src='missing.png'><script>console.error('no'); throw new Error('x')</script>"
        + "<p>text</p>"
        * 30
    )
    page = browser.open(bad, PHONE)
    assert len(page.errors) >= 2
    assert len(page.requests) >= 2
    assert page.failed
    assert any("wide and pale" in found for found in page.evaluate(TOO_WIDE))
    assert any("wide and pale" in found for found in page.evaluate(TOO_PALE))


@pytest.mark.slow
def test_a_real_run(browser: Chromium, tmp_path: Path) -> None:
    from pipelines.cli import app

    def tfmtl(*words: object) -> None:
        ended = CliRunner().invoke(app, [str(word) for word in words])
        assert ended.exit_code in (0, 3), ended.output

    logs, out = tmp_path / "logs", tmp_path / "shop"
    tfmtl("simulate", "--output", logs, "--impressions", 8000)
    changes = ("--set", "gate.0.at_least=0.4", "--set", "training.epochs=1")
    tfmtl("run", "shop", "--data", logs, "--output", out, *changes)
    report = out / "report.html"
    assert report.stat().st_size < 500_000
    for dark in (False, True):
        page = browser.open(report, PHONE, dark=dark)
        check(page, report, PHONE)
        drawn = page.evaluate("[...document.querySelectorAll('h2')].map(h => h.textContent)")
        assert {"Gate", "Metrics on the test rows", "Learning", "Lineage"} <= set(drawn)
