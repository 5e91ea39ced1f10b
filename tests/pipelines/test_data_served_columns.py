"""Columns of items that no feature reads, but formulas and filters: they reach the catalogue."""

import pytest
from data_components import ITEMS, run_components, shop_config, write_shop

from pipelines.components.base import PipelineError

COLUMNS = {"bid": "number", "seller": "text"}


def test_the_catalogue_keeps_them(tmp_path):
    items = {**ITEMS, "bid": [0.5, None, 2.0, 1.0], "seller": ["a", "b", None, ""]}
    write_shop(tmp_path / "data", items=items)
    config = shop_config(serving={"columns": COLUMNS})
    ran = run_components(config, tmp_path / "data", tmp_path / "run")
    rows = ran.rows("transformed/catalogue.parquet")
    assert [row["key"] for row in rows] == ["i1", "i2", "i3", "i5", "i4"]
    assert [row["raw/bid"] for row in rows] == [0.5, None, 2.0, 1.0, None]
    assert [row["raw/seller"] for row in rows] == ["a", "b", "", "", ""]
    assert "bid" not in ran.rows("transformed/train")[0]


def test_a_column_that_the_items_lack(tmp_path):
    write_shop(tmp_path / "data")
    config = shop_config(serving={"columns": COLUMNS})
    with pytest.raises(PipelineError, match=r"serving\.columns\.bid: there is no column 'bid' in"):
        run_components(config, tmp_path / "data", tmp_path / "run", count=1)
