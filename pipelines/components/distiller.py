"""Distiller: the Trainer of a model that learns from teachers beside the labels."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.artifacts import Anomalies, Model, Output, SoftLabels, Transformed
from pipelines.components.base import Context, Summary, component
from pipelines.components.teachers import TEACHERS
from pipelines.components.trainer import Trainer, train
from tfmtl.preprocessing import columns


@component(reads=Trainer.reads)
def Distiller(
    context: Context,
    transformed: Transformed,
    anomalies: Anomalies,
    soft_labels: SoftLabels,
    model: Output[Model],
) -> Summary:
    """Trains the student. The model's directory also has `teachers.json`, what its teachers reach
    on the test rows."""
    with taught(transformed.path, soft_labels.path) as examples:
        summary = train(context, Transformed(examples), model).summary
    told = (soft_labels.path / TEACHERS).read_bytes()
    (model.path / TEACHERS).write_bytes(told)
    largest = max(one["parameters"] for one in json.loads(told)["teachers"])
    share = summary["parameters"] / largest
    headline = f"{summary['headline']}; {share:.0%} of the largest teacher's parameters"
    return {**summary, "headline": headline}


@contextmanager
def taught(transformed: Path, soft_labels: Path) -> Iterator[Path]:
    """Transform's artifact with the soft labels beside the splits, as training reads it."""
    with tempfile.TemporaryDirectory() as directory:
        view = Path(directory)
        for path in transformed.iterdir():
            os.symlink(path.resolve(), view / path.name)
        os.symlink(soft_labels.resolve(), view / columns.SOFT_LABELS)
        yield view
