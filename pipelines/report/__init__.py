"""The report of a run: one HTML page that needs nothing else and reads well on a phone.

    write_report(Path("out/shop"))

It shows what there is; a run that failed before training has a report too.
"""

from pathlib import Path

from pipelines.report.facts import read_facts
from pipelines.report.page import document
from pipelines.report.sections import page
from pipelines.storage.directories import replace_file

__all__ = ["write_report"]


def write_report(directory: Path) -> Path:
    """Writes a run's report.

    Args:
        directory: the run's directory.

    Returns:
        Where the report lies: `report.html` in the directory.
    """
    facts = read_facts(directory)
    path = directory / "report.html"
    replace_file(path, document(f"{facts.name} - tfmtl report", page(facts)))
    return path
