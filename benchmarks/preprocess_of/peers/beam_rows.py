"""The same job in Beam with a dict a row: `python beam_rows.py DATA OUT`.

It is what Beam's tutorials lead to: parse a line to a dict, count with combiners, look ids up in
side inputs, group by user for the histories, group by shard to shuffle, write Parquet.
"""

import json
import math
import random
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.stats import ApproximateQuantiles

TEXTS = (
    "user_id",
    "item_id",
    "scenario",
    "query",
    "position",
    "device",
    "age_band",
    "region",
    "category",
    "brand",
)
NUMBERS, LABELS = ("price", "score"), ("click", "cart", "purchase")
COLUMNS = (*TEXTS, *NUMBERS, "timestamp", *LABELS)
SCENARIOS = ("search", "feed", "ads")
MIN_COUNT = {"user_id": 5, "item_id": 5, "query": 2}
SPLITS = ("train", "validation", "test")
LAST, DAY, SHARDS, ROW_GROUP = 20, 86_400, 16, 16_384

Row = dict[str, Any]


class Parse(beam.DoFn):
    """A line as a dict, or as a dead letter with its reason."""

    def process(self, line: str) -> Iterator[Any]:
        row: Row = dict(zip(COLUMNS, line.split(","), strict=True))
        try:
            if not row["user_id"] or not row["item_id"]:
                raise ValueError("missing key")
            if row["scenario"] not in SCENARIOS:
                raise ValueError("unknown scenario")
            row["timestamp"] = int(row["timestamp"])
            for name in (*NUMBERS, *LABELS):
                row[name] = float(row[name]) if row[name] else None
            if any(row[name] not in (0.0, 1.0, None) for name in LABELS):
                raise ValueError("label is not 0 or 1")
        except ValueError as error:
            yield beam.pvalue.TaggedOutput("rejected", {"line": line, "reason": str(error)})
        else:
            yield row


def split_of(row: Row, last: int) -> int:
    """Number of the row's split."""
    test = last + 1 - DAY
    return int(row["timestamp"] >= test - DAY) + int(row["timestamp"] >= test)


def text_keys(row: Row, last: int) -> Iterator[tuple[tuple[str, int, str], int]]:
    """What is counted of a row."""
    split = split_of(row, last)
    for name in TEXTS:
        yield (name, split, row[name]), 1


def number_keys(row: Row, last: int) -> Iterator[tuple[str, float]]:
    """The numbers of which moments and quantiles are wanted."""
    split = split_of(row, last)
    for name in (*NUMBERS, *LABELS):
        if row[name] is not None:
            yield f"{SPLITS[split]}/{name}", row[name]
    if split == 0 and row["price"] is not None and row["price"] >= 0:
        yield "log/price", math.log1p(row["price"])


class Moments(beam.CombineFn):
    """Count, sum and sum of squares."""

    def create_accumulator(self) -> tuple[int, float, float]:
        return 0, 0.0, 0.0

    def add_input(self, accumulator: Any, element: float) -> Any:
        count, total, squares = accumulator
        return count + 1, total + element, squares + element * element

    def merge_accumulators(self, accumulators: Iterable[Any]) -> Any:
        return tuple(map(sum, zip(*accumulators, strict=True)))

    def extract_output(self, accumulator: Any) -> dict[str, float]:
        count, total, squares = accumulator
        mean = total / count
        return {"mean": mean, "deviation": math.sqrt(max(squares / count - mean**2, 0))}


def to_vocabulary(name: str, counted: Iterable[tuple[str, int]]) -> tuple[str, dict[str, int]]:
    """Ids of a column's values."""
    kept = [(v, n) for v, n in counted if v and n >= MIN_COUNT.get(name, 1)]
    kept.sort(key=lambda pair: (-pair[1], pair[0]))
    return name, {value: place + 2 for place, (value, _) in enumerate(kept)}


def newer(rows: Iterable[Row]) -> Row:
    """The latest of some rows."""
    return max(rows, key=lambda row: row["timestamp"])


