"""What to share and what to split, each line with the figures it comes from.

A figure counts where its 95 % interval excludes zero. Gradients say with whom: two that pull
together have a mean cosine above 0.05 over the training, two that pull apart one below -0.05 in its
last epoch, when what they have in common is learnt. Gradients alone give no advice: where a
training has come to rest they oppose one another even among tasks that help one another. An expert
is unused where no task gives it a fifth of an equal share.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.interference.gradients import partners
from tfmtl.config import Config

OPPOSED, ALIKE = -0.05, 0.05
UNUSED = 0.2
_OWN_EXPERTS = ("cgc", "ple")


def advise(config: Config, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Advice from what was measured.

    Args:
        config: of the joint model.
        found: `{"tasks": {task: {"overall": CHANGE}}, "scenarios": {value: {task:
            CHANGE}}, "cosines", "gates"}`.

    Returns:
        `{"about", "advice", "text"}` each: about whom, `split`, `keep` or `shrink`, and a sentence
        with its figures.
    """
    return [*_of_tasks(config, found), *_of_scenarios(config, found), *_of_experts(found)]


def told(change: Mapping[str, Any], other: str = "alone") -> str:
    """A change in words: `0.7012 against 0.7105 alone (-0.0093, 95 % -0.0150 to -0.0041)`."""
    return (
        f"{change['joint']:.4f} against {change['alone']:.4f} {other} "
        f"({change['difference']:+.4f}, 95 % {change['low']:+.4f} to {change['high']:+.4f})"
    )


def _of_tasks(config: Config, found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    names, cosines = list(config.tasks), found["cosines"]
    for task, measured in found["tasks"].items():
        change = measured["overall"]
        if change is None or change["verdict"] == "unclear":
            continue
        on = "pairs" if partners(cosines["pairs"], task, names) else "tables"
        start = f"{task}: {change['metric']} {told(change)}"
        if change["verdict"] == "gain":
            text = f"{start}; {_pulled_with(partners(cosines[on], task, names))}keep it shared"
            yield {"about": task, "advice": "keep", "text": text}
        else:
            others = partners(_at_last(cosines, on), task, names)
            text = f"{start}; {_against(others)}: {_remedy(config, task, on, others)}"
            yield {"about": task, "advice": "split", "text": text}


def _at_last(cosines: Mapping[str, Any], kind: str) -> Mapping[str, float]:
    """The cosines of the last epoch."""
    return cosines["by_epoch"][-1][kind] if cosines["by_epoch"] else {}


def _pulled_with(others: Mapping[str, float]) -> str:
    together = [(n, c) for n, c in reversed(list(others.items())) if c > ALIKE]
    named = ", ".join(f"{name} ({cosine:+.2f})" for name, cosine in together)
    return f"its gradients pull with those of {named}: " if named else ""


def _against(others: Mapping[str, float]) -> str:
    opposed = {name: cosine for name, cosine in others.items() if cosine < OPPOSED}
    if opposed:
        named = ", ".join(f"{name} (cosine {cosine:+.2f})" for name, cosine in opposed.items())
        return f"its gradients oppose those of {named}"
    if not others:
        return "nothing it shares has gradients to compare"
    lowest = next(iter(others))
    return f"no gradients oppose its own (lowest cosine {others[lowest]:+.2f}, {lowest})"


def _remedy(config: Config, task: str, on: str, others: Mapping[str, float]) -> str:
    """What to try for a task that loses."""
    trunk, balancer = config.model.trunk.kind, config.model.balancer.kind
    if on == "tables":
        return f"it shares the embeddings alone, so train '{task}' as a model of its own"
    if not any(cosine < OPPOSED for cosine in others.values()):
        return f"the others outweigh it, so raise tasks.{task}.weight or widen model.trunk"
    experts = "give it experts of its own (model.trunk: {kind: ple})"
    if trunk in _OWN_EXPERTS:
        experts = "give it more experts of its own (model.trunk.task_experts)"
    if trunk == "single_task":
        experts = f"train '{task}' as a model of its own"
    method = "gradvac" if balancer == "pcgrad" else "pcgrad"
    return f"{experts}, or try model.balancer: {{kind: {method}}}"


def _of_scenarios(config: Config, found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    names = config.scenario.values if config.scenario else []
    for value, tasks in found["scenarios"].items():
        known = {task: change for task, change in tasks.items() if change is not None}
        for verdict in ("loss", "gain"):
            own = {task: c for task, c in known.items() if c["verdict"] == verdict}
            if not own:
                continue
            measured = "; ".join(
                f"{task} {change['metric']} {told(change, 'with its own rows only')}"
                for task, change in own.items()
            )
            if verdict == "gain":
                yield {
                    "about": value,
                    "advice": "keep",
                    "text": f"scenario {value}: {measured}; keep it shared",
                }
                continue
            others = partners(_at_last(found["cosines"], "scenarios"), value, names)
            opposed = {name: cosine for name, cosine in others.items() if cosine < OPPOSED}
            against = f"; {_against(others)}" if opposed else ""
            text = f"scenario {value}: {measured}{against}: {_net(config)}"
            yield {"about": value, "advice": "split", "text": text}


def _net(config: Config) -> str:
    net = config.model.scenario_net
    if net is None:
        return "give scenarios something of their own (model.scenario_net: {kind: star} or pepnet)"
    other = "pepnet" if net.kind != "pepnet" else "star"
    return f"model.scenario_net {net.kind} does not keep it apart enough; try {{kind: {other}}}"


def _of_experts(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    gates = found["gates"]
    tasks, reaches = gates.get("tasks", {}), gates.get("reaches", {})
    unused: dict[str, float] = {}
    for place, expert in enumerate(gates.get("experts", [])):
        readers = [task for task, own in reaches.items() if expert in own]
        shares = [tasks[task]["overall"][place] * len(reaches[task]) for task in readers]
        if max(shares) < UNUSED:
            unused[expert] = max(tasks[task]["overall"][place] for task in readers)
    if unused:
        named = ", ".join(f"{name} (at most {weight:.3f})" for name, weight in unused.items())
        text = f"experts: no task uses {named}; take fewer experts in model.trunk"
        yield {"about": "experts", "advice": "shrink", "text": text}
