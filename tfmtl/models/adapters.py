"""A model's low-rank adapters: put in for a training, taken into the weights after it."""

from typing import TYPE_CHECKING

from tfmtl.config.lora import Lora
from tfmtl.layers import lora
from tfmtl.models.parts import targets_by_name

if TYPE_CHECKING:
    from tfmtl.models.multi_task import MultiTaskModel


def adapt(model: "MultiTaskModel", spec: Lora | None = None) -> list[str]:
    """Lets weights of a model learn by low-rank changes only.

    Pretrained encoders of texts that are tuned so have adapters of their own.

    Args:
        model: the model; it is to be compiled afterwards.
        spec: rank, scale and targets of others.

    Returns:
        Names of the weights.

    Raises:
        ConfigError: a target that there is not, or that is smaller than the rank.

    Example:
        >>> adapt(model, Lora(rank=8, targets=["trunk", "tables/item_id"]))
        >>> model.compile(optimizer=build_optimizer(model.config.training.optimizer))
        >>> model.fit(examples)
        >>> merge(model)
    """
    names = model.encoding.texts.adapt()
    if spec is not None:
        targets = {
            name: target
            for name, target in targets_by_name(model).items()
            if not lora.has_adapters(target.layer)
        }
        names += lora.adapt(targets, spec.rank, spec.alpha, spec.targets)
    return names


def learns_by_adapters(model: "MultiTaskModel") -> bool:
    """Whether the model's configuration wants adapters."""
    return model.config.training.lora is not None or model.encoding.texts.adaptable


def merge(model: "MultiTaskModel") -> bool:
    """Takes the changes of all adapters into the weights.

    The model is then one without adapters, and not compiled: its optimiser knew other variables.

    Returns:
        Whether there were any.
    """
    found = lora.merge(model)
    model.encoding.texts.hold()
    if found:
        model.optimizer, model.compiled = None, False
    return found
