"""Which outputs of a graph are computed without a loop, and so in a bounded number of steps."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

_LOOPS = {"While", "StatelessWhile", "For", "Enter", "RefEnter", "NextIteration", "MapDefun"}


def loop_free(graph: Any, tensors: Iterable[str]) -> frozenset[str]:
    """The tensors that no loop has a part in, in the graph or in the functions it calls.

    Args:
        graph: A `GraphDef` with its function library.
        tensors: Names as a signature has them, `node:0`.
    """
    functions = {function.signature.name: function for function in graph.library.function}
    looping = _looping(functions)
    nodes = {node.name: node for node in graph.node}
    return frozenset(
        tensor
        for tensor in tensors
        if not any(
            _loops(nodes[name], functions, looping) for name in _ancestry(_node(tensor), nodes)
        )
    )


def _looping(functions: dict[str, Any]) -> set[str]:
    """The functions that loop, themselves or through those they call."""
    looping: set[str] = set()
    while True:
        found = {
            name
            for name, function in functions.items()
            if any(_loops(node, functions, looping) for node in function.node_def)
        }
        if found == looping:
            return looping
        looping = found


def _loops(node: Any, functions: Collection[str], looping: Collection[str]) -> bool:
    # What reads a data set runs as often as the data set has elements.
    if node.op in _LOOPS or node.op.endswith("Dataset"):
        return True
    return any(name in looping for name in _called(node) if name in functions)


def _called(node: Any) -> Iterator[str]:
    yield node.op
    for value in node.attr.values():
        kind = value.WhichOneof("value")
        if kind == "func":
            yield value.func.name
        elif kind == "list":
            yield from (function.name for function in value.list.func)


def _ancestry(name: str, nodes: dict[str, Any]) -> set[str]:
    """The names of a node and of all that it depends on."""
    reached, found = [name], {name}
    while reached:
        for tensor in nodes[reached.pop()].input:
            origin = _node(tensor)
            if origin not in found:
                found.add(origin)
                reached.append(origin)
    return found


def _node(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]
