"""How good a model is: metrics, slices of them, and the gate that decides on a push.

Only numpy is imported, so that reports and gates need no TensorFlow.
"""

from tfmtl.evaluation.binary import (
    auc,
    calibration,
    ece,
    gauc,
    log_loss,
    normalized_entropy,
    pr_auc,
)
from tfmtl.evaluation.concentration import coverage, gini, list_counts
from tfmtl.evaluation.gate import check
from tfmtl.evaluation.queries import ndcg_by_query
from tfmtl.evaluation.ranks import ranks
from tfmtl.evaluation.regression import mae, rmse
from tfmtl.evaluation.retrieval import mrr, ndcg_at, recall_at
from tfmtl.evaluation.slices import Difference, Differences, Figures, Summary
from tfmtl.evaluation.streaming.evaluation import Evaluation
from tfmtl.evaluation.streaming.kinds import (
    Binary,
    Kind,
    MultiClass,
    MultiLabel,
    Regression,
    Retrieval,
)
from tfmtl.evaluation.streaming.result import Result, differences
from tfmtl.evaluation.tops import top_items
from tfmtl.evaluation.verdicts import Bounds, Outcome, Rule, Verdict

__all__ = [
    "Binary",
    "Bounds",
    "Difference",
    "Differences",
    "Evaluation",
    "Figures",
    "Kind",
    "MultiClass",
    "MultiLabel",
    "Outcome",
    "Regression",
    "Result",
    "Retrieval",
    "Rule",
    "Summary",
    "Verdict",
    "auc",
    "calibration",
    "check",
    "coverage",
    "differences",
    "ece",
    "gauc",
    "gini",
    "list_counts",
    "log_loss",
    "mae",
    "mrr",
    "ndcg_at",
    "ndcg_by_query",
    "normalized_entropy",
    "pr_auc",
    "ranks",
    "recall_at",
    "rmse",
    "top_items",
]
