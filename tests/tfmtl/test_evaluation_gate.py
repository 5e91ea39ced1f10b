"""The gate's decisions, and the lines it gives for them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import pytest

from tfmtl.evaluation import Figures, Summary, Verdict, check


@dataclass(frozen=True)
class Threshold:
    task: str = "click"
    metric: str = "auc"
    at_least: float | None = None
    at_most: float | None = None
    not_worse_by: float | None = None
    confidence: float | None = None
    slices: str | None = None
    slice: dict[str, str] | None = None
    min_rows: int | None = None


def summary(ads: float | None = 0.7, **overall: float | None) -> Summary:
    by_scenario: dict[str, Figures] = {"search": {"auc": 0.8}, "ads": {"auc": ads}}
    return {"overall": overall, "slices": {"scenario": by_scenario, "empty": {}}}


def one(rule: Threshold, *metrics: Summary) -> Verdict:
    """Check one rule against the model's metrics and, if given, the pushed model's."""
    return check([rule], *({"click": task} for task in metrics))


def test_no_rules_no_blessing() -> None:
    verdict = check([], {"click": summary(auc=1.0)})
    assert verdict == Verdict(False, ("no thresholds declared; add rules under gate",), ())


@pytest.mark.parametrize(
    ("rule", "figure", "holds", "text"),
    [
        (Threshold(at_least=0.7), 0.7, True, "click auc is 0.7, at least 0.7"),
        (Threshold(at_least=0.7), 0.69, False, "click auc is 0.69, below 0.7"),
        (Threshold(at_most=0.9), 0.9, True, "click auc is 0.9, at most 0.9"),
        (Threshold(at_most=0.9), 0.95, False, "click auc is 0.95, above 0.9"),
    ],
)
def test_fixed_limits(rule: Threshold, figure: float, holds: bool, text: str) -> None:
    verdict = one(rule, summary(auc=figure))
    (outcome,) = verdict.outcomes
    assert verdict.blessed is outcome.holds is holds
    assert outcome.text == text
    assert verdict.reasons == (() if holds else (text,))
    assert (outcome.task, outcome.metric, outcome.slice) == ("click", "auc", "overall")
    assert outcome.bound == ("at_least" if rule.at_least else "at_most")
    assert (outcome.figure, outcome.limit) == (figure, rule.at_least or rule.at_most)


@pytest.mark.parametrize(
    ("metric", "figure", "pushed", "limit", "holds"),
    [
        ("auc", 0.698, 0.70, 0.698, True),
        ("auc", 0.697, 0.70, 0.698, False),
        ("auc", 0.9, 0.70, 0.698, True),
        ("recall@10", 0.1, 0.3, 0.298, False),
        ("ndcg@10_unseen", 0.3, 0.1, 0.098, True),
        ("log_loss", 0.302, 0.30, 0.302, True),
        ("log_loss", 0.303, 0.30, 0.302, False),
        ("log_loss", 0.1, 0.30, 0.302, True),
        ("normalized_entropy", 0.9, 0.8, 0.802, False),
        ("ece", 0.03, 0.02, 0.022, False),
        ("rmse", 1.1, 1.0, 1.002, False),
        ("mae", 1.1, 1.0, 1.002, False),
    ],
)
def test_not_worse_than_the_pushed_model(
    metric: str, figure: float, pushed: float, limit: float, holds: bool
) -> None:
    rule = Threshold(metric=metric, not_worse_by=0.002)
    verdict = one(rule, summary(**{metric: figure}), summary(**{metric: pushed}))
    assert verdict.blessed is holds
    assert verdict.outcomes[0].limit == pytest.approx(limit)
    words = f"(pushed model {pushed:g}, may be worse by 0.002)"
    assert verdict.outcomes[0].text.endswith(words)


def test_the_line_of_a_model_that_is_worse() -> None:
    verdict = one(Threshold(not_worse_by=0.01), summary(auc=0.72), summary(auc=0.75))
    assert verdict.reasons == (
        "click auc is 0.72, below 0.74 (pushed model 0.75, may be worse by 0.01)",
    )


def test_nothing_to_compare_with_holds_and_says_so() -> None:
    rule = Threshold(not_worse_by=0.01)
    found = {"click": summary(auc=0.72)}
    first = check([rule], found, None)
    assert first.blessed
    assert first.outcomes[0].text == "click auc is 0.72; no pushed model to compare with"
    without_figure: list[dict[str, Summary]] = [{}, {"click": summary(auc=None)}]
    for baseline in [*without_figure, {"click": summary()}]:
        verdict = check([rule], found, baseline)
        assert verdict.blessed
        assert verdict.outcomes[0].limit is None
        assert "the pushed model has no such figure" in verdict.outcomes[0].text


@pytest.mark.parametrize("figure", [None, float("nan")])
@pytest.mark.parametrize(
    "rule", [Threshold(at_least=0.1), Threshold(at_most=1), Threshold(not_worse_by=1)]
)
def test_an_undefined_figure_does_not_hold(rule: Threshold, figure: float | None) -> None:
    verdict = one(rule, summary(auc=figure))
    assert not verdict.blessed
    assert verdict.outcomes[0].figure is None
    assert verdict.reasons[0].startswith("click auc has no value: ")


def test_slices_hold_one_by_one() -> None:
    rule = Threshold(at_least=0.75, slices="scenario")
    verdict = one(rule, summary(ads=0.7, auc=0.9))
    assert [(o.slice, o.holds) for o in verdict.outcomes] == [
        ("scenario=search", True),
        ("scenario=ads", False),
    ]
    assert verdict.reasons == ("click auc for scenario=ads is 0.7, below 0.75",)


def test_slices_are_compared_with_the_same_slice_of_the_pushed_model() -> None:
    rule = Threshold(not_worse_by=0.01, slices="scenario")
    verdict = one(rule, summary(ads=0.6, auc=0.5), summary(ads=0.65, auc=0.1))
    assert [o.holds for o in verdict.outcomes] == [True, False]
    new_slice: Summary = {"overall": {}, "slices": {"scenario": {"search": {"auc": 0.8}}}}
    assert one(rule, summary(ads=0.6, auc=0.5), new_slice).blessed is True


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Threshold(task="cart", at_least=0), "no task 'cart' was evaluated; there is click"),
        (Threshold(metric="AUC", at_least=0), "no metric 'AUC'; there is auc, calibration"),
        (Threshold(slices="age", at_least=0), "no slices by 'age'; there is scenario, empty"),
        (Threshold(slices="empty", at_least=0), "no rows in any slice by 'empty'"),
        (Threshold(), "no limit declared; set at_least, at_most or not_worse_by"),
        (Threshold(metric="calibration", not_worse_by=1), "neither higher nor lower is better"),
    ],
)
def test_a_rule_that_cannot_be_checked_does_not_hold(rule: Threshold, text: str) -> None:
    verdict = one(rule, summary(auc=0.9, calibration=1.0))
    assert not verdict.blessed
    (reason,) = verdict.reasons
    assert reason.startswith(f"{rule.task} {rule.metric}: {text}")
    assert verdict.outcomes[0].bound == ""


def test_each_bound_of_each_rule_counts() -> None:
    rules = [Threshold(at_least=0.6, at_most=0.8, not_worse_by=0.5), Threshold(at_least=0.9)]
    verdict = check(rules, {"click": summary(auc=0.7)}, {"click": summary(auc=0.7)})
    assert [(o.bound, o.holds) for o in verdict.outcomes] == [
        ("at_least", True),
        ("at_most", True),
        ("not_worse_by", True),
        ("at_least", False),
    ]
    assert not verdict.blessed
    json.dumps(asdict(verdict), allow_nan=False)


def test_a_pushed_model_that_cannot_be_measured_stops_the_comparison_only() -> None:
    rules = [Threshold(at_least=0.5), Threshold(not_worse_by=0.01)]
    verdict = check(rules, {"click": summary(auc=0.9)}, None, "version 3: it reads 'colour'")
    assert [outcome.holds for outcome in verdict.outcomes] == [True, False]
    text = "click auc: the pushed model could not be measured: version 3: it reads 'colour'"
    assert verdict.reasons == (text,)
