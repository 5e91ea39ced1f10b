"""A small shop on disk and the data components run over it, for the tests of the data pipeline."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.components.base import Component, Context, Summary
from pipelines.components.example_gen import ExampleGen
from pipelines.components.example_validator import ExampleValidator
from pipelines.components.schema_gen import SchemaGen
from pipelines.components.statistics_gen import StatisticsGen
from pipelines.components.transform import Transform
from tfmtl.config import Config, parse

COMPONENTS: tuple[Component, ...] = (
    ExampleGen,
    StatisticsGen,
    SchemaGen,
    ExampleValidator,
    Transform,
)

HEADER = "user,item,scenario,query,device,time,click,buy"

# Validation starts at 80, test at 90: the last time is 99 and both splits take ten seconds.
ROWS = (
    "u1,i1,search,red shoes,phone,10,1,0",
    "u1,i2,search,Red Hats,phone,20,0,0",
    "u2,i1,feed,,tablet,30,1,0",
    "u1,i3,feed,,,40,1,1",
    "u2,i2,feed,,phone,50,0,",
    "u3,i1,search,blue shoes,phone,60,1,0",
    "u1,i1,search,shoes,phone,80,1,0",
    "u2,i3,feed,,watch,89,0,0",
    "u1,i4,search,green,phone,90,1,0",
    "u4,i2,feed,,watch,99,0,1",
)

ITEMS = {
    "item": ["i1", "i2", "i3", "i5"],
    "brand": ["acme", "acme", "zed", "nova"],
    "price": [1.0, 3.0, None, 9.0],
    "name": ["One", "Two", "", "Five"],
}


def shop_config(**changes: Any) -> Config:
    """The shop's configuration; keyword arguments replace top-level parts of it."""
    raw: dict[str, Any] = {
        "name": "tiny",
        "source": {
            "impressions": {"path": "log.csv", "time": "time", "user": "user", "item": "item"},
            "items": {"path": "items.parquet", "key": "item", "title": "name"},
        },
        "features": {
            "user": [{"name": "user_id", "column": "user", "kind": "id"}],
            "item": [
                {"name": "item_id", "column": "item", "kind": "id"},
                {"name": "brand", "kind": "categorical"},
                {"name": "price", "kind": "numeric"},
            ],
            "query": [{"name": "query", "kind": "text", "length": 3, "min_count": 1}],
            "context": [{"name": "device", "kind": "categorical"}],
            "history": [{"of": ["item_id", "brand"], "where": "click", "last": 2}],
        },
        "scenario": {"column": "scenario", "values": ["search", "feed"]},
        "tasks": {
            "retrieve": {"kind": "retrieval", "positive": "click"},
            "click": {"kind": "binary", "label": "click"},
            "buy": {"kind": "binary", "label": "buy", "scenarios": ["feed"]},
        },
        "split": {"by": "time", "validation": "10s", "test": "10s"},
        "evaluation": {"slices": ["device"]},
    }
    return parse({**raw, **changes})


def write_shop(data: Path, rows: tuple[str, ...] = ROWS, items: Any = None) -> None:
    """Writes the shop's log and items."""
    data.mkdir(parents=True, exist_ok=True)
    (data / "log.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    pq.write_table(pa.table(items or ITEMS), data / "items.parquet")


@dataclass
class Ran:
    """What a run left: summaries by component, and where the artifacts lie."""

    config: Config
    directory: Path
    summaries: dict[str, Summary]
    progress: list[tuple[Any, ...]]

    def table(self, artifact: str) -> pa.Table:
        """Parquet files of an artifact, e.g. `transformed/train`."""
        return pq.read_table(self.directory / "artifacts" / artifact)

    def rows(self, artifact: str) -> list[dict[str, Any]]:
        """The same as Python rows."""
        return self.table(artifact).to_pylist()


def run_components(config: Config, data: Path, directory: Path, count: int = 5) -> Ran:
    """Runs the first `count` data components."""
    ran = Ran(config, directory, {}, [])
    artifacts = directory / "artifacts"
    for component in COMPONENTS[:count]:
        output = artifacts / component.produces
        output.mkdir(parents=True)
        context = Context(
            config=config,
            data=data,
            run=directory,
            serving=directory / "serving",
            progress=lambda *args: ran.progress.append(args),
        )
        ran.summaries[component.name] = component.execute(context, artifacts, output)
    return ran
