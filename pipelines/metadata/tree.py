"""A lineage as lines of text: a tree of what made the artifact, one of what was made from it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pipelines.metadata.lineage import Lineage
from pipelines.metadata.records import RAW_FILE, Run
from pipelines.metadata.wording import artifact_text, at, execution_text, short, size

_FILES_SHOWN = 8


class _Node(NamedTuple):
    """A line of the tree, which is its name alone where it stands in it again."""

    name: str
    text: str
    below: Callable[[], Sequence["_Node"]]


def tree(graph: Lineage) -> Iterator[str]:
    """The lines of a lineage, those of a branch that was shown before left out."""
    root = graph.artifacts[graph.artifact]
    yield artifact_text(root)
    if root.type != RAW_FILE:
        known = root.properties
        content = f", {known['files']} files, {size(known['bytes'])}" if "files" in known else ""
        yield f"{root.uri}{content}, identity {short(root.identity or '-')}"
        yield ""
        yield from _made_by(graph)
    yield ""
    yield "made from it"
    users = _users(graph, root.id)
    yield from _branches(users, {""}) if users else ["└─ nothing"]
    for run in sorted(graph.runs.values(), key=lambda run: run.number):
        yield ""
        yield from _run(run)


def _made_by(graph: Lineage) -> Iterator[str]:
    maker = graph.maker.get(graph.artifact)
    if maker is None:
        yield "made by a run that this store does not know of"
        return
    yield f"made by {execution_text(graph.executions[maker])}, from"
    made_from = _inputs(graph, graph.artifact)
    yield from _branches(made_from, {""}) if made_from else ["└─ nothing"]


def _inputs(graph: Lineage, artifact: int) -> list[_Node]:
    """What an artifact was made from, raw files last and only the first of many."""
    inputs = [graph.artifacts[one] for one in graph.inputs.get(graph.maker.get(artifact, 0), ())]
    files = [one for one in inputs if one.type == RAW_FILE]
    nodes = [_artifact(graph, one.id, _inputs) for one in inputs if one.type != RAW_FILE]
    shown = files if len(files) <= _FILES_SHOWN + 1 else files[:_FILES_SHOWN]
    nodes += [_artifact(graph, one.id, _inputs) for one in shown]
    if len(shown) < len(files):
        total = size(sum(one.properties["bytes"] for one in files))
        more = f"{len(files) - len(shown)} more files, {total} in all; --json names them"
        nodes.append(_Node(more, more, list))
    return nodes


def _users(graph: Lineage, artifact: int) -> list[_Node]:
    """What was made from an artifact, and the steps that failed to make something of it."""
    nodes = []
    for user in graph.users.get(artifact, ()):
        outputs = graph.outputs.get(user, ())
        nodes += [_artifact(graph, one, _users, user) for one in outputs]
        if not outputs:
            text = execution_text(graph.executions[user])
            nodes.append(_Node(text, text, list))
    return nodes


def _artifact(
    graph: Lineage,
    artifact: int,
    below: Callable[[Lineage, int], Sequence[_Node]],
    maker: int | None = None,
) -> _Node:
    name = text = artifact_text(graph.artifacts[artifact])
    maker = maker or graph.maker.get(artifact)
    if maker is not None:
        text = f"{name}  {execution_text(graph.executions[maker])}"
    return _Node(name, text, lambda: below(graph, artifact))


def _branches(nodes: Iterable[_Node], seen: set[str], indent: str = "") -> Iterator[str]:
    pending = list(nodes)
    for position, node in enumerate(pending, start=1):
        last = position == len(pending)
        below = node.below()
        again = bool(below) and node.name in seen
        text = f"{node.name}  (above)" if again else node.text
        yield f"{indent}{'└─' if last else '├─'} {text}"
        seen.add(node.name)
        if not again:
            yield from _branches(below, seen, indent + ("   " if last else "│  "))


def _run(run: Run) -> Iterator[str]:
    found = run.properties
    yield f"run {run.number}, {run.state.lower()}, started {at(run.started)}"
    yield f"  config    sha256 {short(found['config_hash'])}"
    yield f"  code      {_code(run)}"
    versions = (f"{name} {version}" for name, version in found["versions"].items() if version)
    yield f"  packages  {', '.join(versions)}"
    yield f"  data      {run.data}"
    if found.get("experiment"):
        yield f"  part of   {found['experiment']}"


def _code(run: Run) -> str:
    git = run.properties.get("git")
    if git is None:
        return "the run was started in no git repository"
    changed = {True: ", with changes that were not committed", False: "", None: ""}
    return f"commit {short(git['commit'])}{changed[git['dirty']]}"
