"""How fast the library trains and evaluates, beside the peers and beside the machine's limit.

    python -m benchmarks.training [--only work --only tables] [--quick] [--json FILE]

Everything that is compared is measured in turns in one run; figures are medians. The peers run in
environments of their own, which the first run makes below ~/.cache/tfmtl-benchmarks.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import typer

from benchmarks.sections import Json, Only, Quick, run_sections
from benchmarks.training_of import (
    balancers,
    limits,
    retrieval,
    softmax,
    tables,
    texts,
    work,
    workers,
)

SECTIONS = {
    "work": work,
    "limits": limits,
    "tables": tables,
    "softmax": softmax,
    "balancers": balancers,
    "retrieval": retrieval,
    "workers": workers,
    "texts": texts,
}


def main(only: Only = None, quick: Quick = False, json: Json = None) -> None:
    """Measures and prints."""
    run_sections(SECTIONS, only, quick, json)


if __name__ == "__main__":
    typer.run(main)
