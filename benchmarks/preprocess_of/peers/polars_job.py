"""The whole job in polars: `python polars_job.py DATA OUT`; DATA is the directory of the workload.

Reads the CSV as text, sets bad rows aside, counts values by split, makes vocabularies, moments and
quantiles, the catalogue, ids and histories, and writes shuffled Parquet with the columns that the
library writes.
"""

import json
import sys
from pathlib import Path

import polars as pl

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
NUMBERS = ("price", "score")
LABELS = ("click", "cart", "purchase")
SCENARIOS = ("search", "feed", "ads")
MIN_COUNT = {"user_id": 5, "item_id": 5, "query": 2}
LAST, DAY, ROW_GROUP = 20, 86_400, 16_384
SPLITS = ("train", "validation", "test")
QUANTILES = tuple(i / 10 for i in range(11))


def main(data: Path, out: Path) -> None:
    """Does the job."""
    out.mkdir(parents=True)
    log = read(data, out)
    log = log.with_columns(split=split_of(log["timestamp"].max()))
    vocabularies, moments = analyse(log, out)
    catalogue(log, vocabularies, moments, out)
    write(transformed(log, vocabularies, moments, out), out)


def read(data: Path, out: Path) -> pl.DataFrame:
    """The good rows, cast; the bad ones go to Parquet with their reason."""
    raw = pl.scan_csv(
        data / "log" / "*.csv",
        infer_schema=False,
        empty_string_is_null=False,
        row_index_name="row",
        include_file_paths="file",
    )
    cast = raw.with_columns(
        *[pl.col(n).cast(pl.Float32, strict=False).alias(f"as {n}") for n in (*NUMBERS, *LABELS)],
        pl.col("timestamp").cast(pl.Int64, strict=False).alias("as timestamp"),
    )
    number = [
        (pl.col(f"as {n}").is_null() & (pl.col(n) != ""), f"{n} is not a number")
        for n in (*NUMBERS, *LABELS)
    ]
    label = [
        (~pl.col(f"as {n}").is_in([0.0, 1.0]) & (pl.col(n) != ""), f"{n} is not 0 or 1")
        for n in LABELS
    ]
    faults = [
        (pl.col("user_id") == "", "missing user"),
        (pl.col("item_id") == "", "missing item"),
        (~pl.col("scenario").is_in(SCENARIOS), "unknown scenario"),
        (pl.col("as timestamp").is_null(), "unparsable time"),
        *number,
        *label,
    ]
    reason = pl.coalesce(*[pl.when(bad).then(pl.lit(why)) for bad, why in faults])
    rows = cast.with_columns(reason=reason).collect()
    bad = rows.filter(pl.col("reason").is_not_null())
    bad.select("file", "row", "reason", *TEXTS, "timestamp", *LABELS).write_parquet(
        out / "dead_letters.parquet"
    )
    names = (*NUMBERS, *LABELS, "timestamp")
    good = rows.filter(pl.col("reason").is_null())
    return good.select(
        pl.col("row").cast(pl.Int64), *TEXTS, *[pl.col(f"as {n}").alias(n) for n in names]
    )


def split_of(last: int) -> pl.Expr:
    """0 for training rows, 1 for validation rows, 2 for test rows."""
    time, test = pl.col("timestamp"), last + 1 - DAY
    return (time >= test - DAY).cast(pl.Int8) + (time >= test).cast(pl.Int8)


def analyse(log: pl.DataFrame, out: Path) -> tuple[dict[str, list[str]], dict[str, dict]]:
    """Vocabularies and moments of the training rows; the statistics of every split are written."""
    vocabularies = {}
    for name in TEXTS:
        counts = log.group_by("split", name).len()
        counts.sort(["split", "len", name], descending=[False, True, False]).write_parquet(
            out / f"counts.{name}.parquet"
        )
        if name != "scenario":
            kept = counts.filter(
                (pl.col("split") == 0)
                & (pl.col("len") >= MIN_COUNT.get(name, 1))
                & (pl.col(name) != "")
            ).sort(["len", name], descending=[True, False])
            vocabularies[name] = kept[name].to_list()
            (out / f"{name}.txt").write_text("".join(f"{v}\n" for v in vocabularies[name]))
    moments = {
        f"{SPLITS[split]}/{name}": describe(part[name])
        for (split,), part in log.select("split", *NUMBERS, *LABELS)
        .partition_by("split", as_dict=True)
        .items()
        for name in (*NUMBERS, *LABELS)
    }
    prices = log.filter(pl.col("split") == 0)["price"]
    moments["log/price"] = describe(prices.filter(prices >= 0).cast(pl.Float64).log1p())
    sums = log.group_by("split", "scenario").agg(
        pl.len(), *[pl.col(n).count().alias(f"count {n}") for n in LABELS], pl.col(LABELS).sum()
    )
    (out / "labels.json").write_text(json.dumps(sums.sort("split", "scenario").to_dicts()))
    (out / "moments.json").write_text(json.dumps(moments))
    return vocabularies, moments


