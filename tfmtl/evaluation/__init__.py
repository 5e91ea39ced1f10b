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
from tfmtl.evaluation.gate import Outcome, Rule, Verdict, check
from tfmtl.evaluation.ranks import ranks
from tfmtl.evaluation.regression import mae, rmse
from tfmtl.evaluation.retrieval import mrr, ndcg_at, recall_at
from tfmtl.evaluation.slices import Figures, Summary, summarize
from tfmtl.evaluation.tasks import (
    evaluate_binary,
    evaluate_multi_class,
    evaluate_multi_label,
    evaluate_regression,
    evaluate_retrieval,
)

__all__ = [
    "Figures",
    "Outcome",
    "Rule",
    "Summary",
    "Verdict",
    "auc",
    "calibration",
    "check",
    "ece",
    "evaluate_binary",
    "evaluate_multi_class",
    "evaluate_multi_label",
    "evaluate_regression",
    "evaluate_retrieval",
    "gauc",
    "log_loss",
    "mae",
    "mrr",
    "ndcg_at",
    "normalized_entropy",
    "pr_auc",
    "ranks",
    "recall_at",
    "rmse",
    "summarize",
]
