"""HandleReloadConfigRequest: configurations that must be refused, and the way back.

They change the server's configuration, or would if it took them, so they are run only where the
one to go back to is given. Every refusal leaves the models that are served as they were.
"""

from collections.abc import Callable
from typing import Any

from serving import protocol
from serving.conformance import answers
from serving.conformance.case import LABELS, MODEL, RELOAD, Case, grouped
from serving.conformance.requests import Bend, fitting, raw, reload, status
from serving.conformance.target import Target

_need = grouped("reload", "model_service_impl.cc, server_core.cc", frozenset([MODEL, RELOAD]))


def _own(change: Callable[[Any], None]) -> Bend:
    """Changes the entry of the model that is looked at."""

    def bend(config: Any, target: Target) -> None:
        for entry in config.model_config_list.config:
            if entry.name == target.model:
                change(entry)

    return bend


def _nothing(config: Any, target: Target) -> None:
    config.Clear()


def _as_it_is(config: Any, target: Target) -> None:
    pass


def _twice(config: Any, target: Target) -> None:
    config.model_config_list.config.add().CopyFrom(config.model_config_list.config[0])


def _relative(config: Any, target: Target) -> None:
    config.model_config_list.config.add(
        name="climber", base_path="../../etc", model_platform="tensorflow"
    )


def _no_platform(entry: Any) -> None:
    entry.model_platform = ""


def _other_platform(entry: Any) -> None:
    entry.model_platform = "caffe"


def _label_of_none(entry: Any) -> None:
    entry.version_labels["stable"] = 987_654_321


def _refused(
    name: str, bend: Bend, code: str, message: str, needs: str | None = None
) -> list[Case]:
    """The refusal, and a request behind it that the model still answers."""
    return [
        _need(name, reload(bend), code, message, needs=needs),
        _need(
            f"{name}: the model still answers", fitting(), right=answers.all_outputs, needs=needs
        ),
    ]


CASES = (
    _need(
        "no configuration",
        raw(protocol.RELOAD_CONFIG, b""),
        "INVALID_ARGUMENT",
        "^ServerModelConfig type not supported by HandleReloadConfigRequest. "
        "Only ModelConfigList is currently supported$",
    ),
    *_refused(
        "an empty configuration",
        _nothing,
        "INVALID_ARGUMENT",
        "^ServerModelConfig type not supported by HandleReloadConfigRequest",
    ),
    *_refused(
        "a model twice",
        _twice,
        "INVALID_ARGUMENT",
        "^Illegal to list model .+ multiple times in config list$",
    ),
    *_refused(
        "a base path that climbs",
        _relative,
        "INVALID_ARGUMENT",
        "^Expected model climber to have an absolute path or URI; "
        r"got base_path\(\)=\.\./\.\./etc$",
    ),
    *_refused(
        "no platform",
        _own(_no_platform),
        "INVALID_ARGUMENT",
        r"^Illegal setting neither ModelServerConfig::model_type \(deprecated\) "
        r"nor ModelServerConfig::model_platform\.$",
    ),
    *_refused(
        "another platform",
        _own(_other_platform),
        "INVALID_ARGUMENT",
        "^Illegal to change a model's platform. For model .+ platform was tensorflow "
        "and new platform requested is caffe$",
    ),
    *_refused(
        "a label of a version that is not",
        _own(_label_of_none),
        "FAILED_PRECONDITION",
        "^Request to assign label to version 987654321 of model .+, "
        "which is not currently available for inference$",
        LABELS,
    ),
    _need("the configuration as it was", reload(_as_it_is)),
    _need("the model is served as before", status(), right=answers.states),
)