def describe(values: pl.Series) -> dict[str, object]:
    """Count, missing, mean, deviation and deciles of numbers."""
    known = values.cast(pl.Float64).drop_nulls().sort()
    return {
        "count": len(known),
        "missing": values.null_count(),
        "zeros": int((known == 0).sum()),
        "mean": known.mean(),
        "deviation": known.std(ddof=0),
        "quantiles": [known.quantile(q) for q in QUANTILES],
    }


def scaled(name: str, moments: dict[str, dict]) -> pl.Expr:
    """A number with the training rows' mean 0 and deviation 1; a missing one is the mean."""
    known = moments["log/price" if name == "price" else f"train/{name}"]
    value = pl.col(name).log1p() if name == "price" else pl.col(name)
    return (
        ((value - known["mean"]) / known["deviation"]).cast(pl.Float32).fill_null(0.0).alias(name)
    )


def ids(name: str, vocabulary: list[str]) -> pl.Expr:
    """Ids of texts: 0 for "", 1 for unknown ones, 2 and up by frequency."""
    known = pl.col(name).cast(pl.Enum(vocabulary), strict=False).to_physical().cast(pl.Int32) + 2
    return pl.when(pl.col(name) == "").then(pl.lit(0, pl.Int32)).otherwise(known.fill_null(1))


def catalogue(
    log: pl.DataFrame, vocabularies: dict[str, list[str]], moments: dict[str, dict], out: Path
) -> None:
    """Every item once, as its latest row has it, with its share of the training clicks."""
    order = log.select("timestamp", "row").with_row_index("at").sort("timestamp", "row")["at"]
    latest = log.select("item_id", "category", "brand", "price")[order].unique(
        "item_id", keep="last"
    )
    clicks = log.filter((pl.col("split") == 0) & (pl.col("click") == 1)).group_by("item_id").len()
    items = latest.join(clicks, "item_id", "left").sort("item_id")
    share = pl.col("len").fill_null(0).clip(0.5) / clicks["len"].sum()
    items.select(
        "item_id",
        *[ids(n, vocabularies[n]).alias(f"id {n}") for n in ("item_id", "category", "brand")],
        scaled("price", moments).alias("scaled price"),
        "category",
        "brand",
        "price",
        share.cast(pl.Float32).alias("sampling_probability"),
    ).write_parquet(out / "catalogue.parquet")


def transformed(
    log: pl.DataFrame, vocabularies: dict[str, list[str]], moments: dict[str, dict], out: Path
) -> pl.DataFrame:
    """Ids, numbers, labels and histories."""
    items = pl.read_parquet(out / "catalogue.parquet")
    keys = items["item_id"].to_list()
    rows = log.select(
        "row",
        "split",
        "timestamp",
        *[ids(n, vocabularies[n]).alias(n) for n in TEXTS if n != "scenario"],
        *[scaled(n, moments) for n in NUMBERS],
        *LABELS,
        user_key="user_id",
        scenario_key="scenario",
        item=pl.col("item_id").cast(pl.Enum(keys)).to_physical().cast(pl.Int32),
        scenario=pl.col("scenario").cast(pl.Enum(SCENARIOS)).to_physical().cast(pl.Int32) + 2,
        weight=pl.lit(1.0, pl.Float32),
        positive=(pl.col("click") == 1).cast(pl.Int8),
    )
    rows = rows.with_columns(
        sampling_probability=items["sampling_probability"].gather(rows["item"])
    )
    return with_histories(rows, items["id item_id"])


def with_histories(rows: pl.DataFrame, ids_of_items: pl.Series) -> pl.DataFrame:
    """The last 20 items that a row's user clicked strictly earlier, the latest first."""
    user = pl.col("user_key").cast(pl.Categorical).to_physical().alias("user")
    rows = rows.with_columns(user)
    clicks = rows.filter(pl.col("positive") == 1).sort("user", "timestamp", "row")
    clicks = clicks.select("user", "timestamp", clicked=ids_of_items.gather(clicks["item"]))
    last = pl.concat_list(
        [pl.col("clicked").shift(n).over("user").fill_null(0) for n in range(LAST)]
    )
    clicks = clicks.with_columns(history=last.list.to_array(LAST)).drop("clicked")
    found = rows.sort("timestamp").join_asof(
        clicks.sort("timestamp", maintain_order=True),
        on="timestamp",
        by="user",
        strategy="backward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    nothing = pl.lit([0] * LAST, pl.Array(pl.Int32, LAST))
    return found.with_columns(pl.col("history").fill_null(nothing)).drop("user")


def write(rows: pl.DataFrame, out: Path) -> None:
    """Training rows in random order, the others in the log's."""
    for number, split in enumerate(SPLITS):
        part = rows.filter(pl.col("split") == number)
        part = part.sample(fraction=1, shuffle=True, seed=7) if number == 0 else part.sort("row")
        part.drop("row", "split").write_parquet(
            out / f"{split}.parquet",
            row_group_size=ROW_GROUP,
            compression="lz4",
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
