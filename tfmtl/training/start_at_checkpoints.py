"""Encoders that a model tunes start as they were pretrained."""

from pathlib import Path

from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing.encoders import encoder_path


def start_at_checkpoints(model: MultiTaskModel, directory: Path) -> None:
    """Reads the weights of a model's pretrained encoders of texts.

    Args:
        model: the model.
        directory: the analysis, which keeps copies of the checkpoints.

    Raises:
        FileNotFoundError: the analysis did not know a checkpoint.
        CheckpointError: a copy is damaged.
    """
    for (name, _), encoder in model.encoding.texts.encoders.items():
        from tfmtl.layers.pretrained.checkpoint import open_checkpoint
        from tfmtl.layers.pretrained.weights import weights_by_path

        encoder.assign(weights_by_path(open_checkpoint(encoder_path(directory, name))))
