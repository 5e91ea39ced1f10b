"""What ran, when, on what and with what result: the lineage of a run directory, in SQLite.

    with Store(Path("out/shop/metadata.sqlite")) as store: ...      # the runner, which alone writes
    with reading(Path("out/shop/metadata.sqlite")) as reader: ...   # everybody else

The model is that of ML Metadata: executions of components read and write artifacts, events tie the
two together, and contexts (pipeline, run, experiment) hold what belongs together. Types say what
each of them is, properties whatever else is known of it. The file serves people and the report;
caching does not depend on it.
"""

from pipelines.metadata.lineage import Lineage, lineage
from pipelines.metadata.opening import StoreError, reading
from pipelines.metadata.reader import Reader
from pipelines.metadata.records import Artifact, DataFile, Execution, Run, State
from pipelines.metadata.store import Store

__all__ = [
    "Artifact",
    "DataFile",
    "Execution",
    "Lineage",
    "Reader",
    "Run",
    "State",
    "Store",
    "StoreError",
    "lineage",
    "reading",
]
