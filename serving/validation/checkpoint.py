"""How many parameters a SavedModel stores."""

import math
from pathlib import Path

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The one entry of a checkpoint that is no variable."""


def doubled(model_dir: Path, parameters: int) -> list[str]:
    """Whether a SavedModel stores more than its model has.

    Args:
        model_dir: the SavedModel directory.
        parameters: numbers and strings that the model has.

    Returns:
        A line when it does: a variable is stored twice, as an exported Keras model's can be. A line
        too when the variables cannot be read.
    """
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(str(model_dir / "variables" / "variables"))
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        return [f"the variables cannot be read: {' '.join(str(error).split())}"]
    shapes = reader.get_variable_to_shape_map()
    stored = sum(math.prod(shape) for name, shape in shapes.items() if name != _OBJECT_GRAPH)
    if stored <= parameters:
        return []
    return [
        f"the checkpoint holds {stored:,} parameters where the model has {parameters:,}: a "
        "variable is stored twice"
    ]
