"""The library's data components: `python tfmtl_job.py DATA OUT`, DATA being that of the workload.

ExampleGen, StatisticsGen and Transform, which do what the other jobs of this directory do.
"""

import sys
from pathlib import Path

from pipelines.components.base import Context
from pipelines.components.example_gen import ExampleGen
from pipelines.components.statistics_gen import StatisticsGen
from pipelines.components.transform import Transform
from tfmtl.config import load


def main(data: Path, out: Path) -> None:
    """Runs the components one after the other."""
    artifacts = out / "artifacts"
    for component in (ExampleGen, StatisticsGen, Transform):
        output = artifacts / component.produces
        output.mkdir(parents=True)
        context = Context(
            config=load(data / "config.yaml"),
            data=data,
            run=out,
            serving=out / "serving",
            progress=lambda done, total, unit, note="": None,
        )
        print(component.name, component.execute(context, artifacts, output)["headline"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
