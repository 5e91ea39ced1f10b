"""What fine-tuning may cost the tasks that a model has."""

from typing import Annotated

from pydantic import Field

from tfmtl.config.base import Spec


class Finetuning(Spec):
    """How much a tuned model's old tasks may lose against the model it starts from.

    Example:
        `{limit: {click: 0.002}}`
    """

    limit: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}
    """Largest loss of a task's main metric (AUC, accuracy, recall; of RMSE and MAE its share), on
    the new test rows and on those of the run that is tuned. A model that lost more is not pushed.
    """
