"""Checks that need more than one part of the configuration, by the part they are about."""

from tfmtl.config.checks.balancers import check_balancer
from tfmtl.config.checks.budgets import check_budget
from tfmtl.config.checks.bulk_inference import check_bulk_inference
from tfmtl.config.checks.distillation import check_distillation
from tfmtl.config.checks.factorised import check_factorised
from tfmtl.config.checks.features import check_features, check_log
from tfmtl.config.checks.finetuning import check_finetuning
from tfmtl.config.checks.matches import check_matches
from tfmtl.config.checks.next_events import check_next_event
from tfmtl.config.checks.objectives import check_early_stopping, check_gate
from tfmtl.config.checks.quality import check_quality
from tfmtl.config.checks.sampling import check_sampling
from tfmtl.config.checks.sequences import check_sequences
from tfmtl.config.checks.serving import check_serving
from tfmtl.config.checks.sources import check_sources
from tfmtl.config.checks.tasks import check_tasks
from tfmtl.config.checks.tuner import check_tuner
from tfmtl.config.checks.validation import check_validation
from tfmtl.config.checks.windows import check_windows

__all__ = [
    "check_balancer",
    "check_budget",
    "check_bulk_inference",
    "check_distillation",
    "check_early_stopping",
    "check_factorised",
    "check_features",
    "check_finetuning",
    "check_gate",
    "check_log",
    "check_matches",
    "check_next_event",
    "check_quality",
    "check_sampling",
    "check_sequences",
    "check_serving",
    "check_sources",
    "check_tasks",
    "check_tuner",
    "check_validation",
    "check_windows",
]
