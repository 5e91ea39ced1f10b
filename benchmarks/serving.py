"""How fast models are served, and for how long.

    python -m benchmarks.serving [--only embedded] [--only soak] [--quick] [--json FILE]

Servers and clients are processes of their own; what is compared is sent the same requests in turns.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import typer

from benchmarks.sections import Json, Only, Quick, run_sections
from benchmarks.serving_of import client, embedded, index, recommend, soak

SECTIONS = {
    "client": client,
    "embedded": embedded,
    "index": index,
    "recommend": recommend,
    "soak": soak,
}


def main(only: Only = None, quick: Quick = False, json: Json = None) -> None:
    """Measures and prints."""
    run_sections(SECTIONS, only, quick, json)


if __name__ == "__main__":
    typer.run(main)
