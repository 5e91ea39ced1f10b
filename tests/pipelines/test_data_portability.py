"""The data components on other runners: two processes, and an external pool of workers."""

import ast
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import grpc
import pytest
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor
from apache_beam.typehints import Any
from data_components import Ran, run_components, shop_config, write_shop
from shop_runs import CONFIG, contents

from pipelines.execution import beam_options
from pipelines.simulator import simulate
from tfmtl.config import load

ROOT = Path(__file__).parents[2]
PREPROCESS = ROOT / "pipelines" / "preprocess"


class _Edges(PipelineVisitor):
    """Collects the steps that hand on elements of which nothing is declared, and the DoFns."""

    def __init__(self) -> None:
        self.untyped: set[str] = set()
        self.dofns: dict[str, beam.DoFn] = {}

    def visit_transform(self, transform_node: AppliedPTransform) -> None:
        fn = getattr(transform_node.transform, "fn", None)
        if type(fn).__module__.startswith("pipelines."):
            self.dofns[transform_node.full_label] = fn
        for given in transform_node.inputs:
            if given.producer and given.element_type in (None, Any):
                self.untyped.add(f"{given.producer.full_label} -> {transform_node.full_label}")


def test_edges_have_types_and_dofns_are_importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    edges, run = _Edges(), beam.Pipeline.run
    pipelines = []

    def visit(pipeline: beam.Pipeline, *args: object, **kwargs: object) -> object:
        pipelines.append(pipeline)
        pipeline.visit(edges)
        return run(pipeline, *args, **kwargs)

    monkeypatch.setattr(beam.Pipeline, "run", visit)
    write_shop(tmp_path / "data")
    run_components(shop_config(), tmp_path / "data", tmp_path / "run")
    assert len(pipelines) >= 4
    assert edges.untyped == set()
    assert len(edges.dofns) >= 6
    for fn in edges.dofns.values():
        assert type(pickle.loads(pickle.dumps(fn))) is type(fn)


@pytest.mark.parametrize("path", sorted(PREPROCESS.glob("*.py")), ids=lambda path: path.stem)
def test_no_step_is_a_lambda(path: Path):
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("beam."):
            found = [node for node in ast.walk(call) if isinstance(node, ast.Lambda)]
            assert found == [], ast.unparse(call)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("logs")
    # Some buckets of users and two shards of training rows.
    simulate(directory, impressions=170_000, seed=3)
    return directory


@pytest.fixture(scope="module")
def usual(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run_components(load(CONFIG), logs, tmp_path_factory.mktemp("usual"))


@pytest.mark.slow
def test_two_processes(usual: Ran, logs: Path, tmp_path: Path):
    with beam_options("--direct_running_mode=multi_processing --direct_num_workers=2"):
        run_components(load(CONFIG), logs, tmp_path)
    assert contents(tmp_path) == contents(usual.directory)


@pytest.fixture
def pool() -> Iterator[str]:
    """Address of a pool of worker processes."""
    with socket.socket() as found:
        found.bind(("localhost", 0))
        port = found.getsockname()[1]
    # The pool starts its workers as `python`.
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    module = "apache_beam.runners.worker.worker_pool_main"
    process = subprocess.Popen(
        [sys.executable, "-m", module, f"--service_port={port}"], env=environment
    )
    try:
        with grpc.insecure_channel(f"localhost:{port}") as channel:
            grpc.channel_ready_future(channel).result(timeout=60)
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.slow
def test_an_external_pool_of_workers(usual: Ran, logs: Path, pool: str, tmp_path: Path):
    options = f"--runner=PortableRunner --job_endpoint=embed --environment_type=EXTERNAL \
        --environment_config={pool}"
    with beam_options(options):
        run_components(load(CONFIG), logs, tmp_path)
    assert contents(tmp_path) == contents(usual.directory)
