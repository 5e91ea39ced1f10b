"""When training ends before its last epoch."""

from typing import Annotated

from pydantic import Field

from tfmtl.config.base import Spec
from tfmtl.config.evaluation import is_lower_better


class EarlyStopping(Spec):
    """Ends training when an objective on the validation rows no longer gets better.

    The model is the one of the best epoch. The test rows have no part in it.

    Example:
        `early_stopping: {task: click, metric: auc, patience: 2}`
    """

    task: str | None = None
    """Task that is watched; not given, the loss of all tasks as the balancer weighs them."""
    metric: str = "loss"
    """`loss`, or a metric of the task as evaluation names it: `auc`, `rmse`, `recall@10`. Its name
    says whether more is better."""
    patience: Annotated[int, Field(ge=1)] = 1
    """Epochs in a row without a better one after which training ends."""
    min_delta: Annotated[float, Field(ge=0)] = 0.0
    """What an epoch must gain to count as better."""

    @property
    def lower_is_better(self) -> bool:
        """The direction of the metric."""
        return is_lower_better(self.metric)
