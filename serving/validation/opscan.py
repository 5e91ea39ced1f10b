"""A static look at a SavedModel's graph for what stock TF Serving cannot run.

Python functions live in the process that exported them, XLA compilation is off in the stock
server, and custom ops are not in it. All of them may load and run in Python, and fail only in
production; so the graph and every function of its library are searched.
"""

from collections.abc import Collection, Iterator
from typing import Any

_REASONS = {
    "PyFunc": "calls Python",
    "PyFuncStateless": "calls Python",
    "EagerPyFunc": "calls Python",
    "XlaLaunch": "needs XLA compilation",
}
_MUST_COMPILE = "_XlaMustCompile"


def forbidden_ops(meta_graph: Any) -> list[str]:
    """What in a `MetaGraphDef` keeps stock TF Serving from running it.

    Args:
        meta_graph: The message.

    Returns:
        One line per finding, naming the op, where it is and why it is refused; empty when the
        graph is fit.
    """
    graph = meta_graph.graph_def
    found = _scan("the graph", graph.node)
    for function in graph.library.function:
        where = f"function {function.signature.name}"
        found += _scan(where, function.node_def)
        if function.attr[_MUST_COMPILE].b:
            found.append(f"{where} needs XLA compilation (jit_compile=True)")
    return found


def unknown_ops(meta_graph: Any, known: Collection[str]) -> list[str]:
    """Ops that TensorFlow does not have.

    The stock server has besides those of TF Text, which are loaded where a model has them, and of
    decision forests, with which nothing here can run a model.

    Args:
        meta_graph: The `MetaGraphDef`.
        known: The names of the ops that a fresh TensorFlow has registered.

    Returns:
        One line per op, naming where it is first.
    """
    functions = {one.signature.name for one in meta_graph.graph_def.library.function}
    found: dict[str, str] = {}
    for where, node in _nodes(meta_graph.graph_def):
        if node.op not in known and node.op not in functions:
            found.setdefault(
                node.op,
                f"op {node.op} in {where} (node {node.name}) is a custom op, which stock TF "
                "Serving does not have",
            )
    return list(found.values())


def _nodes(graph: Any) -> Iterator[tuple[str, Any]]:
    for node in graph.node:
        yield "the graph", node
    for function in graph.library.function:
        for node in function.node_def:
            yield f"function {function.signature.name}", node


def _scan(where: str, nodes: Any) -> list[str]:
    found = []
    for node in nodes:
        if node.op in _REASONS:
            found.append(f"op {node.op} in {where} (node {node.name}) {_REASONS[node.op]}")
        if _MUST_COMPILE in node.attr and node.attr[_MUST_COMPILE].b:
            found.append(f"node {node.name} in {where} needs XLA compilation (jit_compile=True)")
    return found
