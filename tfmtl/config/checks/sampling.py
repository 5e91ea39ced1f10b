"""Which rows of which tasks and scenarios can be left out or repeated."""

from typing import TYPE_CHECKING

from tfmtl.config.sampling import NegativeRule
from tfmtl.config.source import Events
from tfmtl.config.tasks import BinaryTask, RetrievalTask

if TYPE_CHECKING:
    from tfmtl.config.config import Config


def check_sampling(config: "Config") -> None:
    for number, rule in enumerate(config.sampling.negatives):
        _check_rule(config, f"sampling.negatives[{number}]", rule)
    if config.resampling is None:
        return
    if config.resampling.by == "scenario" and config.scenario is None:
        raise ValueError("resampling.by: there are no scenarios to even out; declare 'scenario'")
    if config.resampling.by == "task" and len(config.ranking_tasks) < 2:
        raise ValueError(
            f"resampling.by: there are no two ranking tasks to even out, got "
            f"{list(config.ranking_tasks)}"
        )


def _check_rule(config: "Config", key: str, rule: NegativeRule) -> None:
    able = [n for n, t in config.tasks.items() if isinstance(t, BinaryTask | RetrievalTask)]
    if rule.task not in able:
        raise ValueError(
            f"{key}.task: '{rule.task}' is no binary task and no retrieval task; choose among "
            f"{able}"
        )
    known = config.scenario.values if config.scenario else []
    own = config.tasks[rule.task].scenarios or known
    for value in rule.scenarios or []:
        if value not in known:
            raise ValueError(f"{key}.scenarios: '{value}' is not in scenario.values {known}")
        if value not in own:
            raise ValueError(
                f"{key}.scenarios: task '{rule.task}' does not exist in '{value}'; choose among "
                f"{own}"
            )
    if config.retrieval_task is None or isinstance(config.source.log, Events):
        return
    name, task = config.retrieval_task
    if task.positive is None and set(rule.scenarios or own) <= set(task.scenarios or known):
        raise ValueError(
            f"{key}: every row is a positive of task '{name}', so there are no negatives; give "
            f"tasks.{name}.positive"
        )
