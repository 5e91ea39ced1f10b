"""The configuration of the served models: `ModelServerConfig`, from a file or a reload request.

What TF Serving refuses is refused here, in its order and words, before anything is changed.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.server.status import StatusError, invalid_argument

PLATFORM = "tensorflow"

_URI = re.compile(r"([a-zA-Z][0-9a-zA-Z.]*)://([^/]*)(.*)", re.DOTALL)


def of_base_paths(models: Mapping[str, Path], keep: int) -> Any:
    """The configuration of models given by their base paths.

    Args:
        models: The base path of each model, by name.
        keep: How many of the latest versions to serve.
    """
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.SetInParent()
    for name, path in models.items():
        # Not resolved: a base path may be a link that is moved to another directory.
        entry = config.model_config_list.config.add(name=name, base_path=str(path.absolute()))
        entry.model_platform = PLATFORM
        entry.model_version_policy.latest.num_versions = keep
    return config


def read_file(path: Path) -> Any:
    """The configuration in a text file.

    Raises:
        StatusError: INVALID_ARGUMENT when it is none; NOT_FOUND when it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StatusError(
            grpc.StatusCode.NOT_FOUND, f"{path.name}: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise invalid_argument(f"Invalid protobuf file: '{path.name}'") from error
    try:
        return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        problem = " ".join(str(error).split())
        raise invalid_argument(f"Invalid protobuf file: '{path.name}': {problem}") from error


def check(config: Any, before: Iterable[Any]) -> None:
    """Refuses a list of models that cannot take the place of the one before.

    Args:
        config: A `ModelServerConfig`.
        before: The `ModelConfig`s that are served now.

    Raises:
        StatusError: With TF Serving's codes and messages.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise invalid_argument(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported"
        )
    models = config.model_config_list.config
    names: set[str] = set()
    for model in models:
        if model.name in names:
            raise invalid_argument(
                f"Illegal to list model {model.name} multiple times in config list"
            )
        names.add(model.name)
    for model in models:
        if _is_relative(model.base_path):
            raise invalid_argument(
                f"Expected model {model.name} to have an absolute path or URI; "
                f"got base_path()={model.base_path}"
            )
    _check_platforms_stay(models, {model.name: model for model in before})


def check_served(config: Any) -> None:
    """Refuses models that this server cannot serve: another platform or file system.

    Raises:
        StatusError: INVALID_ARGUMENT and UNIMPLEMENTED, as TF Serving without them.
    """
    for model in config.model_config_list.config:
        platform = _platform(model)
        if platform != PLATFORM:
            raise invalid_argument(f"Model {model.name} requests unsupported platform {platform}")
    for model in config.model_config_list.config:
        local_path(model)


def local_path(model: Any) -> Path:
    """A model's base path in this machine's file system.

    Raises:
        StatusError: UNIMPLEMENTED for a URI of another one.
    """
    uri = _URI.fullmatch(model.base_path)
    if uri is None:
        return Path(model.base_path)
    if uri[1] != "file":
        raise StatusError(
            grpc.StatusCode.UNIMPLEMENTED,
            f"File system scheme '{uri[1]}' not implemented (file: '{model.base_path}')",
        )
    return Path(uri[3] or "/")


def _is_relative(base_path: str) -> bool:
    return _URI.fullmatch(base_path) is None and not base_path.startswith("/")


def _platform(model: Any) -> str:
    if model.model_type:
        if model.model_platform:
            raise invalid_argument(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and "
                "ModelServerConfig::model_platform."
            )
        if model.model_type != model_server_config_pb2.TENSORFLOW:
            raise invalid_argument(
                f"ModelServerConfig::model_type choice {model.model_type} not supported."
            )
        return PLATFORM
    if not model.model_platform:
        raise invalid_argument(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            "ModelServerConfig::model_platform."
        )
    return str(model.model_platform)


def _check_platforms_stay(models: Iterable[Any], before: Mapping[str, Any]) -> None:
    for model in models:
        if model.name in before:
            old, new = _platform(before[model.name]), _platform(model)
            if new != old:
                raise invalid_argument(
                    f"Illegal to change a model's platform. For model {model.name} platform was "
                    f"{old} and new platform requested is {new}"
                )
