"""Formulas of scores: a small language, read into a tree that knows nothing of TensorFlow."""

import ast
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

FUNCTIONS = {"log": 1, "exp": 1, "sqrt": 1, "min": 2, "max": 2}
"""Functions and the fewest arguments they take; where that is two, more are possible."""
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.USub: "negative",
}
_LONGEST = 1000
"""Characters of a formula."""
_DEEPEST = 100
"""Operators and functions inside one another."""
_SYNTAX = "a formula has names, numbers, + - * / **, parentheses and " + ", ".join(FUNCTIONS)


@dataclass(frozen=True)
class Number:
    """A number as it is written."""

    value: float


@dataclass(frozen=True)
class Variable:
    """What a name stands for."""

    name: str


@dataclass(frozen=True)
class Call:
    """An operator or a function, applied.

    Attributes:
        function: `+`, `-`, `*`, `/` or `**` of two, `negative` of one, or one of `FUNCTIONS`.
        arguments: what it is applied to.
    """

    function: str
    arguments: "tuple[Node, ...]"


Node = Number | Variable | Call


def parse_formula(text: str) -> Node:
    """Reads a formula, with the precedence that Python gives its operators.

    Args:
        text: such as `click * price ** a`; line breaks are spaces.

    Returns:
        The tree. Which names are known is not looked at.

    Raises:
        ValueError: it says what was found and what a formula may have.

    Example:
        >>> parse_formula("2 * click")
        Call(function='*', arguments=(Number(value=2.0), Variable(name='click')))
    """
    if len(text) > _LONGEST:
        raise ValueError(f"{len(text)} characters are too many for a formula, {_LONGEST} are not")
    try:
        node = _node(ast.parse(" ".join(text.split()), mode="eval").body)
        deep = _depth(node) > _DEEPEST
    except SyntaxError:
        raise ValueError(f"'{text}' is no formula; {_SYNTAX}") from None
    except (RecursionError, MemoryError):
        deep = True
    if deep:
        raise ValueError(f"a formula nests at most {_DEEPEST} operators; write it with fewer")
    return node


def variables(node: Node) -> list[str]:
    """The names in a formula, each once, in their order."""
    return list(dict.fromkeys(_variables(node)))


def _variables(node: Node) -> Iterator[str]:
    if isinstance(node, Variable):
        yield node.name
    elif isinstance(node, Call):
        for argument in node.arguments:
            yield from _variables(argument)


def _depth(node: Node) -> int:
    arguments = node.arguments if isinstance(node, Call) else ()
    return 1 + max((_depth(argument) for argument in arguments), default=0)


def _node(node: ast.expr) -> Node:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _number(value)
        case ast.Name(id=name):
            return Variable(name)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _node(operand)
        case ast.UnaryOp(op=ast.USub() as operator, operand=operand):
            return Call(_OPERATORS[type(operator)], (_node(operand),))
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            return Call(_OPERATORS[type(operator)], (_node(left), _node(right)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _call(name, arguments)
    raise ValueError(f"'{ast.unparse(node)}' cannot be in a formula; {_SYNTAX}")


def _number(value: float) -> Number:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if abs(number) > 3e38:
        raise ValueError("a number is too large for float32; write a smaller one")
    return Number(number)


def _call(name: str, arguments: list[ast.expr]) -> Node:
    if name not in FUNCTIONS:
        raise ValueError(f"'{name}' is no function of formulas; known are {', '.join(FUNCTIONS)}")
    fewest = FUNCTIONS[name]
    if len(arguments) < fewest or len(arguments) > fewest == 1:
        expected = "one argument" if fewest == 1 else "two arguments or more"
        raise ValueError(f"{name} takes {expected}, got {len(arguments)}")
    return Call(name, tuple(_node(argument) for argument in arguments))


def _parsed(text: str) -> str:
    parse_formula(text)
    return text


Formula = Annotated[str, AfterValidator(_parsed)]
"""A formula as it is written in a configuration, which can be parsed."""
