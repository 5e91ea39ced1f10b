"""What the pipeline's own work costs: the runner beside its components, evaluation with intervals.

    python -m benchmarks.pipeline [--only runner] [--only evaluation] [--quick] [--json FILE]

Each figure is of a process of its own.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import typer

from benchmarks.pipeline_of import evaluation, running
from benchmarks.sections import Json, Only, Quick, run_sections

SECTIONS = {"runner": running, "evaluation": evaluation}


def main(only: Only = None, quick: Quick = False, json: Json = None) -> None:
    """Measures and prints."""
    run_sections(SECTIONS, only, quick, json)


if __name__ == "__main__":
    typer.run(main)
