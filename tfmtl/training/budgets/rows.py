"""Rows by scenario: how many there are, and a batch without some of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
import tensorflow as tf

from tfmtl.config import Config
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import RESERVED


def some_rows(batch: Any, shares: tf.Tensor) -> Any:
    """The first rows of every scenario in a batch, as many as its share.

    Batches are shuffled, so that the first rows are any rows; which they are does not depend on
    random numbers, and a training that goes on takes the same ones.

    Args:
        batch: inputs, labels and weights, `[batch, ...]`; the scenarios are among the inputs.
        shares: of every scenario, in their order, in (0, 1]. Rows of an unknown one all stay.

    Returns:
        The batch with fewer rows, in the same order; at least one of every scenario that it has.
    """
    ids = batch[0][columns.SCENARIO]
    count = tf.shape(shares)[0]
    place = tf.where(ids >= RESERVED, ids - RESERVED, count)
    of_scenario = tf.one_hot(place, count + 1)
    rank = tf.reduce_sum(of_scenario * tf.cumsum(of_scenario, exclusive=True), axis=1)
    wanted = tf.math.ceil(tf.reduce_sum(of_scenario, axis=0) * tf.concat([shares, [1.0]], axis=0))
    kept = tf.where(rank < tf.gather(wanted, place))[:, 0]
    return tf.nest.map_structure(lambda values: tf.gather(values, kept), batch)


def rows_by_scenario(examples: Path, config: Config) -> dict[str, int]:
    """Rows of a split by scenario, in their order; `{"": rows}` where none is declared."""
    rows = ds.dataset(examples, format="parquet")
    if not config.scenario:
        return {"": rows.count_rows()}
    ids = rows.to_table(columns=[columns.SCENARIO])[0].to_numpy()
    count = len(config.scenario.values)
    counts = np.bincount(ids, minlength=RESERVED + count)[RESERVED : RESERVED + count]
    return dict(zip(config.scenario.values, map(int, counts), strict=True))
