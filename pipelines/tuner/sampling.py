"""Which values the next trial takes, by Optuna.

Optuna's samplers keep a random state that a killed process takes with it. Each trial is therefore
drawn by a sampler of its own, seeded by the trial's number, from a study that holds the trials
before it: a search that was killed and taken up again draws what an unbroken one draws.
"""

import importlib.util
import itertools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipelines.components.base import PipelineError
from pipelines.tuner.trials import Trial
from tfmtl.config.tuner import Tuner, Values

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def check_installed(tuner: Tuner) -> None:
    """Raises a PipelineError where the search needs Optuna and there is none."""
    if tuner.sampler != "grid" and importlib.util.find_spec("optuna") is None:
        raise PipelineError(
            f"tuner.sampler: {tuner.sampler} needs Optuna, which is not installed; "
            "pip install 'tfmtl[tune]', or choose grid"
        )


def size(tuner: Tuner) -> int:
    """How many trials there are at most: no more than there are combinations, of a grid."""
    if tuner.sampler != "grid":
        return tuner.trials
    combinations = 1
    for values in tuner.values.values():
        combinations *= len(values.listed or ())
    return min(tuner.trials, combinations)


def suggest(tuner: Tuner, seed: int, before: Sequence[Trial]) -> dict[str, Any]:
    """The values of the trial that comes after others.

    Args:
        tuner: the search.
        seed: seed of the whole search.
        before: the trials before it, in their order.

    Returns:
        A value by dotted key, as plain data.
    """
    if tuner.sampler == "grid":
        listed = [values.listed or () for values in tuner.values.values()]
        point = next(itertools.islice(itertools.product(*listed), len(before), None))
        return dict(zip(tuner.values, point, strict=True))
    return _drawn(tuner, seed, before)


def _drawn(tuner: Tuner, seed: int, before: Sequence[Trial]) -> dict[str, Any]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {key: _distribution(values) for key, values in tuner.values.items()}
    own = (seed + 1_000_003 * len(before)) % 2**32
    sampler = (
        optuna.samplers.TPESampler(seed=own)
        if tuner.sampler == "tpe"
        else optuna.samplers.RandomSampler(seed=own)
    )
    study = optuna.create_study(
        sampler=sampler, direction="minimize" if tuner.minimise else "maximize"
    )
    for trial in before:
        params = {key: _param(tuner.values[key], value) for key, value in trial.values.items()}
        failed = trial.objective is None
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE,
                value=trial.objective,
                params=params,
                distributions=space,
            )
        )
    params = study.ask(fixed_distributions=space).params
    return {key: _value(values, params[key]) for key, values in tuner.values.items()}


def _distribution(values: Values) -> "BaseDistribution":
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if values.choices is not None:
        return CategoricalDistribution(range(len(values.choices)))
    assert values.low is not None
    assert values.high is not None
    if values.whole:
        low, step = int(values.low), int(values.step or 1)
        last = int(values.high) - (int(values.high) - low) % step
        return IntDistribution(low, last, log=values.log, step=step)
    listed = values.listed
    highest = values.high if listed is None else listed[-1]
    return FloatDistribution(values.low, highest, log=values.log, step=values.step)


def _param(values: Values, value: Any) -> Any:
    """What stands for a value in Optuna: of a choice, which may be a mapping, its place."""
    if values.choices is None:
        return value
    return [_text(choice) for choice in values.choices].index(_text(value))


def _value(values: Values, param: Any) -> Any:
    return param if values.choices is None else values.choices[param]


def _text(choice: Any) -> str:
    return json.dumps(choice, sort_keys=True)
