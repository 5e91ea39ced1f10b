"""Names of the served model's signatures and of their own inputs and outputs.

Export, server, client, demonstration and tests take them from here. All other inputs bear the
names of raw columns, all other outputs those of tasks.
"""

from tfmtl.served_names import (
    CANDIDATES,
    EXCLUDE,
    EXCLUDE_SEEN,
    ONLY,
    K,
    allow,
    classes_output,
    deny,
    fuse,
    maximum,
    minimum,
    thresholds_output,
)

__all__ = [
    "CANDIDATES",
    "CLASSES",
    "CLASSIFY",
    "CLASSIFY_CLASSES",
    "CLASSIFY_SCORES",
    "COUNT",
    "DEFAULT",
    "EMBEDDING",
    "EMBED_ITEM",
    "EMBED_USER",
    "EXCLUDE",
    "EXCLUDE_SEEN",
    "INPUTS",
    "ITEM_ID",
    "METHODS",
    "ONLY",
    "PREDICT_EXAMPLES",
    "PREDICT_METHOD",
    "RANK",
    "RANK_ROWS",
    "RECOMMEND",
    "REGRESS",
    "REGRESS_OUTPUTS",
    "RETRIEVAL_SCORE",
    "RETRIEVE",
    "SCORE",
    "THRESHOLDS",
    "K",
    "allow",
    "deny",
    "fuse",
    "maximum",
    "minimum",
]

RANK = "rank"
"""Users or queries, each with candidates -> the prediction of every ranking task,
`[batch, candidates]`; of a task of classes `[batch, candidates, classes]`. What the request says of
users is worked out once for all of their candidates."""
RANK_ROWS = "rank_rows"
"""Rows of user, item, query and context -> the prediction of every ranking task, `[rows]`; of a
task of classes `[rows, classes]`, with their names in an output of its own. Of a task in a funnel
it is the probability over all impressions; `TASK_after_BEFORE` gives the one after the task before.
"""
RETRIEVE = "retrieve"
"""Users and queries -> the items of the catalogue with the highest scores."""
RECOMMEND = "recommend"
"""Users and queries -> items that are retrieved, filtered, ranked and put in order."""
CLASSIFY, REGRESS = "classify", "regress"
"""What the methods of these names run: serialized tf.Examples -> classes and scores, numbers."""
PREDICT_EXAMPLES = "predict_examples"
"""Serialized tf.Examples -> what RANK_ROWS gives."""
EMBED_USER = "embed_user"
"""Users and queries -> vectors, `[batch, dim]`."""
EMBED_ITEM = "embed_item"
"""Items -> vectors of the same space, `[rows, dim]`."""
DEFAULT = "serving_default"
"""What TF Serving runs when a request names no signature: RANK_ROWS, else RETRIEVE."""

PREDICT_METHOD = "tensorflow/serving/predict"
METHODS = {CLASSIFY: "tensorflow/serving/classify", REGRESS: "tensorflow/serving/regress"}
"""Method names that TF Serving asks of a signature; of all others PREDICT_METHOD."""

CLASSES = classes_output
"""Output that names the classes of a task, strings `[rows, classes]`, every row the same:
CLASSES("season") is `season_classes`."""
THRESHOLDS = thresholds_output
"""Output of a task whose threshold is tuned, float32 `[rows]`, every row the same; of a task of
labels `[rows, classes]`: a label is predicted from its threshold on."""
INPUTS = "inputs"
"""The input of CLASSIFY, REGRESS and PREDICT_EXAMPLES, strings `[rows]`."""
CLASSIFY_CLASSES = "classes"
"""Output of CLASSIFY, strings `[rows, classes]`."""
CLASSIFY_SCORES = "scores"
"""Output of CLASSIFY, float32 `[rows, classes]`."""
REGRESS_OUTPUTS = "outputs"
"""Output of REGRESS, float32 `[rows]`."""
ITEM_ID = "item_id"
"""Output of RETRIEVE and RECOMMEND, `[batch, k]`: keys of items, the best first; strings, or int64
where the item's key is configured so."""
SCORE = "score"
"""Output of RETRIEVE and RECOMMEND, float32 `[batch, k]`, and of RANK, `[batch, candidates]`."""
RETRIEVAL_SCORE = "retrieval_score"
"""Output of RECOMMEND, float32 `[batch, k]`: the score that RETRIEVE gives."""
COUNT = "count"
"""Output of RECOMMEND, int32 `[batch]`: how many of the k items are real."""
EMBEDDING = "embedding"
"""Output of EMBED_USER and EMBED_ITEM, float32 `[batch, dim]`."""
