"""The vectors of texts beside transformed examples, which hold the texts' numbers.

DIRECTORY/texts/ENCODING.npy   float32 `[texts, width]`, in the order of the numbers
"""

from pathlib import Path

import numpy as np

from tfmtl.config import Config
from tfmtl.preprocessing.encoders import encoding_name, frozen_texts


def vectors_path(directory: Path, encoding: str) -> Path:
    """File of an encoding's vectors, in Transform's artifact."""
    return directory / "texts" / f"{encoding}.npy"


def vectors_paths(directory: Path, config: Config) -> dict[str, Path]:
    """Files of the vectors that the numbers of each feature with a frozen encoder stand for;
    features of one encoding have the same.

    Args:
        directory: Transform's artifact.
        config: the configuration the examples were made with.

    Raises:
        FileNotFoundError: the artifact lacks one.
    """
    paths = {}
    for feature in frozen_texts(config):
        path = vectors_path(directory, encoding_name(directory, feature))
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: expected the vectors of '{feature.name}'; run Transform anew"
            )
        paths[feature.name] = path
    return paths


def text_vectors(directory: Path, config: Config) -> dict[str, np.ndarray]:
    """The vectors by feature, read from the disk as they are needed; arguments and errors as of
    `vectors_paths`."""
    paths = vectors_paths(directory, config)
    return {name: np.load(path, mmap_mode="r") for name, path in paths.items()}
