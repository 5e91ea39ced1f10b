"""The simulated shop: how near models come to the probabilities that are known.

The oracle scores the test rows by their true probabilities, popularity by the items' click rates in
training. A million impressions of 400 users and 1,000 items: 2,500 a user, of which 125 are clicks.
How much of the gap models can close depends on that: a user's taste has 16 dimensions, and with a
tenth of the impressions it is known less well.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq
import yaml

from benchmarks.figures import Bar
from benchmarks.quality_of.experiments import Metrics, Table, changed, measure, only, transform
from pipelines.commands.common import SHIPPED
from pipelines.simulator import simulate
from tfmtl.evaluation.binary import auc

SIZE = {"impressions": 1_000_000, "users": 400, "items": 1_000, "seed": 11}
SHOP: dict[str, Any] = yaml.safe_load((SHIPPED / "shop.yaml").read_text(encoding="utf-8"))
WINDOWS = [
    {"name": f"{kind}_{'_'.join(by)}", "kind": kind, "of": of, "by": by, "window": "14d"}
    for by in (["user"], ["item"], ["user", "category"], ["user", "brand"])
    for kind, of in (("rate", "click"), ("count", "rows"))
]
"""What users and items did before: without it a model learns tastes from ids alone."""
CONFIG: dict[str, Any] = {
    **SHOP,
    "features": {**SHOP["features"], "windows": WINDOWS},
    "model": {**SHOP["model"], "interaction": {"kind": "dcn_v2"}},
}
CHAIN = {"tasks.cart.after": "click", "tasks.purchase.after": "cart"}
TASKS = {"click": "p_click", "cart": "p_cart_all", "purchase": "p_purchase_all"}
SCENARIOS = ("search", "feed", "ads")
DAY = 86_400
TRUNKS: dict[str, dict[str, Any]] = {
    "shared_bottom": {"kind": "shared_bottom", "units": [256, 128]},
    "mmoe": {"kind": "mmoe", "experts": 4, "units": [128, 64]},
    "ple": {"kind": "ple", "levels": 1, "shared_experts": 2, "task_experts": 1, "units": [128, 64]},
}
FUNNELS = ("esmm", "aitm", "escm2")
_PRIOR = 100
"""Impressions of mean click rate that an item starts with."""


def yardsticks(logs: Path) -> dict[str, dict[str, float]]:
    """AUC of the oracle and of popularity on the last day: `{"oracle": {"click search": x}}`."""
    truth = pq.read_table(logs / "truth.parquet")
    rows = _rows(logs, truth["impression_id"].combine_chunks())
    places = rows["place"]
    test = rows["timestamp"] > rows["timestamp"].max() - DAY
    items = np.unique(rows["item_id"], return_inverse=True)[1]
    found: dict[str, dict[str, float]] = {"oracle": {}, "popularity": {}}
    for task, column in TASKS.items():
        labels, chances = rows[task], truth[column].to_numpy()[places]
        rates = _rates(items[~test], labels[~test], items.max() + 1)[items]
        for scenario in ("all", *SCENARIOS):
            chosen = test & ((rows["scenario"] == scenario) | (scenario == "all"))
            for name, scores in (("oracle", chances), ("popularity", rates)):
                value = auc(labels[chosen], scores[chosen])
                found[name][f"{task} {scenario}"] = value
    return found


def _rates(items: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Share of positives by item, smoothed towards the mean."""
    shown = np.bincount(items, minlength=count)
    positive = np.bincount(items, labels, minlength=count)
    return (positive + _PRIOR * labels.mean()) / (shown + _PRIOR)


def _rows(logs: Path, known: pa.Array) -> dict[str, np.ndarray]:
    """The log's good lines, by column, and the place of each in the truth."""
    labels = pa.schema([(name, pa.string()) for name in ("timestamp", *TASKS)])
    tables = [
        csv.read_csv(
            file,
            parse_options=csv.ParseOptions(invalid_row_handler=lambda row: "skip"),
            convert_options=csv.ConvertOptions(
                column_types=labels,
                include_columns=["impression_id", "item_id", "scenario", *labels.names],
            ),
        )
        for file in sorted((logs / "impressions").glob("*.csv"))
    ]
    table = pa.concat_tables(tables)
    good = pc.match_substring_regex(table["timestamp"], r"^\d{10}$")
    for name in TASKS:
        good = pc.and_(good, pc.is_in(table[name], value_set=pa.array(["0", "1"])))
    good = pc.and_(good, pc.is_valid(table["item_id"]))
    place = pc.index_in(table["impression_id"], value_set=known)
    table = table.append_column("place", place).filter(pc.and_(good, pc.is_valid(place)))
    rows = {name: table[name].to_numpy() for name in ("place", "item_id", "scenario")}
    return rows | {name: table[name].cast(pa.int64()).to_numpy() for name in labels.names}


def measured(data: Path, work: Path, seeds: Sequence[int]) -> tuple[Table, list[Bar]]:
    """Trunks and funnels between popularity and the oracle."""
    logs = work / "logs"
    if not (logs / "truth.parquet").exists():
        simulate(logs, **SIZE)
    known = yardsticks(logs)
    transformed = transform(CONFIG, logs, work / "run")
    table = Table("The simulated shop, AUC on the last day by scenario")
    for name in ("popularity", "oracle"):
        table.add(name, [known[name]])
    single = [measure(only(CONFIG, task), transformed, seeds, _pick) for task in TASKS]
    runs = [{**a, **b, **c} for a, b, c in zip(*single, strict=True)]
    table.add("a model a task", runs)
    table.baselines = table.means["a model a task"]
    for name, trunk in TRUNKS.items():
        config = changed(CONFIG, {"model.trunk": trunk})
        table.add(name, measure(config, transformed, seeds, _pick))
    best = max(TRUNKS, key=lambda name: table.means[name]["click all"])
    bars = []
    for task in TASKS:
        low, high = (known[name][f"{task} all"] for name in ("popularity", "oracle"))
        share = (table.means[best][f"{task} all"] - low) / (high - low)
        bars.append(Bar(f"shop {best} {task}: share of the gap to the oracle", 0.9, share))
    clicked = _clicked_only(transformed, work / "clicked")
    runs = measure(only(CONFIG, "purchase"), clicked, seeds, _pick)
    table.add("purchase, clicked rows only", runs)
    alone = table.means["purchase, clicked rows only"]["purchase all"]
    for kind in FUNNELS:
        config = changed(CONFIG, {**CHAIN, "model.funnel": {"kind": kind}})
        table.add(kind, measure(config, transformed, seeds, _pick))
        value = table.means[kind]["purchase all"]
        bars.append(Bar(f"shop {kind} purchase auc above clicked rows only", alone, value))
    return table, bars


def _pick(found: Mapping[str, Any]) -> Metrics:
    metrics = {f"{task} all": found[task]["overall"]["auc"] for task in TASKS if task in found}
    for scenario in SCENARIOS:
        metrics |= {
            f"{task} {scenario}": found[task]["slices"]["scenario"][scenario]["auc"]
            for task in TASKS
            if task in found
        }
    return metrics


def _clicked_only(transformed: Path, output: Path) -> Path:
    """The same examples without the purchase labels of training rows that were not clicked."""
    if output.exists():
        shutil.rmtree(output)
    shutil.copytree(transformed, output)
    for file in sorted((output / "train").glob("*.parquet")):
        table = pq.read_table(file)
        place = table.schema.get_field_index("label/purchase")
        kept = pc.if_else(pc.equal(table["label/click"], 1), table["label/purchase"], None)
        pq.write_table(table.set_column(place, table.schema.field(place), kept), file)
    return output
