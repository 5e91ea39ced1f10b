"""How fast raw logs become training data, and training data batches; how much memory it takes.

    python -m benchmarks.preprocess [--only speed --only reading] [--quick] [--json FILE]

What is compared is run in turns, in processes of its own; figures are medians. polars runs in an
environment of its own, which the first run makes below ~/.cache/tfmtl-benchmarks.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import typer

from benchmarks.preprocess_of import memory, reading, speed
from benchmarks.sections import Json, Only, Quick, run_sections

SECTIONS = {"speed": speed, "memory": memory, "reading": reading}
"""In this order: reading is done in this process, and a command's peak memory counts what the
process that starts it holds."""


def main(only: Only = None, quick: Quick = False, json: Json = None) -> None:
    """Measures and prints."""
    run_sections(SECTIONS, only, quick, json)


if __name__ == "__main__":
    typer.run(main)
