"""The code behind a function: its file and what that imports of this project, or of the user's own.

Caching by the package's version alone would hand a contributor yesterday's artifact after today's
change. The files are read, never imported, so that a cached step costs no import of TensorFlow.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.caching.contents import Contents

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("tfmtl", "pipelines", "serving")
_NAMED = re.compile(r"\.*[A-Za-z_][\w-]*(\.\w+)+")
"""A string that may be a dotted module, as in a table of lazily loaded names, or a file's name."""


class Sources:
    """Finds the files that functions are made of.

    Args:
        contents: hashes of files.
    """

    def __init__(self, contents: Contents):
        self._contents = contents

    def of(self, function: Callable[..., Any]) -> dict[str, str]:
        """Hash of every file that decides what a function does, by its path.

        These are the function's own file, the modules that it imports anywhere, those that it
        names in strings and files beside it that it names, and what these import in turn. Of a
        package that is imported for a module in it, `__init__.py` counts, with what that imports
        at once. A file of the user's counts what lies in its own directory too.

        Args:
            function: defined in a file.

        Returns:
            Paths relative to the project, or to the user's directory.
        """
        start = inspect.getsourcefile(inspect.unwrap(function))
        if start is None:
            raise ValueError(f"`function` should be defined in a file. Received: {function!r}")
        first = Path(start).resolve()
        own = None if _within(first) else first.parent
        pending, seen = [(first, True)], dict[Path, bool]()
        while pending:
            path, whole = pending.pop()
            if seen.get(path, False) or seen.get(path) is whole:
                continue
            seen[path] = whole
            pending.extend(self._next(path, whole, own))
        return {_told(path, own): self._contents.sha256(path) for path in sorted(seen)}

    def _next(self, path: Path, whole: bool, own: Path | None) -> Iterator[tuple[Path, bool]]:
        """The files that a file leads to, and whether all of what they name counts."""
        if path.suffix != ".py":
            return
        at_once, later = self._contents.remembered(path, _named)
        for name in [*at_once, *later] if whole else at_once:
            yield from _files(name, path, own)


@cache
def _named(content: bytes) -> tuple[list[str], list[str]]:
    """Names that may be modules or files: of imports that are done at once, and of all others."""
    at_once, later = set[str](), set[str]()
    try:
        pending: list[tuple[ast.AST, bool]] = [(ast.parse(content), True)]
    except SyntaxError:
        return [], []  # whoever imports it says so
    while pending:
        node, now = pending.pop()
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            pending.extend((child, now) for child in node.orelse)
            continue
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and _NAMED.fullmatch(node.value):
                later.add(node.value)
            continue
        (at_once if now else later).update(_imported(node))
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        pending.extend((child, now and not inside) for child in ast.iter_child_nodes(node))
    return sorted(at_once), sorted(later - at_once)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = "." * node.level + (node.module or "")
        yield base
        dot = "" if base.endswith(".") else "."
        yield from (f"{base}{dot}{alias.name}" for alias in node.names)


@cache
def _files(name: str, path: Path, own: Path | None) -> tuple[tuple[Path, bool], ...]:
    """The files that a name in a file stands for: a module and its packages, or a file beside."""
    first = name.partition(".")[0]
    if first in _PACKAGES:
        return _module(name, _ROOT)
    level = len(name) - len(name.lstrip("."))
    if level:
        return _module(name[level:], path.parents[level - 1])
    if "." in name and (path.parent / name).is_file():
        return ((path.parent / name, True),)
    return _module(name, own) if own else ()


@cache
def _module(name: str, home: Path) -> tuple[tuple[Path, bool], ...]:
    """The file of a module below a directory, and those of the packages that it is in."""
    parts = name.split(".") if name else []
    if not all(part.isidentifier() for part in parts):
        return ()
    module = home.joinpath(*parts)
    files = (module.with_suffix(".py"), module / "__init__.py")
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        return ()
    packages = (home.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts)))
    return (found, True), *((package, False) for package in packages if package.is_file())


def _within(path: Path) -> bool:
    """Whether a file is the project's own."""
    return any(path.is_relative_to(_ROOT / package) for package in _PACKAGES)


def _told(path: Path, own: Path | None) -> str:
    for home in (own, _ROOT):
        if home is not None and path.is_relative_to(home):
            return path.relative_to(home).as_posix()
    return path.as_posix()