class Encode(beam.DoFn):
    """Ids, scaled numbers, labels."""

    def process(
        self, row: Row, last: int, vocabularies: dict[str, dict[str, int]], moments: dict[str, Any]
    ) -> Iterator[tuple[str, Row]]:
        made: Row = {
            "split": split_of(row, last),
            "timestamp": row["timestamp"],
            "user_key": row["user_id"],
            "scenario_key": row["scenario"],
            "scenario": SCENARIOS.index(row["scenario"]) + 2,
            "weight": 1.0,
            "positive": int(row["click"] == 1),
        }
        for name in TEXTS:
            if name != "scenario":
                made[name] = vocabularies[name].get(row[name], 1) if row[name] else 0
        for name in NUMBERS:
            known = moments["log/price" if name == "price" else f"train/{name}"]
            value = row[name]
            if value is not None and name == "price":
                value = math.log1p(value)
            made[name] = 0.0 if value is None else (value - known["mean"]) / known["deviation"]
        for name in LABELS:
            made[name] = row[name]
        yield row["user_id"], made


def with_histories(keyed: tuple[str, Iterable[Row]]) -> Iterator[Row]:
    """The last items that the user clicked strictly earlier."""
    rows = sorted(keyed[1], key=lambda row: row["timestamp"])
    clicks = [row for row in rows if row["positive"]]
    times, items = [row["timestamp"] for row in clicks], [row["item_id"] for row in clicks]
    for row in rows:
        end = bisect_left(times, row["timestamp"])
        past = items[max(0, end - LAST) : end][::-1]
        yield {**row, "history": past + [0] * (LAST - len(past))}


def by_shard(row: Row) -> tuple[tuple[int, int], Row]:
    """The row with a random shard of its split."""
    return (row["split"], random.randrange(SHARDS)), row


def write_shard(keyed: tuple[tuple[int, int], Iterable[Row]], out: str) -> None:
    """Writes a shard in random order."""
    (split, shard), rows = keyed[0], list(keyed[1])
    random.shuffle(rows)
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, f"{out}/{SPLITS[split]}-{shard}.parquet", row_group_size=ROW_GROUP)


def write_json(value: Any, path: str) -> None:
    """Writes what a combiner made."""
    Path(path).write_text(json.dumps(value), encoding="utf-8")


def main(data: Path, out: Path) -> None:
    """Does the job."""
    out.mkdir(parents=True)
    options = PipelineOptions(["--direct_running_mode=in_memory"])
    with beam.Pipeline(runner="FnApiRunner", options=options) as pipeline:
        parsed = (
            pipeline
            | beam.io.ReadFromText(str(data / "log" / "*.csv"), skip_header_lines=1)
            | beam.ParDo(Parse()).with_outputs("rejected", main="rows")
        )
        _ = (
            parsed["rejected"]
            | beam.combiners.ToList()
            | "Write rejected" >> beam.Map(write_json, f"{out}/dead_letters.json")
        )
        rows = parsed["rows"]
        last = beam.pvalue.AsSingleton(
            rows | beam.Map(lambda row: row["timestamp"]) | beam.CombineGlobally(max)
        )
        counts = rows | beam.FlatMap(text_keys, last) | "Sum" >> beam.CombinePerKey(sum)
        _ = (
            counts
            | "All counts" >> beam.combiners.ToList()
            | "Write counts" >> beam.Map(write_json, f"{out}/counts.json")
        )
        vocabularies = beam.pvalue.AsDict(
            counts
            | beam.Filter(lambda counted: counted[0][1] == 0)
            | beam.Map(lambda counted: (counted[0][0], (counted[0][2], counted[1])))
            | "By column" >> beam.GroupByKey()
            | beam.MapTuple(to_vocabulary)
        )
        numbers = rows | beam.FlatMap(number_keys, last)
        moments = beam.pvalue.AsDict(numbers | beam.CombinePerKey(Moments()))
        _ = (
            numbers
            | ApproximateQuantiles.PerKey(11)
            | beam.combiners.ToDict()
            | "Write quantiles" >> beam.Map(write_json, f"{out}/quantiles.json")
        )
        _ = (
            rows
            | beam.Map(lambda row: (row["item_id"], row))
            | "Latest" >> beam.CombinePerKey(newer)
            | beam.Values()
            | "Catalogue" >> beam.combiners.ToList()
            | "Write items" >> beam.Map(write_json, f"{out}/catalogue.json")
        )
        _ = (
            rows
            | beam.ParDo(Encode(), last, vocabularies, moments)
            | "By user" >> beam.GroupByKey()
            | beam.FlatMap(with_histories)
            | beam.Map(by_shard)
            | "By shard" >> beam.GroupByKey()
            | "Write shards" >> beam.Map(write_shard, str(out))
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
