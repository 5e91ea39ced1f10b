"""From a version's directory to a model that has answered its own warm-up requests."""

from pathlib import Path

import grpc
import tensorflow as tf

from serving.server.model import LoadedVersion
from serving.server.options import ServerOptions
from serving.server.status import StatusError, from_tensorflow, without_paths
from serving.server.warmup import warm_up


def load(directory: Path, number: int, options: ServerOptions) -> LoadedVersion:
    """Loads and warms up one version.

    Args:
        directory: The SavedModel.
        number: Its version.
        options: Those of the server.

    Raises:
        StatusError: When it cannot be loaded or a warm-up request fails.
    """
    try:
        model = LoadedVersion(directory, number, options)
        try:
            if options.enable_model_warmup:
                warm_up(model, directory)
        except BaseException:
            model.close()
            raise
        return model
    except StatusError:
        raise
    except tf.errors.OpError as error:
        raise from_tensorflow(error) from error
    except Exception as error:
        # The v1 loader raises what it likes for a damaged directory, and a version that cannot
        # be loaded must never take the server down.
        message = without_paths(f"{type(error).__name__}: {error}".replace(str(directory), "..."))
        raise StatusError(grpc.StatusCode.UNKNOWN, message) from error
