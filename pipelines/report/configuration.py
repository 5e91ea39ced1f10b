"""The whole configuration, every default written out."""

from pipelines.report.facts import Facts
from pipelines.report.html import Markup, details, element, note, section


def configuration(facts: Facts) -> Markup | None:
    """The YAML that the run was made from, folded."""
    if not facts.run or not facts.run.config:
        return None
    text = note("Every key of the run, with the defaults written out.")
    shown = details("YAML", element("pre", facts.run.config, tabindex=0))
    return section("Configuration", text, shown, id_="configuration")
