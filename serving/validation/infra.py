"""Whether stock TF Serving can load and run a SavedModel, decided without its binary.

A fresh process loads the model through TensorFlow's C API, as `tensorflow_model_server` does, and
runs example requests and the model's own warm-up; it knows no Python op. Beside it, the graph is
searched for ops that only work in Python, and for custom ones.

    report = validate(Path("export/shop"), {"rank": {"user_id": ids, "item_id": items}})
    if not report.ok:
        print("\n".join(report.reasons))
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from serving.dtypes import TensorError
from serving.errors import ServingError
from serving.inputs import prepare
from serving.metadata import parse_signature
from serving.tensors import decode
from serving.validation.batching import misaligned, unbatched
from serving.validation.checkpoint import doubled
from serving.validation.infra_process import Ended, Plan, ProcessError, work
from serving.validation.opscan import forbidden_ops, unknown_ops
from serving.warmup_records import RecordError, read_warmup, request_of

Requests = Mapping[str, Mapping[str, Any]]
"""Input arrays by signature, as a client would send them."""

_CALLS, _SECONDS = 200, 0.5
"""How often a timed request is repeated, and how long at most."""


@dataclass
class InfraReport:
    """The verdict on one SavedModel.

    Attributes:
        reasons: Why it is refused; empty when it is fit to serve.
        answers: What every signature gave that ran, of each set of requests:
            `{signature: {output: array}}`.
        load_seconds: How long loading took, 0 when it was not tried.
        memory: Bytes of the process `before` loading, when `loaded`, and at its `peak`.
        latency: `{signature: {batch: {"p50", "p99", "calls"}}}`, in milliseconds.
        warmup_records: How many warm-up requests were replayed.
        finished: Whether the process came to its end; where it took too long or crashed, the same
            model may be fit another time.
    """

    reasons: list[str] = field(default_factory=list)
    answers: list[dict[str, dict[str, np.ndarray]]] = field(default_factory=list)
    load_seconds: float = 0.0
    memory: dict[str, int] = field(default_factory=dict)
    latency: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)
    warmup_records: int = 0
    finished: bool = True

    @property
    def ok(self) -> bool:
        """Whether the model is fit to serve."""
        return not self.reasons

    @property
    def outputs(self) -> dict[str, dict[str, np.ndarray]]:
        """The answers to the first set of requests."""
        return self.answers[0] if self.answers else {}


def validate(
    model_dir: Path,
    *requests: Requests,
    timed: Mapping[int, Requests] | None = None,
    batching: bool = False,
    parameters: int | None = None,
    timeout: float = 300.0,
) -> InfraReport:
    """Loads a SavedModel as stock TF Serving would and runs its signatures.

    Args:
        model_dir: The SavedModel directory.
        requests: Sets of requests that must be answered.
        timed: Requests whose latency is measured, by the size of their batch.
        batching: Whether the model must be fit for `--enable_batching` too.
        parameters: How many numbers and strings its variables may hold, to find those that are
            stored twice; not looked at if not given.
        timeout: Seconds that loading and running may take together.

    Returns:
        The verdict. Nothing that is wrong with the model raises.
    """
    model_dir = Path(model_dir).resolve()
    report = InfraReport(answers=[{} for _ in requests])
    meta_graph = _read_meta_graph(model_dir, report)
    if meta_graph is None:
        return report
    report.reasons += forbidden_ops(meta_graph)
    if batching:
        report.reasons += unbatched(meta_graph.signature_def)
    asked = _Asked(meta_graph.signature_def, report, batching)
    for index, one in enumerate(requests):
        for name, inputs in one.items():
            asked.request(name, inputs, index)
    asked.warmup(model_dir)
    for batch, one in (timed or {}).items():
        for name, inputs in one.items():
            asked.timed(name, inputs, batch)
    if parameters is not None:
        report.reasons += doubled(model_dir, parameters)
    try:
        ended = work(model_dir, asked.plan, timeout)
    except ProcessError as error:
        report.reasons.append(str(error))
        report.finished = False
        return report
    report.reasons += unknown_ops(meta_graph, ended.ops)
    report.load_seconds, report.memory = ended.load_seconds, ended.memory
    if ended.load_error is not None:
        report.reasons.append(f"loading failed: {ended.load_error}")
    else:
        asked.answered(ended)
    return report


def _read_meta_graph(model_dir: Path, report: InfraReport) -> Any:
    # Imports TensorFlow, hence not at the top.
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        saved_model = saved_model_pb2.SavedModel.FromString(
            (model_dir / "saved_model.pb").read_bytes()
        )
    except (OSError, DecodeError) as error:
        report.reasons.append(f"saved_model.pb cannot be read: {type(error).__name__}")
        return None
    for meta_graph in saved_model.meta_graphs:
        if "serve" in meta_graph.meta_info_def.tags:
            return meta_graph
    report.reasons.append("the SavedModel has no graph with tag `serve`")
    return None


class _Asked:
    """The runs that are asked of the process, and what becomes of each answer."""

    def __init__(self, signature_defs: Mapping[str, Any], report: InfraReport, batching: bool):
        self.plan = Plan()
        self._signatures = signature_defs
        self._report = report
        self._batching = batching
        self._runs: list[tuple[str, Callable[[Ended, int], None]]] = []

    def request(self, name: str, inputs: Mapping[str, Any], index: int) -> None:
        """Asks for an answer to the signature's request in a set."""
        prepared = self._prepared(name, inputs)
        if prepared is None:
            return

        def keep(ended: Ended, run: int) -> None:
            outputs = self._report.answers[index][name] = ended.outputs(run)
            if self._batching:
                self._report.reasons += misaligned(name, prepared, outputs)

        self._add(name, f"signature `{name}`", prepared, keep)

    def timed(self, name: str, inputs: Mapping[str, Any], batch: int) -> None:
        """Asks for the latency of the signature at a batch size."""
        prepared = self._prepared(name, inputs)
        if prepared is None:
            return

        def measure(ended: Ended, run: int) -> None:
            milliseconds = ended.runs[run]["milliseconds"]
            p50, p99 = np.percentile(milliseconds, [50, 99]).round(3).tolist()
            figures = {"p50": p50, "p99": p99, "calls": len(milliseconds)}
            self._report.latency.setdefault(name, {})[batch] = figures

        self._add(name, f"signature `{name}` at batch {batch}", prepared, measure, _CALLS)

    def warmup(self, model_dir: Path) -> None:
        """Asks for all warm-up requests of the model."""
        reasons = self._report.reasons
        try:
            records = read_warmup(model_dir)
        except RecordError as error:
            reasons.append(str(error))
            return
        for number, record in enumerate(records, start=1):
            try:
                name, inputs = request_of(record, self._signatures)
            except RecordError as error:
                reasons.append(f"warm-up record {number}: {error}")
                continue
            self._add(name, f"warm-up record {number} (signature `{name}`)", inputs, self._counted)

    def answered(self, ended: Ended) -> None:
        """Puts every answer where it belongs."""
        for run, (described, use) in enumerate(self._runs):
            error = ended.runs[run]["error"]
            if error is not None:
                self._report.reasons.append(f"{described} failed: {error}")
                continue
            try:
                use(ended, run)
            except TensorError as wrong:
                self._report.reasons.append(f"{described}: {wrong}")

    def _counted(self, ended: Ended, run: int) -> None:
        self._report.warmup_records += 1

    def _add(
        self,
        name: str,
        described: str,
        inputs: Mapping[str, np.ndarray],
        use: Callable[[Ended, int], None],
        calls: int = 0,
    ) -> None:
        self.plan.add(self._signatures[name], inputs, calls, _SECONDS)
        self._runs.append((described, use))

    def _prepared(self, name: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray] | None:
        """The arrays of a request, those with a default included; None where it does not fit."""
        if name not in self._signatures:
            self._report.reasons.append(f"signature `{name}` is not in the SavedModel")
            return None
        signature = self._signatures[name]
        try:
            prepared = prepare(inputs, parse_signature(name, 0, signature))
        except (ServingError, TensorError) as error:
            self._report.reasons.append(f"signature `{name}`: the example does not fit: {error}")
            return None
        for alias, proto in signature.defaults.items():
            prepared.setdefault(alias, decode(proto))
        return prepared
