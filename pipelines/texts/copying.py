"""The copies of pretrained encoders that an analysis keeps, so that later steps need no other."""

from pathlib import Path

from pipelines.components.base import PipelineError
from tfmtl.config import Config, TableSource
from tfmtl.preprocessing.encoders import (
    ENCODERS,
    checkpoints,
    encoder_path,
    read_encoders,
    write_encoders,
)


def checkpoint_tables(config: Config) -> list[TableSource]:
    """The directories of checkpoints, as raw files of which a change is noticed."""
    return [TableSource(path=name) for name in checkpoints(config)]  # of presets none match


def copy_encoders(config: Config, data: Path, output: Path, base: Path | None = None) -> list[str]:
    """Copies the checkpoints that the configuration names.

    Args:
        config: the configuration.
        data: the data directory, which the paths of checkpoints are relative to; what is no
            directory there is taken for a preset.
        output: where to; `encoders/` is made in it where there is a checkpoint.
        base: a trained model whose copies are taken where it has them.

    Returns:
        A line about each.

    Raises:
        PipelineError: there is no such checkpoint, or it cannot be read.
    """
    names = checkpoints(config)
    if not names:
        return []
    from tfmtl.layers.pretrained.checkpoint import CheckpointError, open_checkpoint
    from tfmtl.layers.pretrained.weights import weights_by_path

    (output / ENCODERS).mkdir(parents=True)
    kept = read_encoders(base) if base is not None else {}
    known, lines = {}, []
    for name in names:
        path = data / name if (data / name).is_dir() else name
        if base is not None and name in kept:
            path = encoder_path(base, name)
        try:
            checkpoint = open_checkpoint(path)
            weights_by_path(checkpoint)  # those that do not fit are told before hours are spent
            checkpoint.save(output / ENCODERS / checkpoint.fingerprint)
        except (CheckpointError, ImportError) as error:
            raise PipelineError(f"features: checkpoint '{name}': {error}") from None
        known[name] = checkpoint.about()
        lines.append(f"encoder {name}: vectors of {checkpoint.width}")
    write_encoders(output, known)
    return lines
