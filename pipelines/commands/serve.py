"""`tfmtl serve`: a model server over what a run has pushed, or over a file of models."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf import text_format

from pipelines.commands.backends import Backend, check_port, choose
from pipelines.commands.common import existing_directory, served_models
from serving.errors import ServingError
from serving.protocol import ModelServerConfig
from serving.pushing.model_config import FILE
from serving.server.options import ServerOptions

_DEFAULTS = ServerOptions()
_LISTENING, _MODELS, _RUNNING = "Listening", "Models and versions", "Running requests"
_TLS = "TLS of gRPC"

# How the command line names what the server's options name otherwise.
_FLAGS = {
    "rest_api_port": "--rest-port",
    "model_config_file_poll_wait_seconds": "--config-poll-seconds",
    "file_system_poll_wait_seconds": "--poll-seconds",
    "grpc_max_threads": "--threads",
    "rest_api_num_threads": "--rest-threads",
    "rest_api_timeout_in_ms": "--rest-timeout-ms",
    "rest_read_timeout_seconds": "--rest-read-timeout",
    "rest_max_connections": "--rest-connections",
    "tensorflow_session_parallelism": "--session-parallelism",
    "allow_version_labels_for_unavailable_models": "--allow-unready-labels",
}


def _file(panel: str, text: str) -> Any:
    return typer.Option(exists=True, dir_okay=False, help=text, rich_help_panel=panel)


def _option(panel: str, text: str, *names: str, **limits: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, **limits)


def serve(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="Directory of a run, as `tfmtl run --output` made it.",
            show_default=False,
        ),
    ] = None,
    backend: Annotated[
        Backend, typer.Option(help="auto: tensorflow_model_server if installed, else embedded.")
    ] = Backend.AUTO,
    host: Annotated[str, _option(_LISTENING, "Interface to listen on.")] = _DEFAULTS.host,
    port: Annotated[int, _option(_LISTENING, "gRPC; 0: a free one.", min=0, max=65535)] = 8500,
    rest_port: Annotated[
        int | None,
        _option(_LISTENING, "REST and metrics; 0: a free one; none: no REST.", min=0, max=65535),
    ] = None,
    monitoring: Annotated[
        bool, _option(_LISTENING, "Whether the REST port shows metrics to Prometheus.")
    ] = True,
    name: Annotated[str | None, _option(_MODELS, "Only this model of the run.")] = None,
    version_labels: Annotated[
        bool,
        _option(_MODELS, "Serve the labels of `tfmtl promote` too.", "--version-labels"),
    ] = False,
    model_config_file: Annotated[
        Path | None, _file(_MODELS, "TF Serving's file of models, instead of a run.")
    ] = None,
    config_poll_seconds: Annotated[
        float, _option(_MODELS, "How often that file is read again; 0: once.")
    ] = 0.0,
    allow_unready_labels: Annotated[
        bool,
        _option(
            _MODELS,
            "A new model's labels may name versions still to be loaded.",
            "--allow-unready-labels",
        ),
    ] = False,
    poll_seconds: Annotated[
        float, _option(_MODELS, "How often new versions are looked for; 0: once.")
    ] = _DEFAULTS.file_system_poll_wait_seconds,
    keep: Annotated[int, _option(_MODELS, "How many of the latest versions.")] = _DEFAULTS.keep,
    warm_up: Annotated[
        bool, _option(_MODELS, "Whether warm-up records are replayed before a version serves.")
    ] = True,
    threads: Annotated[
        int, _option(_RUNNING, "gRPC requests that run at once.")
    ] = _DEFAULTS.grpc_max_threads,
    rest_threads: Annotated[
        int, _option(_RUNNING, "REST requests that run at once.")
    ] = _DEFAULTS.rest_api_num_threads,
    rest_timeout_ms: Annotated[
        int, _option(_RUNNING, "How long a REST request may run.")
    ] = _DEFAULTS.rest_api_timeout_in_ms,
    rest_read_timeout: Annotated[
        float, _option(_RUNNING, "Seconds a REST client has to send a request.")
    ] = _DEFAULTS.rest_read_timeout_seconds,
    rest_connections: Annotated[
        int, _option(_RUNNING, "REST connections at once.")
    ] = _DEFAULTS.rest_max_connections,
    max_request_bytes: Annotated[
        int, _option(_RUNNING, "Size of the largest request.")
    ] = _DEFAULTS.max_request_bytes,
    enable_batching: Annotated[
        bool, _option(_RUNNING, "Run requests together.", "--enable-batching")
    ] = False,
    batching_parameters_file: Annotated[
        Path | None, _file(_RUNNING, "TF Serving's BatchingParameters, as text.")
    ] = None,
    session_parallelism: Annotated[
        int, _option(_RUNNING, "Threads of one run; 0: as many as there are cores.")
    ] = _DEFAULTS.tensorflow_session_parallelism,
    grace: Annotated[
        float, _option(_RUNNING, "Seconds that running requests get at the end.")
    ] = _DEFAULTS.grace,
    ssl_config_file: Annotated[Path | None, _file(_TLS, "TF Serving's SSLConfig, as text.")] = None,
    ssl_server_key: Annotated[Path | None, _file(_TLS, "Private key, PEM.")] = None,
    ssl_server_cert: Annotated[Path | None, _file(_TLS, "Certificate of that key, PEM.")] = None,
    ssl_custom_ca: Annotated[
        Path | None, _file(_TLS, "Authorities of the clients' certificates, PEM.")
    ] = None,
    ssl_client_verify: Annotated[
        bool, _option(_TLS, "Clients have to show a certificate.", "--ssl-client-verify")
    ] = False,
) -> None:
    """Serve models over gRPC and REST; prints `ready HOST:PORT` when they answer."""
    models = _models(run, name, model_config_file)
    if version_labels:
        model_config_file = _labels(run, name, model_config_file)
        config_poll_seconds = config_poll_seconds or poll_seconds
    options = _checked(
        {
            "host": host,
            "port": port,
            "rest_api_port": rest_port,
            "monitoring": monitoring,
            "model_config_file": model_config_file,
            "model_config_file_poll_wait_seconds": config_poll_seconds,
            # A run's file of labels is written for a server that has yet to load anything.
            "allow_version_labels_for_unavailable_models": (allow_unready_labels or version_labels),
            "file_system_poll_wait_seconds": poll_seconds,
            "keep": keep,
            "enable_model_warmup": warm_up,
            "grpc_max_threads": threads,
            "rest_api_num_threads": rest_threads,
            "rest_api_timeout_in_ms": rest_timeout_ms,
            "rest_read_timeout_seconds": rest_read_timeout,
            "rest_max_connections": rest_connections,
            "max_request_bytes": max_request_bytes,
            "enable_batching": enable_batching,
            "batching_parameters_file": batching_parameters_file,
            "tensorflow_session_parallelism": session_parallelism,
            "grace": grace,
            "ssl_config_file": ssl_config_file,
            "ssl_server_key": ssl_server_key,
            "ssl_server_cert": ssl_server_cert,
            "ssl_custom_ca": ssl_custom_ca,
            "ssl_client_verify": ssl_client_verify,
        }
    )
    _check_files(options)
    start = choose(backend)
    check_port(host, port)
    if rest_port is not None:
        check_port(host, rest_port)
    start({} if model_config_file is not None else models, options)


def _models(run: Path | None, name: str | None, file: Path | None) -> dict[str, Path]:
    if (run is None) == (file is None):
        raise typer.BadParameter(
            "expected either a run's directory or --model-config-file, got "
            + ("neither" if run is None else "both"),
            param_hint="DIR",
        )
    if run is not None:
        return served_models(run, name)
    if name is not None:
        raise typer.BadParameter(
            "it chooses a model of a run; the file says which are served", param_hint="--name"
        )
    return {}


def _labels(run: Path | None, name: str | None, file: Path | None) -> Path:
    """The file that `tfmtl promote` keeps in a run."""
    if run is None or name is not None:
        other = "--name" if file is None else "--model-config-file"
        raise typer.BadParameter(
            f"it serves all models of a run with their labels; leave out {other}",
            param_hint="--version-labels",
        )
    labels = existing_directory(run, "DIR") / "serving" / FILE
    if not labels.is_file():
        raise typer.BadParameter(
            f"no version of {run} has a label; `tfmtl promote` gives one",
            param_hint="--version-labels",
        )
    return labels


def _checked(options: Mapping[str, Any]) -> ServerOptions:
    try:
        return ServerOptions(**options)
    except ValueError as error:
        raise typer.BadParameter(re.sub(r"`(\w+)`", _flag, str(error))) from None


def _check_files(options: ServerOptions) -> None:
    """Looks into the files that options name before anything takes seconds to load."""
    from serving.server.tls import server_credentials

    try:
        server_credentials(options)
    except ServingError as error:
        option, _, problem = error.message.partition(": ")
        hint = f"--{option.replace('_', '-')}"
        raise typer.BadParameter(problem, param_hint=hint) from None
    if options.model_config_file is None:
        return
    try:
        text = options.model_config_file.read_text(encoding="utf-8")
        # Fields of TF Serving's that this light message leaves out are looked at by the server.
        text_format.Parse(text, ModelServerConfig(), allow_unknown_field=True)
    except OSError as error:
        problem = str(error.strerror)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        problem = f"expected a ModelServerConfig as text, got {' '.join(str(error).split())}"
    else:
        return
    raise typer.BadParameter(
        f"{options.model_config_file}: {problem}", param_hint="--model-config-file"
    )


def _flag(match: re.Match[str]) -> str:
    return _FLAGS.get(match[1]) or f"--{match[1].replace('_', '-')}"
