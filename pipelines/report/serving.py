"""What loading and asking the SavedModel came to, as TF Serving would do it."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.report.facts import Facts
from pipelines.report.html import Markup, element, note, section, table
from pipelines.report.numbers import known, shown, size
from pipelines.report.shapes import listed, mapping


def serving(facts: Facts) -> Markup | None:
    """Whether TF Serving would take the model, how fast it loads and answers, what it holds."""
    infra = facts.infra
    if not infra:
        return None
    fit = bool(infra.get("fit"))
    word = "✓ fit to serve" if fit else "✗ would be refused"
    parts: list[Markup] = [element("p", word, class_="good" if fit else "bad")]
    parts += [element("p", reason, class_="bad") for reason in listed(infra.get("reasons"))]
    parts.append(
        note(
            "The exported model was loaded in a process of its own through TensorFlow's C API, as "
            "TF Serving does, and every signature was asked."
        )
    )
    figures = list(_figures(infra))
    if figures:
        parts.append(element("div", *figures, class_="tiles small"))
    parts += _latency(infra.get("latency"))
    return section("Serving", *parts, id_="serving")


def _figures(infra: Mapping[str, Any]) -> Iterator[Markup]:
    memory = mapping(infra.get("memory"))
    before, loaded, peak = (known(memory.get(key)) for key in ("before", "loaded", "peak"))
    seconds = known(infra.get("load_seconds"))
    if seconds is not None:
        yield _tile(f"{shown(seconds, 2)} s", "to load")
    if before is not None and loaded is not None:
        yield _tile(size(max(loaded - before, 0.0)), "memory of the model, loaded")
    if peak is not None:
        yield _tile(size(peak), "peak memory of the process")
    if (records := known(infra.get("warmup_records"))) is not None:
        yield _tile(f"{records:,.0f}", "warm-up requests")


def _latency(latency: Any) -> Iterator[Markup]:
    """Median and slow answers by signature and rows of a request."""
    if not mapping(latency):
        return
    yield element("h3", "Time to answer, in milliseconds")
    yield note(
        "On this machine, one request after the other: half of the answers took no longer than the "
        "median, 99 of 100 no longer than p99."
    )
    rows = (
        (signature, batch, *(_milliseconds(found, key) for key in ("p50", "p99")))
        for signature, batches in latency.items()
        for batch, found in mapping(batches).items()
    )
    yield table(("signature", "rows a request", "median", "p99"), rows)


def _milliseconds(found: Any, key: str) -> str:
    return shown(known(mapping(found).get(key)), 1)


def _tile(value: str, name: str) -> Markup:
    return element("div", element("b", value), element("span", name, class_="name"), class_="tile")
