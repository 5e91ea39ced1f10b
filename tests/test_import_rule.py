"""Who may import whom: `pipelines -> serving -> tfmtl`, and the layers inside `tfmtl`."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("tfmtl", "serving", "pipelines")
BLOCKS = ("layers", "config")
LIBRARY = {
    "config": (),
    "layers": ("config",),
    "balancing": ("config",),
    "optimizers": ("config",),
    "evaluation": ("config",),
    "preprocessing": BLOCKS,
    "scenario_nets": BLOCKS,
    "trunks": BLOCKS,
    "heads": BLOCKS,
    "models": (
        *BLOCKS,
        "balancing",
        "optimizers",
        "preprocessing",
        "scenario_nets",
        "trunks",
        "heads",
    ),
    "training": (
        *BLOCKS,
        "balancing",
        "optimizers",
        "preprocessing",
        "scenario_nets",
        "trunks",
        "heads",
        "models",
        "evaluation",
    ),
}
ABOVE = {"tfmtl": {"serving", "pipelines"}, "serving": {"pipelines"}, "pipelines": set()}
HOMES = {
    "tensorflow_recommenders": "tfmtl/heads/",
    "tf_keras": "tfmtl/heads/",
    "apache_beam": "pipelines/",
    "kfp": "pipelines/kubeflow/",
    "grpc": "serving/",
    "tensorflow_serving": "serving/",
}


def files() -> list[str]:
    found = [path for tree in TREES for path in sorted((ROOT / tree).rglob("*.py"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


def imported(file: str) -> Iterator[str]:
    """Modules a file imports, anywhere in it, `from package import module` included."""
    package = file.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def part(name: str) -> str | None:
    """The part of the library that a dotted module lies in."""
    tree, _, rest = name.partition(".")
    first = rest.partition(".")[0]
    return first if tree == "tfmtl" and first in LIBRARY else None


def test_there_are_files_of_every_part() -> None:
    found = files()
    assert len(found) > 100
    folders = {path.name for path in (ROOT / "tfmtl").iterdir() if (path / "__init__.py").exists()}
    assert folders == set(LIBRARY)
    assert "tfmtl.config" in imported("tfmtl/heads/retrieval.py")
    assert "tfmtl.heads.tfrs" in imported("tfmtl/heads/ranking.py")


@pytest.mark.parametrize("file", files())
def test_imports_point_downwards(file: str) -> None:
    tree, inside, *_ = file.split("/")
    names = set(imported(file))
    assert not {name for name in names if name.partition(".")[0] in ABOVE[tree]}
    if tree == "tfmtl" and inside in LIBRARY:
        parts = {part(name) for name in names} - {None, inside}
        assert parts <= set(LIBRARY[inside]), f"{inside} should import {LIBRARY[inside]} only"


@pytest.mark.parametrize("file", files())
def test_guests_stay_in_their_homes(file: str) -> None:
    for name in imported(file):
        home = HOMES.get(name.partition(".")[0])
        assert home is None or file.startswith(home), f"{name} belongs below {home}"


@pytest.mark.parametrize("package", ["tfmtl", "serving", "pipelines"])
def test_importing_a_package_is_light(package: str) -> None:
    heavy = ("tensorflow", "keras", "tf_keras", "apache_beam", "pyarrow", "grpc")
    script = f"import sys, {package}; print([m for m in {heavy} if m in sys.modules])"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert ended.stdout.strip() == "[]", ended.stderr


def test_public_names_load_when_they_are_used() -> None:
    script = (
        "import serving, tfmtl\n"
        "for p in (serving, tfmtl):\n"
        "    assert set(p.__all__) <= set(dir(p))\n"
        "    assert all(getattr(p, n) for n in p.__all__)\n"
        "    assert not hasattr(p, 'nothing')\n"
        "print('loaded')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert ended.stdout.strip() == "loaded", ended.stderr
