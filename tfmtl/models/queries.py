"""Queries that the model has not learnt from, kept beside it: an index is measured with them.

DIRECTORY/queries.parquet   the query tower's inputs in rows of positives of the validation split
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from tfmtl.config import Config
from tfmtl.models.catalogue import column_array, in_batches
from tfmtl.models.encoded_texts import encoded_texts
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.text_vectors import text_vectors

QUERIES = "queries.parquet"
_MOST = 1000


def write_queries(config: Config, transformed: Path, directory: Path) -> None:
    """Keeps queries of the validation split, evenly over its rows; none where nothing is
    retrieved.

    Args:
        config: the configuration.
        transformed: Transform's artifact.
        directory: the model's.
    """
    if not config.retrieval_task:
        return
    rows = ds.dataset(transformed / "validation", format="parquet")
    positive = ds.field(columns.POSITIVE) > 0
    found = rows.to_table(columns=config.query_features, filter=positive)
    places = np.unique(np.linspace(0, len(found) - 1, min(len(found), _MOST)).astype(np.int64))
    kept = found.take(pa.array(places))
    for name, known in text_vectors(transformed, config).items():
        if name in kept.column_names:
            vectors = known[kept[name].to_numpy()]
            lists = pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1])
            kept = kept.set_column(kept.column_names.index(name), name, lists)
    pq.write_table(kept, directory / QUERIES)


def held_out_queries(model: MultiTaskModel, home: Path) -> np.ndarray | None:
    """Vectors of the queries that lie in a model's directory, `[queries, dim]`; None where none
    do."""
    path = home / QUERIES
    rows = pq.read_table(path) if path.is_file() else None
    if not rows:
        return None
    spec = model.inputs_spec
    inputs = {name: column_array(rows[name], spec[name]) for name in model.config.query_features}
    return in_batches(model.query_vectors, encoded_texts(model, inputs))
