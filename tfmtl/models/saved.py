"""A trained model as a directory that needs nothing else: network, preprocessing, catalogue.

DIRECTORY/model.keras          the network
DIRECTORY/config.yaml          the configuration it was trained with
DIRECTORY/vocabularies/        what turns raw values into ids
DIRECTORY/moments.json         what turns raw numbers into scaled ones
DIRECTORY/encoders/            pretrained encoders of texts, where there are any
DIRECTORY/catalogue.parquet    the items
DIRECTORY/queries.parquet      queries to measure an index with, where it was trained by a run
"""

import shutil
import zlib
from pathlib import Path
from zipfile import BadZipFile

import keras

import tfmtl.optimizers  # noqa: F401  registers the optimisers that saved models name
from tfmtl.config import Config, ConfigError, Serving, dump, load
from tfmtl.models.adapters import merge
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.queries import QUERIES
from tfmtl.preprocessing.encoders import ENCODERS
from tfmtl.preprocessing.preprocessor import Preprocessor

NETWORK = "model.keras"
CONFIG = "config.yaml"
CATALOGUE = "catalogue.parquet"
PREPROCESSING = ("vocabularies", "moments.json", CATALOGUE)
OPTIONAL = (ENCODERS, QUERIES)


def save_model(model: MultiTaskModel, directory: str | Path, preprocessing: Path) -> None:
    """Writes a model's directory.

    Adapters that it has are taken into its weights before.

    Args:
        model: the trained model.
        directory: where to; made if it is not there.
        preprocessing: directory with vocabularies, moments and catalogue, as Transform leaves
            them.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    optional = [name for name in OPTIONAL if (preprocessing / name).exists()]
    for name in (*PREPROCESSING, *optional):
        source, target = preprocessing / name, directory / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)
    merge(model)
    (directory / CONFIG).write_text(dump(model.config), encoding="utf-8")
    model.save(directory / NETWORK)


def load_model(directory: str | Path, serving: Serving | None = None) -> MultiTaskModel:
    """Reads a model, ready to predict, to be compiled and to be trained further.

    Args:
        directory: a run's `model/`, as `save_model` writes it.
        serving: how it shall be served; as it was configured for its training where not given.

    Raises:
        FileNotFoundError: the directory holds no model.
        OSError: the model is damaged.
        ConfigError: its configuration is one that this version does not know.

    Example:
        >>> model = load_model("out/shop/model")
        >>> model.freeze(tables=True)
    """
    path = Path(directory) / NETWORK
    if not path.is_file():
        raise FileNotFoundError(f"{directory}: expected a model directory with {NETWORK}")
    try:
        model = keras.saving.load_model(path)
    except ConfigError as error:
        raise ConfigError(f"{path}: made by another version of tfmtl: {error}") from None
    except (ValueError, KeyError, BadZipFile, zlib.error) as error:
        raise OSError(f"{path}: no readable Keras model, it is damaged; make it anew") from error
    model.home = Path(directory)
    if serving is not None:
        model.config = model.config.model_copy(update={"serving": serving})
    return model


def load_preprocessor(directory: str | Path) -> Preprocessor:
    """The preprocessing that belongs to a saved model."""
    return Preprocessor(load_config(directory), Path(directory))


def load_config(directory: str | Path) -> Config:
    """The configuration a saved model was trained with."""
    return load(Path(directory) / CONFIG)
