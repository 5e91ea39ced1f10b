"""Teachers that fit the tasks, and what a taught model cannot have."""

from typing import TYPE_CHECKING

from tfmtl.config.searched import with_values

if TYPE_CHECKING:
    from tfmtl.config.config import Config

_CHANGEABLE = ("model", "training", "seed", "features")


def check_distillation(config: "Config") -> None:
    spec = config.distillation
    if spec is None:
        return
    if config.tuner:
        raise ValueError("tuner: trials have no teachers; leave out tuner or distillation")
    named = [("tasks", name) for name in spec.tasks]
    named += [("gate.tasks", name) for name in (spec.gate.tasks if spec.gate else ())]
    for place, teacher in enumerate(spec.teachers):
        named += [(f"teachers[{place}].tasks", name) for name in teacher.tasks or ()]
    for key, name in named:
        if name not in config.tasks:
            raise ValueError(
                f"distillation.{key}: there is no task '{name}'; choose among {list(config.tasks)}"
            )
    for name, own in spec.tasks.items():
        kind = config.tasks[name].kind
        if kind == "regression" and own.temperature is not None:
            raise ValueError(
                f"distillation.tasks.{name}.temperature: '{name}' predicts a number, which has no "
                "temperature; leave it out"
            )
        if kind == "retrieval" and own.hint:
            raise ValueError(
                f"distillation.tasks.{name}.hint: '{name}' has no output of the trunk; leave it out"
            )
    for place, teacher in enumerate(spec.teachers):
        _check_changes(config, f"distillation.teachers[{place}].changes", teacher.changes or {})


def _check_changes(config: "Config", key: str, changes: dict[str, object]) -> None:
    for name in changes:
        if name.partition(".")[0] not in _CHANGEABLE:
            raise ValueError(
                f"{key}: '{name}' is not the model's; a teacher differs in {_listed()} only"
            )
    try:
        with_values(config, changes)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def _listed() -> str:
    return ", ".join(_CHANGEABLE[:-1]) + f" and {_CHANGEABLE[-1]}"
