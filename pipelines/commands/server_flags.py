"""The options of `tfmtl serve` as flags of `tensorflow_model_server`, and the files they name."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from pipelines.components.base import PipelineError
from serving.protocol import ModelServerConfig
from serving.pushing.model_config import FILE
from serving.server.options import MONITORING_PATH, ServerOptions

# {option: flag} where the value is handed over as it is.
_SAME = (
    "port",
    "max_num_load_retries",
    "load_retry_interval_micros",
    "num_load_threads",
    "tensorflow_session_parallelism",
    "grpc_max_threads",
    "rest_api_num_threads",
    "rest_api_timeout_in_ms",
)
_SWITCHES = (
    "allow_version_labels_for_unavailable_models",
    "enable_model_warmup",
    "enable_batching",
)
# {option: how the command line names it}.
_WHOLE_SECONDS = {
    "model_config_file_poll_wait_seconds": "--config-poll-seconds",
    "file_system_poll_wait_seconds": "--poll-seconds",
}
# What only the embedded server can do.
_EMBEDDED_ONLY = {
    "max_request_bytes": "--max-request-bytes",
    "rest_max_connections": "--rest-connections",
    "rest_read_timeout_seconds": "--rest-read-timeout",
}


def server_flags(models: Mapping[str, Path], options: ServerOptions, scratch: Path) -> list[str]:
    """The flags that make TF Serving do what the embedded server would.

    Args:
        models: Base path of each model by name; empty with `options.model_config_file`.
        options: What is asked of the server.
        scratch: A directory of one's own; the files that flags name are written there, readable
            by the owner alone, as a private key is among them.

    Raises:
        PipelineError: TF Serving has no such option; the line names it.
    """
    _check(options)
    flags = [f"--{name}={getattr(options, name)}" for name in _SAME]
    flags += [f"--{name}={str(getattr(options, name)).lower()}" for name in _SWITCHES]
    flags += [f"--{name}={int(getattr(options, name))}" for name in _WHOLE_SECONDS]
    if options.rest_api_port is not None:
        flags.append(f"--rest_api_port={options.rest_api_port}")
    flags += [f"--{name}={path}" for name, path in _files(models, options, scratch)]
    return flags


def model_config(models: Mapping[str, Path | str], keep: int = 1) -> str:
    """TF Serving's model config file, a text protocol buffer.

    Args:
        models: Base path of each model by name.
        keep: How many of the latest versions to serve.
    """
    config = ModelServerConfig()
    for name, path in models.items():
        entry = config.model_config_list.config.add(name=name, base_path=str(path))
        entry.model_platform = "tensorflow"
        entry.model_version_policy.latest.num_versions = keep
    return text_format.MessageToString(config)


def served_paths(models: Mapping[str, Path], options: ServerOptions) -> dict[str, Path]:
    """Base path of every model that a server will serve, by name.

    Raises:
        PipelineError: The model config file cannot be read.
    """
    if options.model_config_file is None:
        return {name: path.absolute() for name, path in models.items()}
    config = _read_config(options.model_config_file)
    return {entry.name: Path(entry.base_path) for entry in config.model_config_list.config}


def _check(options: ServerOptions) -> None:
    defaults = {field.name: field.default for field in fields(options)}
    for name, word in _EMBEDDED_ONLY.items():
        if getattr(options, name) != defaults[name]:
            raise PipelineError(
                f"serve: {word}: tensorflow_model_server has no such option; leave it out, or use "
                "--backend embedded"
            )
    for name, word in _WHOLE_SECONDS.items():
        seconds = getattr(options, name)
        if seconds != int(seconds):
            raise PipelineError(
                f"serve: {word}: tensorflow_model_server takes whole seconds, got {seconds}"
            )


def _files(
    models: Mapping[str, Path], options: ServerOptions, scratch: Path
) -> Iterator[tuple[str, Path]]:
    """The files that flags name, those written that do not exist yet."""
    if options.model_config_file is not None:
        yield "model_config_file", options.model_config_file.resolve()
    else:
        paths = {name: path.absolute() for name, path in models.items()}
        text = model_config(paths, options.keep)
        yield "model_config_file", _written(scratch / FILE, text)
    if options.batching_parameters_file is not None:
        yield "batching_parameters_file", options.batching_parameters_file.resolve()
    if options.monitoring and options.rest_api_port is not None:
        text = f'prometheus_config {{ enable: true path: "{MONITORING_PATH}" }}\n'
        yield "monitoring_config_file", _written(scratch / "monitoring.config", text)
    if options.ssl_config_file is not None:
        yield "ssl_config_file", options.ssl_config_file.resolve()
    elif options.ssl_server_key is not None:
        yield "ssl_config_file", _written(scratch / "ssl.config", _ssl_config(options))


def _ssl_config(options: ServerOptions) -> str:
    """TF Serving's `SSLConfig`, which holds the keys themselves."""
    pems = {
        "server_key": options.ssl_server_key,
        "server_cert": options.ssl_server_cert,
        "custom_ca": options.ssl_custom_ca,
    }
    lines = [f"{name}: {_quoted(path)}" for name, path in pems.items() if path is not None]
    return "\n".join([*lines, f"client_verify: {str(options.ssl_client_verify).lower()}", ""])


def _quoted(path: Path) -> str:
    try:
        return json.dumps(path.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else "it is no PEM file"
        raise PipelineError(f"serve: {path}: {problem}") from None


def _written(path: Path, text: str) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def _read_config(path: Path) -> Any:
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), ModelServerConfig())
    except OSError as error:
        raise PipelineError(f"serve: {path}: {error.strerror}") from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise PipelineError(
            f"serve: {path}: expected a ModelServerConfig as text, got {problem}"
        ) from None
