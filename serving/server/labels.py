"""Labels that stand for versions: `stable`, `canary`."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc

from serving.server.status import StatusError, invalid_argument


class Labels:
    """The versions that the configuration's labels point to.

    Args:
        allow_unavailable: Whether a label that is new to its model may point to a version that
            is not available; one that exists may never move to such a version.
    """

    def __init__(self, allow_unavailable: bool):
        self._allow_unavailable = allow_unavailable
        self._labels: Mapping[str, Mapping[str, int]] = {}

    def version(self, model: str, label: str) -> int:
        """The version a label points to.

        Raises:
            StatusError: INVALID_ARGUMENT when the model has no such label.
        """
        try:
            return self._labels[model][label]
        except KeyError:
            raise invalid_argument(f"Unrecognized servable version label: {label}") from None

    def checked(self, config: Any, available: Callable[[str, int], bool]) -> "Labels":
        """The labels of a new configuration.

        Args:
            config: A `ModelServerConfig`.
            available: Whether a version of a model is available now.

        Raises:
            StatusError: FAILED_PRECONDITION when a label points to a version that is not.
        """
        labels = Labels(self._allow_unavailable)
        labels._labels = {
            model.name: dict(model.version_labels) for model in config.model_config_list.config
        }
        for model, versions in labels._labels.items():
            for label, number in sorted(versions.items()):
                before = self._labels.get(model, {}).get(label)
                free = self._allow_unavailable and before in (None, number)
                if not free and not available(model, number):
                    raise StatusError(
                        grpc.StatusCode.FAILED_PRECONDITION,
                        f"Request to assign label to version {number} of model {model}, which is "
                        "not currently available for inference",
                    )
        return labels
