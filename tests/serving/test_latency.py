"""SavedModels timed by turns."""

from pathlib import Path

import numpy as np

from serving.validation.latency import side_by_side


def test_what_does_more_takes_longer(shop_one: Path, shop_two: Path) -> None:
    steps = {"short": np.int32(1), "long": np.int32(3000)}
    found = side_by_side(
        {"short": shop_one, "long": shop_two},
        {name: {"steps": count} for name, count in steps.items()},
        "slow",
        rounds=20,
    )
    assert [one["calls"] for one in found.values()] == [20, 20]
    for one in found.values():
        assert 0 < one["p50"] <= one["p99"]
    assert found["long"]["p50"] > 3 * found["short"]["p50"]


def test_inputs_with_a_default_may_be_left_out(shop_one: Path) -> None:
    found = side_by_side({"one": shop_one}, {"one": {"x": np.array([1, 2], np.int32)}}, "scaled", 3)
    assert found["one"]["calls"] == 3
