"""The report's sections in their order; each is None where nothing is known."""

from pipelines.report.anomalies import anomalies
from pipelines.report.configuration import configuration
from pipelines.report.curves import curves
from pipelines.report.data import data
from pipelines.report.experts import experts
from pipelines.report.facts import Facts
from pipelines.report.finetuning import finetuning
from pipelines.report.html import Markup, element, join
from pipelines.report.learning import balance, learning
from pipelines.report.lineage import lineage
from pipelines.report.metrics import metrics
from pipelines.report.serving import serving
from pipelines.report.teachers import teachers
from pipelines.report.timings import timings
from pipelines.report.variants import variants
from pipelines.report.verdict import gate, head, tiles

_SECTIONS = {
    "Gate": gate,
    "Metrics": metrics,
    "Curves": curves,
    "Data": data,
    "Anomalies": anomalies,
    "Fine-tuning": finetuning,
    "Teachers": teachers,
    "Learning": learning,
    "Balance": balance,
    "Experts": experts,
    "Serving": serving,
    "Variants": variants,
    "Time": timings,
    "Lineage": lineage,
    "Config": configuration,
}


def page(facts: Facts) -> Markup:
    """All there is: the verdict, a way to every section, the sections."""
    made = {name: drawn for name, make in _SECTIONS.items() if (drawn := make(facts))}
    links = (element("a", name, href=f"#{_SECTIONS[name].__name__}") for name in made)
    way = element("nav", *links, aria_label="Sections") if made else None
    return join((head(facts), tiles(facts), way, *made.values()))
