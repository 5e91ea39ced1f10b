"""What a tuned model's optimisers know from those of the model it starts from."""

import keras

from tfmtl.config import ConfigError
from tfmtl.models.multi_task import MultiTaskModel


def transfer_optimizer(source: MultiTaskModel, target: MultiTaskModel) -> list[str]:
    """Copies what the source's optimisers know of the variables that both models have, and their
    counts of steps; not the learning rates.

    Returns:
        Names of the target's state that was copied.

    Raises:
        ConfigError: the base was saved without an optimiser, or with others.
    """
    if getattr(source, "optimizer", None) is None:
        raise ConfigError("training.keep_optimizer: the model that is tuned has no optimiser")
    kinds = [[type(o.tables), type(o.dense)] for o in (source.optimizer, target.optimizer)]
    if kinds[0] != kinds[1]:
        raise ConfigError(
            "training.keep_optimizer: the optimisers must be those of the model that is tuned; "
            "choose the same kinds, or leave it out"
        )
    copied: list[str] = []
    for part in ("tables", "dense"):
        own = getattr(source.optimizer, part).variables
        known = {_slot(source, variable): variable for variable in own}
        for variable in getattr(target.optimizer, part).variables:
            name = _slot(target, variable)
            old = known.get(name)
            if name != "learning_rate" and old is not None and old.shape == variable.shape:
                variable.assign(old.numpy())
                copied.append(f"{part}/{name}")
    return copied


def _slot(model: MultiTaskModel, variable: keras.Variable) -> str:
    return variable.name.removeprefix(f"{model.name}_")
