"""A quality of items that its task can tell."""

from typing import TYPE_CHECKING

from tfmtl.config.quality import QUALITY
from tfmtl.config.tasks import BinaryTask, RegressionTask

if TYPE_CHECKING:
    from tfmtl.config.config import Config


def check_quality(config: "Config") -> None:
    spec = config.serving.quality
    if spec is None:
        return
    numbers = [n for n, t in config.tasks.items() if isinstance(t, BinaryTask | RegressionTask)]
    if spec.of not in numbers:
        raise ValueError(
            f"serving.quality.of: '{spec.of}' is no task of kind regression or binary; choose "
            f"among {numbers}"
        )
    if config.sampling.negatives or config.resampling:
        raise ValueError(
            "serving.quality: means of rows that were left out or repeated would not be those of "
            "the items; leave out sampling.negatives and resampling"
        )
    made = config.features.inputs.values()
    columns = {raw.column for one in made for raw in one.reads if raw.side == "item"}
    for name in QUALITY:
        if name in columns or name in config.serving.columns or name in config.tasks:
            raise ValueError(
                f"serving.quality: it makes a column '{name}' of items, and there is one of that "
                "name; rename the other"
            )
