"""The gate's rules about how sure it must be, about single slices and about small ones."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from tfmtl.config import evaluation as declared
from tfmtl.evaluation import Bounds, Summary, Verdict, check, gate


@dataclass(frozen=True)
class Threshold:
    task: str = "click"
    metric: str = "auc"
    at_least: float | None = None
    at_most: float | None = None
    not_worse_by: float | None = None
    confidence: float | None = 0.95
    slices: str | None = None
    slice: dict[str, str] | None = None
    min_rows: int | None = None


def measured(metric: str = "auc", figure: float | None = 0.7, rows: int = 1000) -> Summary:
    values: dict[str, Any] = {
        "search": {"rows": 900, metric: 0.8},
        "ads": {"rows": 40, metric: figure},
    }
    overall = {"rows": rows, metric: figure, "coverage@1": 0.5}
    return {"overall": overall, "slices": {"scenario": values}}


def places(value: Any, metric: str = "auc") -> dict[str, Any]:
    """The same interval everywhere."""
    by_value = {name: {metric: value} for name in ("search", "ads")}
    return {"click": {"overall": {metric: value}, "slices": {"scenario": by_value}}}


def decide(
    rule: Threshold,
    figure: float | None = 0.7,
    interval: list[float] | None = None,
    pushed: float | None = None,
    difference: tuple[float | None, float | None] | None = None,
) -> tuple[Verdict, list[float]]:
    """The verdict, and the two-sided confidences that the gate asked for."""
    asked: list[float] = []

    def bounds(confidence: float) -> Bounds:
        asked.append(confidence)
        found = places(interval, rule.metric)
        if difference is None:
            return Bounds(found)
        ends = {"difference": 0.0, "low": difference[0], "high": difference[1]}
        return Bounds(found, places(ends, rule.metric))

    metrics = {"click": measured(rule.metric, figure)}
    before = None if pushed is None else {"click": measured(rule.metric, pushed)}
    return check([rule], metrics, before, None, bounds), asked


@pytest.mark.parametrize(
    ("rule", "interval", "holds", "text"),
    [
        (
            Threshold(at_least=0.65),
            [0.66, 0.74],
            True,
            "click auc is 0.7 (0.66 or more with 95 % confidence), at least 0.65",
        ),
        (
            Threshold(at_least=0.65),
            [0.64, 0.76],
            False,
            "click auc is 0.7 (0.64 or more with 95 % confidence), not surely at least 0.65",
        ),
        (
            Threshold(at_least=0.75),
            [0.66, 0.76],
            False,
            "click auc is 0.7 (0.66 or more with 95 % confidence), below 0.75",
        ),
        (
            Threshold(at_most=0.75, confidence=0.9),
            [0.6, 0.75],
            True,
            "click auc is 0.7 (0.75 or less with 90 % confidence), at most 0.75",
        ),
        (
            Threshold(at_most=0.75, confidence=0.9),
            [0.6, 0.751],
            False,
            "click auc is 0.7 (0.751 or less with 90 % confidence), not surely at most 0.75",
        ),
        (
            Threshold(at_least=0.5),
            None,
            False,
            "click auc is 0.7, but has no interval, so that nothing is sure about 0.5",
        ),
    ],
)
def test_the_bad_end_of_the_interval_is_held_against_a_limit(
    rule: Threshold, interval: list[float] | None, holds: bool, text: str
) -> None:
    verdict, asked = decide(rule, interval=interval)
    (outcome,) = verdict.outcomes
    assert outcome.text == text
    assert verdict.blessed is outcome.holds is holds
    # One-sided 95 % is two-sided 90 %: a twentieth at either end.
    assert asked == [pytest.approx(0.9 if rule.confidence == 0.95 else 0.8)]
    assert outcome.figure == 0.7
    assert outcome.confidence == rule.confidence
    assert [outcome.low, outcome.high] == (interval or [None, None])


@pytest.mark.parametrize(
    ("metric", "difference", "holds"),
    [
        ("auc", (-0.0019, 0.004), True),
        ("auc", (-0.0021, 0.004), False),
        ("auc", (-0.2, 0.004), False),
        ("log_loss", (-0.2, 0.0019), True),
        ("log_loss", (-0.2, 0.0021), False),
        ("gini@10", (0.0, 0.003), False),
        ("recall@10", (0.0, 0.003), True),
    ],
)
def test_non_inferiority(metric: str, difference: tuple[float, float], holds: bool) -> None:
    rule = Threshold(metric=metric, not_worse_by=0.002)
    verdict, _ = decide(rule, 0.7, [0.0, 1.0], pushed=0.699, difference=difference)
    (outcome,) = verdict.outcomes
    assert verdict.blessed is holds
    assert outcome.low == pytest.approx(0.699 + difference[0])
    assert outcome.high == pytest.approx(0.699 + difference[1])
    worse = metric in ("log_loss", "gini@10")
    assert outcome.limit == pytest.approx(0.701 if worse else 0.697)
    json.dumps(asdict(verdict), allow_nan=False)


def test_the_line_of_a_difference() -> None:
    rule = Threshold(not_worse_by=0.002)
    verdict, _ = decide(rule, 0.7, [0.6, 0.8], pushed=0.699, difference=(-0.004, 0.006))
    assert verdict.reasons == (
        "click auc is 0.7 (0.695 or more with 95 % confidence), not surely at least 0.697 "
        "(pushed model 0.699, may be worse by 0.002, differs by +0.001, at worst -0.004)",
    )


@pytest.mark.parametrize("ends", [(None, None), None])
def test_a_difference_without_an_interval_is_not_sure(ends: tuple[None, None] | None) -> None:
    verdict, _ = decide(Threshold(not_worse_by=0.5), pushed=0.7, difference=ends)
    assert not verdict.blessed
    assert "has no interval" in verdict.reasons[0]


def test_nothing_to_compare_with_needs_no_interval() -> None:
    verdict, _ = decide(Threshold(not_worse_by=0.5))
    assert verdict.blessed
    assert verdict.outcomes[0].text == "click auc is 0.7; no pushed model to compare with"


@pytest.mark.parametrize("figure", [None, float("nan")])
def test_an_undefined_figure_never_holds(figure: float | None) -> None:
    for rule in (Threshold(at_least=0), Threshold(at_most=1), Threshold(not_worse_by=1)):
        verdict, _ = decide(rule, figure, [0.1, 0.2], pushed=0.1, difference=(0.0, 0.0))
        assert not verdict.blessed
        assert verdict.reasons[0].startswith("click auc has no value: ")


def test_one_slice() -> None:
    rule = Threshold(at_least=0.75, confidence=None, slice={"scenario": "ads"})
    (outcome,) = check([rule], {"click": measured()}).outcomes
    assert (outcome.slice, outcome.holds) == ("scenario=ads", False)
    assert outcome.text == "click auc for scenario=ads is 0.7, below 0.75"
    rule = Threshold(at_least=0.75, confidence=None, slice={"scenario": "search"})
    assert check([rule], {"click": measured()}).blessed


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (
            Threshold(slice={"scenario": "feed"}, at_least=0),
            "click auc: no rows in slice scenario=feed; there is search, ads",
        ),
        (
            Threshold(slice={"age": "old"}, at_least=0),
            "click auc: no slices by 'age'; there is scenario",
        ),
        (
            Threshold(metric="coverage@1", slices="scenario", at_least=0),
            "click coverage@1: it is measured on all rows together; leave out slices and slice",
        ),
    ],
)
def test_a_slice_that_is_not_there_does_not_hold(rule: Threshold, text: str) -> None:
    verdict = check([rule], {"click": measured()})
    assert verdict.reasons == (text,)


def test_small_slices_are_left_out_by_name() -> None:
    rule = Threshold(at_least=0.75, confidence=None, slices="scenario", min_rows=41)
    verdict = check([rule], {"click": measured()})
    assert verdict.blessed
    assert [(o.slice, o.bound) for o in verdict.outcomes] == [
        ("scenario=search", "at_least"),
        ("scenario", "min_rows"),
    ]
    text = "click auc by scenario: fewer than 41 rows in ads; left out"
    assert verdict.outcomes[1].text == text
    enough = Threshold(at_least=0.75, confidence=None, slices="scenario", min_rows=40)
    assert not check([enough], {"click": measured()}).blessed


def test_a_rule_for_which_every_slice_is_too_small_does_not_hold() -> None:
    rule = Threshold(at_least=0, confidence=None, slices="scenario", min_rows=901)
    verdict = check([rule], {"click": measured()})
    text = "click auc by scenario: fewer than 901 rows in search, ads; nothing was checked"
    assert verdict.reasons == (text,)


def test_all_rows_or_one_slice_must_have_as_many_rows() -> None:
    rule = Threshold(at_least=0, confidence=None, min_rows=1001)
    reason = "click auc has 1,000 rows, the rule asks for 1,001"
    assert check([rule], {"click": measured()}).reasons == (reason,)
    rule = Threshold(at_least=0, confidence=None, min_rows=41, slice={"scenario": "ads"})
    reason = "click auc for scenario=ads has 40 rows, the rule asks for 41"
    assert check([rule], {"click": measured()}).reasons == (reason,)


def test_the_directions_are_those_of_the_configuration() -> None:
    assert gate._LOWER_IS_BETTER | {"loss"} == declared.LOWER_IS_BETTER
    assert gate._NEITHER_IS_BETTER == declared.NEITHER_IS_BETTER
