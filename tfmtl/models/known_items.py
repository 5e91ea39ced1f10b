"""The items that a loss over the catalogue goes by."""

from pathlib import Path

import pyarrow.parquet as pq

from tfmtl.models.catalogue import catalogue_inputs
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.retrieval import RetrievalNetwork
from tfmtl.models.saved import CATALOGUE
from tfmtl.preprocessing import columns


def know_catalogue(model: MultiTaskModel, transformed: Path) -> None:
    """Tells a model whose retrieval loss goes over the catalogue of its items.

    Args:
        model: the model; one with another loss, or without a retrieval task, is left as it is.
        transformed: Transform's artifact, or the directory of a model.
    """
    if not isinstance(model.retrieval, RetrievalNetwork) or model.retrieval.softmax is None:
        return
    catalogue = pq.read_table(transformed / CATALOGUE)
    probabilities = catalogue[columns.SAMPLING_PROBABILITY].to_numpy()
    model.retrieval.know(catalogue_inputs(model, catalogue), probabilities)
